"""Elasticities: by how many per cent an output moves when one figure moves by one per cent.

Times follow from rates [1/s] and times [s] alone, so scaling every rate by f and every time by 1/f scales every speed
by f. By Euler's theorem on homogeneous functions the elasticities of a speed to all rates, less those to all times,
add up to 1 whatever the chip: a sum rule that the tests hold every kind of system to.
"""

from __future__ import annotations

import math

from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.whatif.levers import Lever, levers
from roofline.whatif.question import Question

#: Relative step of the derivative: far above rounding, far below any knee of the roofline.
LOCAL = 1e-4
#: A model's dimension that cannot be moved by the step (heads that TP does not divide) may move up to so far.
_FARTHEST = 2.0
#: Keys of the answer that every record repeats.
ECHO: tuple[str, ...] = (
    "hardware",
    "model",
    "engine",
    "execution",
    "estimate",
    "chips",
    "tp",
    "pp",
    "dp",
    "ep",
    "weights_dtype",
)
ECHO += ("experts_dtype", "kv_dtype", "batch", "context_tokens", "isl", "osl", "past_tokens", "load", "concurrency")


def sensitivity(question: Question, output: str | None = None, step: float = 0.1) -> list[Record]:
    """Return one record per figure, the one that moves the output most first.

    Parameters
    ----------
    question : Question
    output : str, optional
        Record key: ``tokens_per_second_per_user``, ``tpot_seconds``, ``usd_per_million_output_tokens`` ...
    step : float
        Relative step of the two what-ifs beside the derivative: 0.1 moves each figure by 10 % down and up.

    Returns
    -------
    list of dict
        ``figure``, ``part``, ``unit``, ``figure_value``, ``elasticity`` (d ln output / d ln figure), ``change_down``
        and ``change_up`` (relative change of the output), ``figure_down``, ``figure_up``, ``output_down`` and
        ``output_up``: the bars of a tornado chart. A side that cannot be has no keys: a share is at its bound, or
        the model no longer fits (then ``fits_down`` or ``fits_up`` is false).
    """
    if not 0 < step < 1:
        raise RooflineError(f"--step: {step:g} is out of range; it must be above 0 and below 1")
    question = question.settled()
    name = question.output(output)
    base = question.record()
    echo = {key: base[key] for key in ECHO if key in base} | {"output": name, "output_value": base[name]}
    if "bound" in base:
        echo["bound"] = base["bound"]
    records = []
    for lever in levers(question):
        found = _moved(question, lever, name, base[name], step)
        if found is not None:
            records.append(echo | {"step": step} | found | {"warnings": base["warnings"]})
    records.sort(key=lambda r: (-r["swing"], -abs(r["elasticity"]), r["figure"]))
    return [record | {"rank": rank} for rank, record in enumerate(records, 1)]


def _moved(question: Question, lever: Lever, name: str, base: float, step: float) -> Record | None:
    """Return what moving one figure does, or None where it cannot move at all."""
    record: Record = {"figure": lever.path, "part": lever.part, "unit": lever.unit, "figure_value": lever.value}
    ends = []
    for side, factor in (("down", 1.0 - step), ("up", 1.0 + step)):
        found = _probe(question, lever, factor)
        if found is None:
            continue
        value, answer = found
        if name not in answer:
            record[f"fits_{side}"] = False
            continue
        record |= {f"figure_{side}": value, f"output_{side}": answer[name]}
        record[f"change_{side}"] = answer[name] / base - 1.0
        ends.append((value, answer[name]))
    if not ends and "fits_down" not in record and "fits_up" not in record:
        return None
    if not lever.whole and question.phase != "serve":
        local = [_probe(question, lever, 1.0 + move) for move in (-LOCAL, LOCAL)]
        near = [(value, answer[name]) for value, answer in filter(None, local) if name in answer]
        ends = near or ends
    record["elasticity"] = slope([(lever.value, base), *ends])
    record["swing"] = max((abs(record.get(f"change_{side}", 0.0)) for side in ("down", "up")), default=0.0)
    return record


def slope(points: list[tuple[float, float]]) -> float:
    """Return d ln y / d ln x between the first and last of some points, ordered by x."""
    (x, y), (far, z) = min(points), max(points)
    if far == x or min(y, z) <= 0:
        return 0.0
    return math.log(z / y) / math.log(far / x)


def _probe(question: Question, lever: Lever, factor: float) -> tuple[float, Record] | None:
    """Return the figure's value nearest to so many times its own that can be, and the answer there."""
    for value in _candidates(lever, factor):
        try:
            return value, question.moved(lever, value).record()
        except RooflineError:
            continue
    return None


def _candidates(lever: Lever, factor: float) -> list[float]:
    wanted = min(max(lever.value * factor, lever.low), lever.high)
    if not lever.whole:
        return [wanted] if wanted != lever.value and wanted > 0 else []
    if factor > 1:
        return [float(n) for n in range(math.ceil(wanted), math.floor(lever.value * _FARTHEST) + 1)][:512]
    return [float(n) for n in range(min(math.floor(wanted), int(lever.value) - 1), int(lever.value / _FARTHEST), -1)]
