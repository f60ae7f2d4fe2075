"""Fit constants of chips, classes and engines to measured rows: robust, bounded, and drawn to where they start.

Every constant keeps its meaning: a fraction stays between 0 and 1, a latency above 0. The residual of a row is the log
of predicted over measured, under a loss that outliers cannot dominate; rows that repeat a configuration share its
weight. A prior pulls each constant towards its start, so that rows that say nothing about it do not move it, and half
as much towards where its like have gone: the same constant of other chips or other engines.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roofline.constants import Parameter, apply
from roofline.descent import OUTLIER, learned, loss_of, precision, step_within
from roofline.errors import RooflineError
from roofline.predict import predict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roofline.system import System

#: Steps that one Jacobian serves: it costs as much as some fifty evaluations of all rows.
STEPS = 4
#: Damping to begin with, as a part of the curvature.
FRESH = 1e-2
#: Longest step of a constant, in log units.
REACH = 0.7
#: Gains of the loss, as parts of it, too small to go on with an old Jacobian, and at all.
LITTLE, ENOUGH = 2e-3, 2e-4


@dataclass(frozen=True)
class Fit:
    """What a fit found.

    Attributes
    ----------
    values, start : dict
        Constants after the fit and before.
    before, after : ndarray
        Log errors of the rows, time predicted over time measured.
    rows : list
        The rows, in the order of the errors.
    jacobian : ndarray, shape (n_rows, n_constants)
        d error / d ln constant near the end of the fit.
    """

    values: dict[Parameter, float]
    start: dict[Parameter, float]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    rows: list[Any]
    jacobian: NDArray[np.float64]


def log_error(m: Any, adjust: Callable[[System], System] | None = None) -> float:
    """Return ln(predicted time / measured time) of a row; a rate counts as the time it stands for."""
    p = predict(m, adjust)
    error = math.log(p.value / m.value)
    return -error if p.rising else error


def usable(rows: Sequence[Any]) -> tuple[list[Any], list[System]]:
    """Return the rows that can be predicted, and their systems."""
    kept, systems = [], []
    for m in rows:
        try:
            p = predict(m)
        except RooflineError:
            continue
        kept.append(m)
        systems.append(p.system)
    return kept, systems


def weights(rows: Sequence[Any]) -> NDArray[np.float64]:
    """Return the weight of each row against the priors: a source's many rows on one chip and engine err together.

    They count as their square root. Where each row counted as one, constants followed what was peculiar to a source,
    and left-out models were predicted worse. What rows of one source alone have in common is what they are asked for.
    """
    import numpy as np

    groups: dict[tuple[str, ...], int] = defaultdict(int)
    keys = [(m.mode, m.metric, m.hardware, m.engine, m.source) for m in rows]
    for key in keys:
        groups[key] += 1
    found = np.array([_trust(m) / math.sqrt(groups[key]) for m, key in zip(rows, keys, strict=True)])
    scale = found.mean() if len({m.source for m in rows}) == 1 else 1.0
    counted: NDArray[np.float64] = found / scale
    return counted


def _trust(m: Any) -> float:
    """Return how much a row says about constants of chip and engine: a queue's waiting time says little."""
    if m.metric == "ttft_ms" and m.mode in ("concurrency", "disagg", "server"):
        return 0.1
    # Repeats of one early benchmark on many chips differ by up to five times; they still say what an epoch was like.
    if m.mode == "static_batch":
        return 0.5
    # The parts of a step repeat what its sum says.
    if m.mode.startswith("step_") and not m.metric.startswith("latency"):
        return 0.3
    return 2.0 if m.mode in ("concurrency", "offline_throughput") else 1.0


