"""Results in notebooks: the tables that the commands print, as HTML, and the charts of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from roofline import ceilings, evaluate
from roofline.errors import RooflineError
from roofline.report import charts, pages
from roofline.report import html as pages_html
from roofline.report.charts import sources
from roofline.report.charts.picture import Picture
from roofline.report.record import Record
from roofline.resolve import Request

#: Rows of a table; a longer result says how many more there are.
MOST_ROWS = 40
#: What each result can be drawn as; the first is the default for several points.
KINDS = {
    "decode": ("frontier", "dollars", "step", "roofline", "fit"),
    "prefill": ("step", "roofline"),
    "fit": ("fit",),
    "compare": ("frontier", "dollars", "step", "roofline", "fit"),
}


def html(kind: str, read: Callable[[], list[Record]]) -> str:
    """Return a result's table as HTML.

    Parameters
    ----------
    kind : str
        Which table: decode, prefill, fit or compare.
    read : callable
        Returns the records.
    """
    records = read()
    more = len(records) - MOST_ROWS
    parts = []
    for block in pages.blocks(kind, records[:MOST_ROWS] if more > 0 else records):
        title = f"<p><b>{escape(block.title)}</b></p>" if block.title else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in block.notes)
        parts.append(title + (pages_html.table(block.header, block.rows) if block.rows else "") + notes)
    if more > 0:
        parts.append(f"<p>{more:,} further points</p>")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a result is of.

    Attributes
    ----------
    phase : str
        decode, prefill, fit or compare.
    requests : sequence of Request
    batches, lengths : sequence of int
        Sequences; contexts, or prompt lengths in prefill [tokens].
    past : int
        Cached tokens before a prompt.
    money : dict
        usd_per_hour, basis and utilisation, as far as given.
    """

    phase: str
    requests: Sequence[Request]
    batches: Sequence[int]
    lengths: Sequence[int]
    past: int = 0
    money: dict[str, Any] = field(default_factory=dict)


def plot(asked: Asked, kind: str | None, **options: Any) -> Picture:
    """Return a chart of a result; options are those of `roofline.report.charts.spec`.

    Raises
    ------
    RooflineError
        If the result has no chart of that kind.
    """
    known = KINDS[asked.phase]
    one_point = len(asked.requests) * len(asked.batches) * len(asked.lengths) == 1
    if kind is None:
        kind = "step" if one_point and "step" in known and asked.phase != "compare" else known[0]
    if kind not in known:
        raise RooflineError(f"a {asked.phase} result has no {kind!r} chart; use one of {', '.join(known)}")
    said = sources.of(asked.requests)
    return Picture(charts.spec(kind, _records(asked, kind), sources=said, **options))


def _records(asked: Asked, kind: str) -> list[Record]:
    if kind == "fit":
        return evaluate.fit(asked.requests, asked.batches, asked.lengths, fixed=True)
    if kind in ("frontier", "dollars"):
        if asked.phase == "compare":
            from roofline.report import comparison

            point = comparison.Point(asked.batches[0], asked.lengths[0], asked.lengths[0], **asked.money)
            return comparison.over_batches(asked.requests, point)
        return evaluate.decode(asked.requests, asked.batches, asked.lengths, **asked.money)
    if len(asked.batches) * len(asked.lengths) != 1:
        raise RooflineError(f"a {kind} chart shows one batch and one length; this result has several")
    read = evaluate.explain if kind == "step" else ceilings.records
    phase = "prefill" if asked.phase == "prefill" else "decode"
    return [
        r
        for one in evaluate.opened(asked.requests)
        for r in read(one, phase, asked.batches[0], asked.lengths[0], asked.past)
    ]
