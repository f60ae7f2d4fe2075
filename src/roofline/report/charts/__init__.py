"""Charts: every kind declared once in Vega-Lite, for the command, notebooks, the report and the web page."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from roofline.errors import RooflineError
from roofline.report.record import Record

#: Kind of chart: module of this room, function there, and what it shows.
KINDS = {
    "roofline": ("roofline", "roofline", "A chip's memory tiers and peaks, with a model's operations placed on them."),
    "frontier": ("frontier", "frontier", "Throughput per user against throughput per chip."),
    "dollars": ("frontier", "dollars", "Dollars per million output tokens against throughput per user."),
    "fit": ("fit", "fit", "KV cache over batch and context: what fits, and what stays on chip."),
    "step": ("step", "step", "Time of a step split by operation."),
    "validate": ("validation", "validation", "Predicted against measured, with the interval."),
    "tornado": ("tornado", "tornado", "How far each input moves the answer."),
}


def spec(
    kind: str,
    records: Sequence[Record],
    *,
    notes: Sequence[str] = (),
    sources: Sequence[str] = (),
    width: int = 560,
    height: int = 360,
    caption: bool = True,
) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart, data inside, ready for JSON.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    records : sequence of dict
        Flat records as the commands print them: ``decode``, ``serve``, ``sweep`` or ``plan`` for ``frontier`` and
        ``dollars``; ``fit`` for ``fit``; ``explain`` for ``step``; those of `roofline.ceilings.records` for
        ``roofline``; the rows of ``validate --rows`` for ``validate``; ``sensitivity`` or ``cost --samples`` for
        ``tornado``.
    notes, sources : sequence of str
        Further assumptions, and what the caption names as sources.
    width, height : int
        Of one panel, without axes and legend [px].
    caption : bool
        Draw assumptions and sources below the chart. They are in ``usermeta.caption`` in either case.

    Returns
    -------
    dict
        The data lie in ``datasets`` under fixed names, so that a page can replace them and keep the rest.

    Raises
    ------
    RooflineError
        If the kind is unknown, the records hold nothing to draw, or the extra ``plot`` is missing.
    """
    if kind not in KINDS:
        raise RooflineError(f"chart {kind!r} is not known; use one of {', '.join(KINDS)}")
    try:
        from altair.utils.schemapi import debug_mode
    except ImportError:
        raise RooflineError("charts need Altair and vl-convert: pip install 'roofline[plot]'") from None
    module, name, _ = KINDS[kind]
    draw = getattr(importlib.import_module(f"roofline.report.charts.{module}"), name)
    from roofline.report.charts import frame

    # Tests hold every kind against the Vega-Lite schema; checking each part again at run time takes most of the time.
    with debug_mode(False):
        return frame.finish(draw(list(records), width, height), notes, sources, width, caption)
