"""Predictions against measurements: every row predicted or skipped with its reason, errors by group."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from roofline.errors import RooflineError
from roofline.interval import OF_ONE_USER, interval
from roofline.predict import predict
from roofline.report.record import Record

if TYPE_CHECKING:
    from roofline.measurements import Measurement

#: Columns a result can be grouped by.
GROUPS = ("mode", "metric", "hardware", "engine", "model", "source", "confidence", "kind")


@dataclass(frozen=True, slots=True)
class Checked:
    """A row with what the tool says of it.

    Attributes
    ----------
    measurement : Measurement
    predicted, low, high : float or None
        In the row's own metric; None where the row is skipped.
    confidence : str
        ``calibrated``, ``transferred`` or ``spec-sheet``; empty for a skipped row.
    skipped : str
        Why there is no prediction; empty where there is one.
    """

    measurement: Measurement
    predicted: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: str = ""
    skipped: str = ""

    @property
    def error(self) -> float:
        """|predicted / value - 1| in the row's own metric."""
        assert self.predicted is not None
        return abs(self.predicted / self.measurement.value - 1.0)

    @property
    def ratio(self) -> float:
        """Predicted over measured, in the row's own metric."""
        assert self.predicted is not None
        return self.predicted / self.measurement.value

    @property
    def covered(self) -> bool:
        """Whether the measured value lies in the interval."""
        return self.low is not None and self.high is not None and self.low <= self.measurement.value <= self.high


def kind_of(m: Any) -> str:
    """Return the class of rows that errors and targets are told by."""
    if m.mode == "concurrency":
        names = {"tpot_ms": "TPOT under concurrency", "ttft_ms": "TTFT under concurrency"}
        return str(names.get(m.metric, "throughput under concurrency"))
    if m.mode in ("step_decode", "step_prefill"):
        part = "" if m.metric.startswith("latency") else ", its parts"
        return f"kernel-level {m.mode[5:]} step{part}"
    if m.mode in ("decode_only", "prefill_only") and m.engine in OF_ONE_USER:
        return f"llama.cpp and gpt-fast {m.mode[:-5]}"
    if m.mode == "static_batch":
        return "static batch before 2024" if m.date[:4] < "2024" else "static batch, 2024 and later"
    names = {
        "offline_throughput": "saturated output throughput",
        "server": "highest open-loop throughput",
        "prefill_only": "first token at low load",
        "decode_only": "decode at a fixed batch",
        "min_latency": "lowest latency",
        "disagg": f"{m.metric.split('_')[0].upper()}, separate pools",
    }
    return str(names.get(m.mode, m.mode))


#: Question of an interval for each kind of row.
QUESTIONS = {
    "TPOT under concurrency": "tpot",
    "TTFT under concurrency": "ttft",
    "throughput under concurrency": "throughput",
    "kernel-level decode step": "kernel",
    "kernel-level prefill step": "kernel",
    "kernel-level decode step, its parts": "kernel",
    "kernel-level prefill step, its parts": "kernel",
    "llama.cpp and gpt-fast decode": "decode",
    "llama.cpp and gpt-fast prefill": "prefill",
    "static batch before 2024": "static_early",
    "static batch, 2024 and later": "static",
    "saturated output throughput": "saturated",
    "highest open-loop throughput": "throughput",
    "first token at low load": "prefill",
    "decode at a fixed batch": "decode",
    "lowest latency": "decode",
    "TPOT, separate pools": "pool_tpot",
    "TTFT, separate pools": "pool_ttft",
}
#: The same for a wafer or LPU, by mode.
SPATIAL_QUESTIONS = {"prefill_only": "prefill", "static_batch": "static", "pipeline_full": "static"}


def shipped() -> list[Measurement]:
    """Return the measurements that come with the package."""
    from roofline import catalog
    from roofline.measurements import read_csv

    folder = catalog.shipped_folder() / "measurements"
    return [m for path in sorted(folder.glob("*.csv")) for m in read_csv(path)]


def check(m: Measurement) -> Checked:
    """Predict one row, or say why not."""
    try:
        p = predict(m)
    except RooflineError as error:
        return Checked(m, skipped=str(error))
    if not (math.isfinite(p.value) and p.value > 0):
        return Checked(m, skipped="the prediction is not a finite positive number")
    questions, key = (SPATIAL_QUESTIONS, m.mode) if p.system.spatial else (QUESTIONS, kind_of(m))
    found = p.served or interval(p.system, questions.get(key, "decode"), p.busy)
    if found is None:
        return Checked(m, p.value)
    low, high, confidence = found.low, found.high, found.confidence
    # Factors are on time; a rate is the other way round.
    bounds = (p.value / high, p.value / low) if p.rising else (p.value * low, p.value * high)
    return Checked(m, p.value, *bounds, confidence=confidence)


def check_all(rows: Iterable[Measurement]) -> list[Checked]:
    """Predict every row. Rows of one deployment are lowered once, whatever their order."""
    return [check(m) for m in rows]


def summary(checked: Sequence[Checked], by: Sequence[str]) -> list[Record]:
    """Return one record per group of rows: how many, how wrong, how biased, and how often the interval holds."""
    groups: dict[tuple[str, ...], list[Checked]] = defaultdict(list)
    for one in checked:
        if not one.skipped:
            groups[tuple(_group_value(one, name) for name in by)].append(one)
    return [dict(zip(by, key, strict=True)) | _statistics(members) for key, members in sorted(groups.items())]


def _group_value(one: Checked, name: str) -> str:
    if name == "confidence":
        return one.confidence
    if name == "kind":
        return kind_of(one.measurement)
    return str(getattr(one.measurement, name))


def _statistics(members: list[Checked]) -> Record:
    errors = [one.error for one in members]
    record: Record = {
        "n": len(members),
        "median_absolute_error": median(errors),
        "mean_absolute_error": fmean(errors),
        "bias": median(one.ratio for one in members),
        "within_20_percent": fmean(e <= 0.2 for e in errors),
    }
    with_interval = [one for one in members if one.low is not None and one.high is not None]
    if with_interval:
        record["interval_coverage"] = fmean(one.covered for one in with_interval)
        widths = [math.sqrt(one.high / one.low) for one in with_interval if one.high and one.low]
        record["interval_factor"] = median(widths)
    return record


def skipped(checked: Sequence[Checked]) -> list[tuple[str, int, int]]:
    """Return (reason, rows, first row's line) of what was skipped, most frequent first."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in checked:
        if one.skipped:
            found[one.skipped].append(one.measurement.row)
    return sorted(((reason, len(lines), lines[0]) for reason, lines in found.items()), key=lambda item: -item[1])


def with_results(one: Checked) -> Record:
    """Return a row as it came in, and what the tool says of it."""
    record: Record = dict(one.measurement.raw)
    record |= {"predicted": one.predicted, "low": one.low, "high": one.high}
    record["error"] = one.error if one.predicted is not None else None
    return record | {"confidence": one.confidence, "skipped_because": one.skipped}
