"""A trace of requests as a workload profile: a CSV with the lengths of each."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from roofline import catalog
from roofline.errors import RooflineError
from roofline.specs.figure import Figure
from roofline.specs.workload import Lengths, Workload


def read_trace(path: Path) -> Workload:
    """Return the profile of a trace; see `read_requests` for the file."""
    requests = read_requests(path)
    inputs, outputs, cached = (list(column) for column in zip(*requests))
    return Workload(
        name=path.name,
        source=f"{path.name}: {len(inputs):,} requests",
        kind="measured",
        isl=_lengths(inputs),
        osl=_lengths(outputs),
        cache_hit=Figure(sum(cached) / sum(inputs)),
    )


def read_requests(path: Path) -> list[tuple[float, float, float]]:
    """Return (isl, osl, cached) of each request of a trace [tokens].

    Parameters
    ----------
    path : Path
        A CSV with columns ``isl`` and ``osl`` and, where known, ``cached`` [tokens]; other columns are passed over.

    Raises
    ------
    RooflineError
        If the file cannot be read, or a row has no whole number of tokens; the message names the line.
    """
    reader = csv.DictReader(catalog.read_text(path).splitlines())
    names = list(reader.fieldnames or [])
    missing = [name for name in ("isl", "osl") if name not in names]
    if missing:
        raise RooflineError(f"{path}: column {missing[0]} is missing; a trace has columns isl, osl and maybe cached")
    requests = []
    for row in reader:
        where = f"{path}: line {reader.line_num}"
        isl, osl = _tokens(row, "isl", where), _tokens(row, "osl", where)
        hit = _tokens(row, "cached", where) if row.get("cached") else 0.0
        if hit > isl:
            raise RooflineError(f"{where}: cached: {hit:,.0f} is more than the {isl:,.0f} input tokens of the request")
        requests.append((isl, osl, hit))
    if not requests or sum(r[0] for r in requests) == 0 or sum(r[1] for r in requests) == 0:
        raise RooflineError(f"{path}: no requests with input and output in this trace")
    return requests


def _tokens(row: dict[str, str | None], name: str, where: str) -> float:
    text = (row.get(name) or "").strip()
    try:
        value = float(text)
    except ValueError:
        raise RooflineError(f"{where}: {name}: {text!r} is not a number of tokens") from None
    if not 0 <= value < 1e12 or not math.isfinite(value):
        raise RooflineError(f"{where}: {name}: {text} is out of range; it must be zero or more tokens")
    return value


def _lengths(values: list[float]) -> Lengths:
    ordered = sorted(values)

    def quantile(share: float) -> Figure:
        return Figure(ordered[min(len(ordered) - 1, int(share * len(ordered)))])

    return Lengths(mean=Figure(sum(values) / len(values)), p50=quantile(0.5), p90=quantile(0.9))
