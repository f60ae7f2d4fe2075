"""How wide intervals must be: a scale for each prediction, and the range of scales that errors keep to.

The scale is a product of factors: the question, the chip, the engine, the kind of FFN, the width of weights by
question, the first four together, and one to the power of the share of a service's time that goes to prefills. It is
fitted to absolute log errors as the mean of a gamma distribution with a log link [1]_, its factors drawn towards 1 by a
penalty, so that few rows move a factor little. The range of errors over scales is that of split conformal prediction,
normalised [2]_; a row's scale comes from a fit without its own group, because what the interval is for is new as well.

References
----------
.. [1] P. McCullagh, J. A. Nelder, "Generalized linear models", 2nd ed., Chapman and Hall, 1989, chapter 8.
.. [2] J. Lei et al., "Distribution-free predictive inference for regression", JASA 113(523), 2018, section 5.2.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roofline.interval import factors_of, per_busy, question_of
from roofline.validate import QUESTIONS

#: Share of errors that a range holds; a little more where rows err together: those of a new chip or model, and few.
LEVEL, LEVEL_NEW = 0.9, 0.93
#: How many rows pull a factor as hard as the penalty holds it at 1.
PENALTY, FREE = 10.0, 0.1
#: Parts of the groups that are left out in turn.
PARTS = 8
#: Log errors below which a scale may not fall, and beyond which a row tells no more of it.
LEAST, MOST = 0.01, 2.0
#: A question needs so many rows for a range of its own, not that of all; and so many not to be few.
ENOUGH, MANY = 30, 100


@dataclass(frozen=True)
class Row:
    """A row left out of a fit: its class, where it ran, and ln(measured / predicted) of its time."""

    kind: str
    chip: str
    engine: str
    ffn: str
    model: str  # its shape
    source: str
    group: str  # its configuration
    error: float
    width: str  # of its weights
    busy: float = 0.0  # share of the service's time that goes to prefills

    @property
    def question(self) -> str:
        return question_of(QUESTIONS.get(self.kind, "decode"), self.engine)

    @property
    def factors(self) -> list[str]:
        return factors_of(self.question, self.chip, self.engine, self.ffn, self.width)


@dataclass(frozen=True)
class Scales:
    """Factors of a scale, by name (a question's is its mean size), and the range of errors over scales, by question."""

    factors: dict[str, float]
    ranges: dict[str, tuple[float, float]]

    def bounds(self, row: Row) -> tuple[float, float]:
        """Return the factors on a row's predicted time between which the measured one lies."""
        scale = math.prod(self.factors.get(name, 1.0) for name in row.factors)
        scale *= self.factors.get(per_busy(row.question), 1.0) ** row.busy
        low, high = self.ranges[row.question]
        return math.exp(low * scale), math.exp(high * scale)


def shortest(errors: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return the shortest range that holds `level` of the errors, n + 1 in mind, and 0."""
    ordered = sorted(errors)
    n = len(ordered)
    size = min(n, math.ceil(level * (n + 1)))
    low, high = min(
        ((ordered[i], ordered[i + size - 1]) for i in range(n - size + 1)), key=lambda ends: ends[1] - ends[0]
    )
    return min(low, 0.0), max(high, 0.0)


def fitted(rows: Sequence[Row], by: str = "group", only: int | None = None) -> Scales:
    """Return the scales of rows that no fit had seen, and the ranges that their errors keep to.

    Parameters
    ----------
    rows : sequence of Row
    by : str
        Attribute of a row that names what is new together with it.
    only : int, optional
        How many of the factors to use, in their order.
    """
    factors = [row.factors[:only] for row in rows]
    questions = {found[0] for found in factors}
    powers = {per_busy(row.question) for row in rows if row.busy and only != 1}
    names = dict.fromkeys(name for found in factors for name in found) | dict.fromkeys(sorted(powers))
    names = {name: i for i, name in enumerate(names)}
    holds = np.array([FREE if name in questions or name in powers else PENALTY for name in names])
    has = np.zeros((len(rows), len(names)))
    for i, found in enumerate(factors):
        has[i, [names[name] for name in found]] = 1.0
        if per_busy(found[0]) in powers:
            has[i, names[per_busy(found[0])]] = rows[i].busy
    size = np.clip([abs(row.error) for row in rows], LEAST, MOST)

    groups = sorted({getattr(row, by) for row in rows})
    random.Random(5).shuffle(groups)
    part = {group: i % PARTS for i, group in enumerate(groups)}
    parts = np.array([part[getattr(row, by)] for row in rows])
    scale = np.zeros(len(rows))
    for one in sorted(set(part.values())):
        rest = parts != one if len(part) > 1 else parts == one
        mean, slopes = _solved(has[rest], size[rest], holds)
        scale[parts == one] = np.exp(mean + has[parts == one] @ slopes)

    every = [row.error / one for row, one in zip(rows, scale.tolist(), strict=True)]
    errors = defaultdict(list)
    for row, error in zip(rows, every, strict=True):
        errors[row.question].append(error)

    def range_of(found: list[float]) -> tuple[float, float]:
        level = LEVEL if by == "group" and not ENOUGH <= len(found) < MANY else LEVEL_NEW
        return shortest(found if len(found) >= ENOUGH else every, level)

    ranges = {question: range_of(found) for question, found in errors.items()}
    mean, slopes = _solved(has, size, holds)
    scales = {name: math.exp(slopes[i] + (mean if name in questions else 0.0)) for name, i in names.items()}
    return Scales(scales, ranges)


def _solved(has: np.ndarray, size: np.ndarray, holds: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the logarithms of the mean size and of each factor, by Fisher scoring (its weights are 1 here)."""
    mean, factors = math.log(size.mean()), np.zeros(has.shape[1])
    left = has.T @ has + np.diag(holds)
    for _ in range(30):
        off = np.clip(size / np.exp(mean + has @ factors) - 1.0, -1.0, 2.0)
        step = np.linalg.solve(left, has.T @ off - holds * factors)
        factors = factors + step
        if np.abs(step).max() < 1e-4:
            break
    return mean, factors
