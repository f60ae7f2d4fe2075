"""Predicted against measured, with the interval of each prediction."""

from __future__ import annotations

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record

#: Milliseconds in the unit that a metric's name ends with; what ends otherwise is a rate.
_MILLI = {"ms": 1.0, "us": 1e-3}

#: Sources of measurements that a caption names.
_SOURCES = 8


def validation(records: list[Record], width: int, height: int) -> Drawing:
    """Draw predictions over measurements, times and rates apart; on the diagonal both agree."""
    usable = [r for r in records if r.get("predicted") not in (None, "")]
    frame.need(usable, "no row has a prediction; give those that `roofline validate --rows` writes")
    rows = [_row(r) for r in usable]
    panels = [name for name in ("times [ms]", "rates [tok/s]") if any(row["panel"] == name for row in rows)]
    guides: list[Record] = []
    for name in panels:
        values = [row[key] for row in rows if row["panel"] == name for key in ("measured", "predicted")]
        ends = (min(values) / 1.6, max(values) * 1.6)
        for line, factor in (("equal", 1.0), ("20 % off", 1.2), ("20 % off ", 1 / 1.2)):
            guides += [{"panel": name, "line": line, "x": x, "y": x * factor} for x in ends]
    kinds = list(dict.fromkeys(sorted(row["kind"] for row in rows)))
    drawn = [_panel(name, guides, kinds, width, height) for name in panels]
    held = [row for row in rows if "low" in row]
    close = sum(abs(row["predicted"] / row["measured"] - 1) <= 0.2 for row in rows) / len(rows)
    notes = ["Solid: predicted equals measured; dotted: 20 % off. Thin strokes: 90 % interval of the prediction."]
    about = f"{len(rows):,} measurements, {close:.0%} within 20 %"
    if held:
        covered = sum(row["low"] <= row["measured"] <= row["high"] for row in held) / len(held)
        about += f", {covered:.0%} inside the interval"
    if len(usable) < len(records):
        notes.append(f"{len(records) - len(usable):,} rows have no prediction and are not drawn.")
    names = list(dict.fromkeys(str(r["source"]) for r in usable if r.get("source")))
    if names:
        more = f" and {len(names) - _SOURCES} more" if len(names) > _SOURCES else ""
        notes.append(f"Measured by: {', '.join(names[:_SOURCES])}{more}.")
    data = {"rows": rows, "guides": guides}
    columns = frame.columns(panels, width)
    return Drawing(frame.side_by_side(drawn, columns), data, "Predicted against measured", about, notes, columns)


def _row(r: Record) -> Record:
    """Return a point; times in milliseconds."""
    metric = str(r["metric"])
    unit = metric.rpartition("_")[2]
    factor = _MILLI.get(unit, 1.0)
    row: Record = {
        "panel": "times [ms]" if unit in _MILLI else "rates [tok/s]",
        "kind": str(r["mode"]).replace("_", " "),
    }
    row |= {"measured": float(r["value"]) * factor, "predicted": float(r["predicted"]) * factor}
    for end in ("low", "high"):
        if r.get(end) not in (None, ""):
            row[end] = float(r[end]) * factor
    names = [str(r.get(key, "")) for key in ("hardware", "model", "engine")]
    return row | {"what": ", ".join(filter(None, names)), "metric": metric}


def _panel(name: str, guides: list[Record], kinds: list[str], width: int, height: int) -> Record:
    here = frame.only("panel", name)
    ends = [g["x"] for g in guides if g["panel"] == name]
    # Equal decades on both axes, so that the diagonal is one.
    scale = alt.Scale(type="log", nice=False, domain=[min(ends), max(ends)])
    axis = alt.Axis(format="~s", values=frame.decades(min(ends), max(ends)))
    style = frame.scales(kinds)
    lines = alt.Chart(frame.data("guides"), width=width, height=height).transform_filter(here)
    dash = alt.StrokeDash(
        "line:N",
        legend=None,
        scale=alt.Scale(domain=["equal", "20 % off", "20 % off "], range=[[1, 0], [2, 3], [2, 3]]),
    )
    what, _, unit = name.partition(" ")
    layers = [
        lines.mark_line(color=frame.FAINT, strokeWidth=1.2, clip=True).encode(
            alt.X("x:Q", title=f"measured {what} {unit}", scale=scale, axis=axis),
            alt.Y("y:Q", title=f"predicted {what} {unit}", scale=scale, axis=axis),
            dash,
        )
    ]
    x, line = alt.X("measured:Q", scale=scale), alt.Stroke("kind:N", title=None, scale=style["color"])
    rows = alt.Chart(frame.data("rows")).transform_filter(here)
    spans = rows.transform_filter("isValid(datum.low)").mark_rule(opacity=0.22, strokeWidth=1, clip=True)
    layers.append(spans.encode(x, alt.Y("low:Q", scale=scale), line, y2=alt.Y2("high:Q")))
    tips = [
        "what:N",
        "kind:N",
        "metric:N",
        alt.Tooltip("measured:Q", format=",.4~r"),
        alt.Tooltip("predicted:Q", format=",.4~r"),
    ]
    fill = alt.Fill("kind:N", title=None, scale=style["fill"])
    shape = alt.Shape("kind:N", title=None, scale=style["shape"])
    marks = rows.mark_point(size=22, opacity=0.75, strokeWidth=1.2, clip=True)
    layers.append(marks.encode(x, alt.Y("predicted:Q", scale=scale), line, fill, shape, tooltip=tips))
    return frame.layered(*layers)
