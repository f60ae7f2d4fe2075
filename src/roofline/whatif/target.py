"""The inverse question: the value of one figure at which an output reaches a target, or what stands in the way."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.whatif.elasticity import ECHO, sensitivity
from roofline.whatif.levers import Lever, find
from roofline.whatif.question import Question

#: Farthest factor on either side of today's value, as a power of two: beyond it nothing changes any more.
_FAR = 40


def reach(question: Question, output: str | None, target: float, vary: str) -> list[Record]:
    """Return one record: the value of a figure that brings an output to a target.

    Parameters
    ----------
    question : Question
    output : str or None
        Record key or short name of what has to reach the target.
    target : float
        In the output's base unit.
    vary : str
        Path of the figure, as in ``--set``.

    Returns
    -------
    list of dict
        One record with ``reached``. Where true: ``figure_needed`` and ``factor``. Where false: ``output_best``, the
        nearest the output comes, ``figure_best`` where it does, and what binds there: ``bound``, and ``limited_by``,
        the figure that moves the output most there.
    """
    if not 0 < target < math.inf:
        raise RooflineError(f"--target {output}={target:g}: out of range; it must be above 0")
    question = question.settled()
    name, lever = question.output(output), find(question, vary)
    base = question.record()

    def answer(value: float) -> float | None:
        try:
            return question.moved(lever, value).record().get(name)
        except RooflineError:
            return None

    record: Record = {key: base[key] for key in ECHO if key in base}
    record |= {"output": name, "output_value": base[name], "target": target}
    record |= {"figure": lever.path, "part": lever.part, "unit": lever.unit, "figure_value": lever.value}
    tried = _tried(lever, base[name], answer)
    crossing = _crossing(tried, lever.value, target)
    if crossing is not None:
        value = _bisect(crossing, target, answer, lever)
        reached = answer(value)
        record |= {"reached": True, "figure_needed": value, "factor": value / lever.value, "output_reached": reached}
        return [record | {"warnings": base["warnings"]}]
    best, nearest = min(tried, key=lambda p: (abs(math.log(p[1] / target)), abs(math.log(p[0] / lever.value))))
    record |= {"reached": False, "figure_best": best, "output_best": nearest}
    there = question.moved(lever, best)
    others = [r for r in sensitivity(there, name) if r["figure"] != lever.path and r["part"] in ("chip", "engine")]
    record |= {"bound": there.record().get("bound", base.get("bound"))}
    record |= {"limited_by": others[0]["figure"], "limited_by_elasticity": others[0]["elasticity"]}
    return [{k: v for k, v in record.items() if v is not None} | {"warnings": base["warnings"]}]


Answer = Callable[[float], float | None]
Point = tuple[float, float]


def _tried(lever: Lever, base: float, answer: Answer) -> list[Point]:
    """Return (value, output) over the range of a figure, in order: powers of two of today's value, and its bounds."""
    values = {min(max(lever.value * 2.0**k, lever.low), lever.high) for k in range(-_FAR, _FAR + 1)}
    if lever.whole:
        values = {float(round(value)) for value in values if 1 <= value <= 2**31}
    points = {value: answer(value) for value in values if value > 0}
    points[lever.value] = base
    return sorted((value, y) for value, y in points.items() if y is not None and y > 0)


def _crossing(points: list[Point], now: float, target: float) -> tuple[Point, Point] | None:
    """Return the two neighbours between which the target lies, the pair nearest to today's value first."""
    pairs = [
        (one, two) for one, two in itertools.pairwise(points) if min(one[1], two[1]) <= target <= max(one[1], two[1])
    ]
    return min(pairs, key=lambda pair: min(abs(math.log(point[0] / now)) for point in pair), default=None)


def _bisect(pair: tuple[Point, Point], target: float, answer: Answer, lever: Lever) -> float:
    """Return the value between two neighbours that reaches the target; of whole numbers the first that does."""
    (low, at_low), (high, at_high) = pair
    rising = at_high >= at_low
    for _ in range(200):
        middle = math.sqrt(low * high)
        if lever.whole:
            middle = float(round((low + high) / 2))
        if middle in (low, high) or high / low < 1 + 1e-12:
            break
        y = answer(middle)
        if y is None:
            raise RooflineError(f"--vary {lever.path}: between {low:g} and {high:g} not every value can be")
        if (y < target) == rising:
            low = middle
        else:
            high = middle
    ends = [value for value in (low, high) if (answer(value) or 0.0) == target]
    return ends[0] if ends else high if lever.whole or rising else low
