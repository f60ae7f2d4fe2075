"""What a fit says about rows it has not seen: the fit again without each part of its rows.

Each refit begins at the constants of the whole fit and keeps its Jacobian; constants that no remaining row speaks of
fall back to their priors. Errors are evaluated with the refitted constants, not extrapolated; only of rows that a step
hardly touches (one chip's constants say nothing of another engine's rows) the change is the linear one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from roofline.calibrate import Fit, Pool, weights
from roofline.constants import Parameter
from roofline.descent import OUTLIER, loss_of, precision, step_within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Most moves, each followed by an evaluation of the remaining rows, and linear steps towards each.
EVALUATIONS, STEPS = 3, 6
#: Longest step of a constant towards a goal, in log units.
REACH = 0.3
#: A gain of the loss too small to go on for.
ENOUGH = 5e-4
#: A change of a row's log error that need not be evaluated: what is not linear in it is far below any interval. And one
#: too small to go on for.
HARDLY, STILL = 1e-2, 1e-3


def without(
    fit: Fit,
    parts: Sequence[Sequence[int]],
    processes: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[dict[Parameter, float], NDArray[np.float64]]]:
    """Yield constants fitted without each part of the rows, and the log errors of the part under them.

    Parameters
    ----------
    fit : Fit
        A finished fit.
    parts : sequence of sequences of int
        Rows to leave out together, by their place in ``fit.rows``.
    processes : int, optional
        As in ``calibrate.fit``.
    say : callable
        Told of progress.
    """
    import numpy as np

    names = list(fit.values)
    bounds = np.log(np.array([p.bounds for p in names]))
    prior = precision(names)
    x0 = np.log(np.array([fit.start[p] for p in names]))
    best = np.log(np.array([fit.values[p] for p in names]))
    with Pool(fit.rows, processes or os.cpu_count() or 1) as pool:

        def errors(
            x: NDArray[np.float64], rows: Sequence[int], at: NDArray[np.float64], known: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            """Return the errors of rows at x, from those at a point nearby."""
            found = known + fit.jacobian[rows] @ (x - at)
            reach = np.abs(fit.jacobian[rows]) @ np.abs(x - at)
            moved = np.flatnonzero(reach > HARDLY)
            if len(moved):
                found[moved] = pool.errors(dict(zip(names, np.exp(x), strict=True)), [rows[int(i)] for i in moved])
            return found

        def solved(
            at: NDArray[np.float64], known: NDArray[np.float64], slope: NDArray[np.float64], w: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            """Return the constants that would be best if errors were linear in them."""
            x = at
            for _ in range(STEPS):
                e = known + slope @ (x - at)
                robust = w / (OUTLIER**2 * np.sqrt(1.0 + (e / OUTLIER) ** 2))
                left = slope.T @ (robust[:, None] * slope) + prior
                down = -(slope.T @ (robust * e) + prior @ (x - x0))
                moved = x + step_within(left, down, bounds - x[:, None], REACH)
                if np.abs(slope @ (moved - x)).max() < STILL:
                    break
                x = moved
            return x

        for part in parts:
            out = set(part)
            rest = [i for i in range(len(fit.rows)) if i not in out]
            w = weights([fit.rows[i] for i in rest])
            slope, x, known = fit.jacobian[rest], best, fit.after[rest]
            loss = loss_of(known, w, x, x0, prior)
            for move in range(EVALUATIONS):
                goal = solved(x, known, slope, w)
                # The errors are not linear in the constants: a step that makes them worse is halved. But not the first:
                # where the fit stood it had seen the part, and staying there would be no refit.
                for share in (1.0, 0.5, 0.25):
                    trial = x + share * (goal - x)
                    new = errors(trial, rest, x, known)
                    gain = loss - loss_of(new, w, trial, x0, prior)
                    if gain > 0 or not move:
                        break
                if move and gain <= 0:
                    break
                x, known, loss = trial, new, loss - gain
                if move and gain < ENOUGH * loss:
                    break
            found = pool.errors(dict(zip(names, np.exp(x), strict=True)), list(part))
            say(f"left out {len(part)} rows: median error {np.median(np.abs(found)):.1%}")
            yield dict(zip(names, np.exp(x).tolist(), strict=True)), found
