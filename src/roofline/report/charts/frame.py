"""What all charts share: colours that the colour-blind tell apart, shapes and dashes for print, title, caption."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from roofline.errors import RooflineError
from roofline.report.record import Record

#: Okabe and Ito's colours [1]_, without the yellow that vanishes on white.
#:
#: .. [1] M. Okabe, K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 2, 1, 2, 1, 2], [1, 3])
#: Narrower panels than this stand one above the other [px].
_NARROW = 350
INK, FAINT = "#222222", "#767676"
_CONFIG: dict[str, Any] = {
    "font": "sans-serif",
    "background": "white",
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelSeparation": 5,
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": "#E6E6E6",
    },
    "title": {"fontSize": 15, "color": INK, "subtitleFontSize": 11, "subtitleColor": "#555555", "subtitlePadding": 5},
    "legend": {
        "orient": "bottom",
        "direction": "horizontal",
        "offset": 12,
        "labelLimit": 300,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "symbolStrokeWidth": 2,
        "symbolSize": 70,
        "symbolOpacity": 1,
    },
    "view": {"stroke": None},
}
_CAPTION = {
    "orient": "bottom",
    "anchor": "start",
    "offset": 14,
    "fontSize": 10,
    "fontWeight": "normal",
    "lineHeight": 13,
    "color": FAINT,
}
#: Names that tell one series from another, in the order in which they are tried.
IDENTITY = (
    *("hardware", "model", "engine", "estimate", "scenario", "chips", "tp", "pp", "dp", "ep"),
    *("weights_dtype", "experts_dtype", "kv_dtype", "isl", "osl", "context_tokens", "price_basis"),
)


@dataclass(slots=True)
class Drawing:
    """A chart before its caption.

    Attributes
    ----------
    chart : dict
        The specification; it reads named data only.
    datasets : dict of str to list of dict
        The named data.
    title, subtitle : str
        What is shown, and of what.
    notes : list of str
        Assumptions and how to read it, for the caption.
    panels : int
        Charts side by side.
    """

    chart: Record
    datasets: dict[str, list[Record]]
    title: str
    subtitle: str
    notes: list[str] = field(default_factory=list)
    panels: int = 1


def finish(drawing: Drawing, notes: Sequence[str], sources: Sequence[str], width: int, caption: bool) -> dict[str, Any]:
    """Return the specification of a drawing: title above, caption below, data by name."""
    lines = [*drawing.notes, *notes, *([f"Sources: {'; '.join(sources)}."] if sources else [])]
    wide = max(60, int(drawing.panels * width / 5.2))
    # A letter of the title is about 8.3 pixels wide; axis and labels stand beside the panel.
    lines_of_title = textwrap.wrap(drawing.title, int((drawing.panels * width + 60) / 8.3))
    words = lines_of_title if len(lines_of_title) > 1 else drawing.title
    title = {"text": words, "subtitle": textwrap.wrap(drawing.subtitle, wide), "anchor": "start"}
    spec = {"title": title | {"frame": "group", "offset": 12}, **drawing.chart}
    if caption and lines:
        wrapped = [part for line in lines for part in textwrap.wrap(line, int(wide * 1.1))]
        spec = {"title": _CAPTION | {"text": wrapped}, "concat": [spec]}
    told = {"title": drawing.title, "subtitle": drawing.subtitle, "caption": lines}
    # As many columns of the legend as the chart is wide.
    legend = _CONFIG["legend"] | {"columns": max(2, drawing.panels * width // 140)}
    config = _CONFIG | {"legend": legend}
    return {"$schema": alt.SCHEMA_URL, "usermeta": told, "config": config, **spec, "datasets": drawing.datasets}


def only(field_name: str, equal: Any) -> Any:
    """Return the filter that keeps rows with a value; the value is data, never an expression."""
    return alt.FieldEqualPredicate(field=field_name, equal=equal)


def decades(low: float, high: float) -> list[float]:
    """Return the powers of ten between two numbers."""
    return [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def layered(*layers: Any) -> Record:
    """Return charts drawn over one another, as a specification; the first says how large."""
    drawn = [layer.to_dict(validate=False, context={"top_level": False}) for layer in layers]
    # Altair's own composition copies every part again and again.
    size = {key: drawn[0][key] for key in ("width", "height") if key in drawn[0]}
    return size | {"layer": [{k: v for k, v in layer.items() if k not in ("width", "height")} for layer in drawn]}


def heading(panel: Record, text: str) -> Record:
    """Return a panel with its name above it."""
    return {"title": {"text": text, "fontSize": 12, "offset": 6}} | panel


def columns(panels: Sequence[Any], width: int) -> int:
    """Return how many panels stand side by side: two, or one where they are for a narrow screen."""
    return 1 if width < _NARROW else min(len(panels), 2)


def side_by_side(panels: Sequence[Record], columns: int) -> Record:
    """Return one specification of several panels."""
    return panels[0] if len(panels) == 1 else {"concat": list(panels), "columns": columns, "spacing": 30}


def data(name: str) -> alt.NamedData:
    """Return a reference to data by name."""
    return alt.NamedData(name=name)


def varying(records: Sequence[Record], keys: Sequence[str] = IDENTITY) -> list[str]:
    """Return the keys of which records have more than one value."""
    return [key for key in keys if len({repr(r.get(key)) for r in records}) > 1]


def telling(records: Sequence[Record], but: Sequence[str] = ()) -> list[str]:
    """Return the fewest keys, in the order of `IDENTITY`, that tell the series of records apart."""
    chosen: list[str] = []
    groups = 1
    for key in (key for key in varying(records) if key not in but):
        split = len({tuple(repr(r.get(k)) for k in (*chosen, key)) for r in records})
        if split > groups:
            chosen, groups = [*chosen, key], split
    if chosen[:1] == ["hardware"] and "chips" not in (*but, *chosen) and varying(records, ["chips"]):
        chosen.insert(1, "chips")
    return chosen or ["hardware"]


def named(records: Sequence[Record], keys: Sequence[str]) -> list[str]:
    """Return a name for every record, from the values of some keys."""
    return [" ".join(filter(None, (value(key, r.get(key)) for key in keys))) for r in records]


def value(key: str, got: Any) -> str:
    """Return a value as a name says it: units where a bare number would puzzle."""
    if got is None:
        return ""
    how = {
        "estimate": lambda: str(got).replace("_", " "),
        "chips": lambda: f"x {got:,.0f}",
        "context_tokens": lambda: f"{got:,.0f} tokens",
        "isl": lambda: f"{got:,.0f} in",
        "osl": lambda: f"{got:,.0f} out",
        "kv_dtype": lambda: f"KV {got}",
    } | {key: (lambda key=key: f"{key} {got}") for key in ("tp", "pp", "dp", "ep")}
    return how[key]() if key in how else str(got)


def about(records: Sequence[Record]) -> str:
    """Return what all records share, as a subtitle."""
    first, many = records[0], set(varying(records))
    parts = [str(first[key]) for key in ("model", "hardware") if key in first and key not in many]
    if "chips" in first and not many & {"chips", "tp", "hardware"}:
        parts[-1:] = [f"{parts[-1]} x {first['chips']}" if parts else f"{first['chips']} chips"]
    for key, word in (("weights_dtype", "weights"), ("kv_dtype", "KV cache")):
        if key in first and key not in many:
            parts.append(f"{word} {first[key]}")
    if "engine" in first and "engine" not in many:
        parts.append(f"engine {first['engine']}")
    if "isl" in first and "osl" in first and not many & {"isl", "osl"}:
        parts.append(f"{first['isl']:,.0f} tokens in, {first['osl']:,.0f} out")
    elif "context_tokens" in first and "context_tokens" not in many:
        word = "prompt" if first.get("phase") == "prefill" else "context"
        parts.append(f"{first['context_tokens']:,.0f} tokens of {word}")
    return ", ".join(parts)


def need(records: Sequence[Record], what: str) -> None:
    """Refuse to draw nothing.

    Raises
    ------
    RooflineError
        If there are no records; the message says what was looked for.
    """
    if not records:
        raise RooflineError(f"nothing to draw: {what}")


def scales(names: Sequence[str]) -> dict[str, Any]:
    """Return colour, shape and dash of series by name; each differs, so that any one of them is enough."""

    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[i % len(values)] for i in range(len(names))]

    domain = list(names)
    return {
        # Where shapes come again they are open.
        "fill": alt.Scale(
            domain=domain, range=[c if i < len(SHAPES) else "white" for i, c in enumerate(pick(COLOURS))]
        ),
        "color": alt.Scale(domain=domain, range=pick(COLOURS)),
        "shape": alt.Scale(domain=domain, range=pick(SHAPES)),
        "dash": alt.Scale(domain=domain, range=pick(DASHES)),
    }
