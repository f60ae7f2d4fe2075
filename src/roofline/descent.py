"""The numbers of a fit: the loss that outliers cannot dominate, what constants have in common, a step within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roofline.constants import Parameter

#: Log error beyond which a row counts as an outlier.
OUTLIER = 0.15
#: Part of the variance of constants' drifts from their priors that those of one kind have in common.
SHARED = 0.5


def loss_of(errors: NDArray[Any], w: NDArray[Any], x: NDArray[Any], x0: NDArray[Any], prior: NDArray[Any]) -> float:
    """Return the loss whose steps `fit` takes: squared errors in units of OUTLIER, linear beyond it, and the prior."""
    import numpy as np

    scaled = np.sqrt(1.0 + (errors / OUTLIER) ** 2) - 1.0
    return float(np.sum(w * scaled) + 0.5 * (x - x0) @ prior @ (x - x0))


def precision(names: Sequence[Parameter]) -> NDArray[np.float64]:
    """Return the inverse covariance of the constants' drifts from their starts, in log units.

    Constants of one kind drift together in part: where many rows say of four engines that a launch is cheaper than we
    thought, that is the best guess for a fifth of which few rows speak.
    """
    import numpy as np

    spreads = np.array([p.spread for p in names])
    alike = np.array([[one.kin == other.kin for other in names] for one in names])
    shares = np.where(alike, SHARED, 0.0) + np.diag(np.full(len(names), 1.0 - SHARED))
    return np.linalg.inv(shares * np.outer(spreads, spreads))


def learned(jacobian: NDArray[Any], step: NDArray[Any], change: NDArray[Any]) -> NDArray[np.float64]:
    """Return a Jacobian that explains a step's change, each row's zeros kept [1]_.

    References
    ----------
    .. [1] L. K. Schubert, "Modification of a quasi-Newton method for nonlinear equations with a sparse Jacobian",
       Mathematics of Computation 24(109), 1970.
    """
    import numpy as np

    along = np.where(jacobian != 0.0, step, 0.0)
    length = np.einsum("ij,ij->i", along, along)
    missed = change - jacobian @ step
    found: NDArray[np.float64] = (
        jacobian + along * np.divide(missed, length, out=np.zeros_like(missed), where=length > 1e-8)[:, None]
    )
    return found


def step_within(left: NDArray[Any], right: NDArray[Any], limits: NDArray[Any], reach: float) -> NDArray[np.float64]:
    """Return the step s with left @ s = right, held within limits of shape (n, 2) and within ±reach.

    What would leave them is held at the limit and the rest solved again: clipping alone would leave the rest as if the
    held ones had moved.
    """
    import numpy as np

    low, high = np.clip(limits.T, -reach, reach)
    step = np.linalg.solve(left, right)
    held = np.zeros(len(step), dtype=bool)
    while ((out := (step < low) | (step > high)) & ~held).any():
        held |= out
        step[held] = np.clip(step, low, high)[held]
        free = ~held
        rest = right[free] - left[np.ix_(free, held)] @ step[held]
        step[free] = np.linalg.solve(left[np.ix_(free, free)], rest)
    found: NDArray[np.float64] = step
    return found