def fit(
    rows: Sequence[Any],
    parameters: Sequence[Parameter],
    *,
    rounds: int = 12,
    processes: int | None = None,
    begin: dict[Parameter, float] | None = None,
    known: Fit | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Fit:
    """Fit constants to rows.

    Parameters
    ----------
    rows : sequence of Measurement
    parameters : sequence of Parameter
    rounds : int
        Most Gauss-Newton steps.
    processes : int, optional
        Processes that share the evaluation; by default one per core.
    begin : dict, optional
        Constants to begin at instead of the start: those of an earlier fit. The prior stays where it is.
    known : Fit, optional
        A fit of more rows, these among them: it begins there, with its Jacobian.
    say : callable
        Told of progress.

    Raises
    ------
    RooflineError
        If no row can be predicted, or none of the constants matters to any row.
    """
    import numpy as np

    kept, systems = usable(rows)
    if not kept:
        raise RooflineError("no row of the file can be predicted, so there is nothing to fit")
    start: dict[Parameter, float] = {}
    touched: dict[Parameter, list[int]] = {}
    for parameter in parameters:
        hit = [i for i, system in enumerate(systems) if parameter.touches(system)]
        value = next((v for i in hit if (v := parameter.value(systems[i])) is not None), None)
        if hit and value is not None:
            low, high = parameter.bounds
            start[parameter], touched[parameter] = min(max(value, low), high), hit
    if not start:
        raise RooflineError("none of the constants asked for matters to any row of the file")
    names = list(start)
    bounds = np.log(np.array([p.bounds for p in names]))
    x0 = np.log(np.array([start[p] for p in names]))
    prior = precision(names)
    w = weights(kept)
    with Pool(kept, processes or os.cpu_count() or 1) as pool:
        before = pool.errors({}, range(len(kept)))
        x = np.log(np.array([max((begin or start).get(p, start[p]), 1e-12) for p in names]))
        x = np.clip(x, bounds[:, 0], bounds[:, 1])
        current = pool.errors(dict(zip(names, np.exp(x), strict=True)), range(len(kept)))
        damping = FRESH
        loss = loss_of(current, w, x, x0, prior)
        jacobian = np.zeros((len(kept), len(names)))
        age = STEPS
        if known is not None:
            jacobian, age = _rows_of(known, kept, names), 0
            # Most rows that a constant may touch do not move with it.
            touched = {p: jacobian[:, j].nonzero()[0].tolist() for j, p in enumerate(names)}
        for turn in range(rounds):
            if age == STEPS:
                jacobian, age = pool.jacobian(names, x, current, touched, bounds), 0
                damping = min(damping, FRESH)
            robust = w / (OUTLIER**2 * np.sqrt(1.0 + (current / OUTLIER) ** 2))
            left = jacobian.T @ (robust[:, None] * jacobian)
            right = jacobian.T @ (robust * current) + prior @ (x - x0)
            left += prior
            gain = 0.0
            # An old Jacobian that leads nowhere is better made anew than followed in ever shorter steps.
            for _ in range(3 if age else 7):
                trial = x + step_within(left + damping * np.diag(np.diag(left)), -right, bounds - x[:, None], REACH)
                errors = pool.errors(dict(zip(names, np.exp(trial), strict=True)), range(len(kept)))
                new = loss_of(errors, w, trial, x0, prior)
                if new < loss:
                    gain = (loss - new) / loss
                    jacobian = learned(jacobian, trial - x, errors - current)
                    x, current, loss = trial, errors, new
                    damping = max(damping / 8, 1e-4)
                    break
                damping = max(damping, 1e-3) * 8
            say(f"round {turn + 1}: loss {loss:.2f}, median error {np.median(np.abs(current)):.1%}")
            if gain < ENOUGH and not age:
                break
            age = age + 1 if gain >= LITTLE else STEPS
    return Fit(dict(zip(names, np.exp(x).tolist(), strict=True)), start, before, current, kept, jacobian)


def _rows_of(known: Fit, rows: Sequence[Any], names: Sequence[Parameter]) -> NDArray[np.float64]:
    """Return the part of a fit's Jacobian that some of its rows and constants have."""
    import numpy as np

    place = {m.id: i for i, m in enumerate(known.rows)}
    columns = {p: j for j, p in enumerate(known.values)}
    found: NDArray[np.float64] = known.jacobian[np.ix_([place[m.id] for m in rows], [columns[p] for p in names])]
    return found


_ROWS: list[Any] = []


def _evaluate(job: tuple[dict[Parameter, float], list[int]]) -> list[float]:
    values, indices = job
    cache: dict[int, System] = {}

    def adjust(system: System) -> System:
        found = cache.get(id(system))
        if found is None:
            found = cache[id(system)] = apply(system, values)
        return found

    return [log_error(_ROWS[i], adjust if values else None) for i in indices]


class Pool:
    """Processes that hold the rows and evaluate them under other constants."""

    def __init__(self, rows: list[Any], processes: int) -> None:
        import multiprocessing

        _ROWS[:] = rows
        self.processes = max(1, processes)
        self._pool = multiprocessing.get_context("fork").Pool(self.processes) if self.processes > 1 else None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    def _map(self, jobs: list[tuple[dict[Parameter, float], list[int]]]) -> list[list[float]]:
        return self._pool.map(_evaluate, jobs, chunksize=1) if self._pool else [_evaluate(job) for job in jobs]

    def errors(self, values: dict[Parameter, float], indices: Sequence[int]) -> NDArray[np.float64]:
        """Return the rows' log errors under constants."""
        import numpy as np

        # Neighbouring rows share systems, so blocks of neighbours lower each only once.
        blocks = [part.tolist() for part in np.array_split(np.array(indices), self.processes * 4) if len(part)]
        return np.array([e for part in self._map([(values, block) for block in blocks]) for e in part])

    def jacobian(
        self,
        names: list[Parameter],
        x: NDArray[Any],
        current: NDArray[Any],
        touched: dict[Parameter, list[int]],
        bounds: NDArray[Any],
    ) -> NDArray[np.float64]:
        """Return d error / d ln constant by one-sided differences, evaluating only the rows a constant touches."""
        import numpy as np

        base = dict(zip(names, np.exp(x), strict=True))
        jobs, steps = [], []
        for j, name in enumerate(names):
            h = 0.03 if x[j] + 0.03 <= bounds[j, 1] else -0.03
            steps.append(h)
            jobs.append((base | {name: math.exp(x[j] + h)}, touched[name]))
        found = np.zeros((len(current), len(names)))
        for j, errors in enumerate(self._map(jobs)):
            found[touched[names[j]], j] = (np.array(errors) - current[touched[names[j]]]) / steps[j]
        return found
