"""A step's time split by operation."""

from __future__ import annotations

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record
from roofline.units import format_si

#: Operations below this share of a step are drawn as one bar.
SMALL = 0.01
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def step(records: list[Record], width: int, height: int) -> Drawing:
    """Draw a bar per operation, the longest on top; the colour and the text say what bounds it."""
    operations = [r for r in records if "operation" in r]
    parts = [r for r in operations if r["operation"] != "step"]
    frame.need(parts, "no record has an operation; give those of `roofline explain`")
    names = frame.named(parts, frame.telling(parts, but=("tp", "pp")))
    panels = list(dict.fromkeys(names))
    rows: list[Record] = []
    for panel in panels:
        rows += _rows(panel, [r for r, name in zip(parts, names, strict=True) if name == panel])
    longest = max(row["seconds"] for row in rows)
    scale, unit = next(((s, u) for s, u in _UNITS if longest >= s), _UNITS[-1])
    for row in rows:
        row["time"] = row["seconds"] / scale
    bounds = list(dict.fromkeys(row["bound"] for row in sorted(rows, key=lambda row: -row["seconds"])))
    drawn = [_panel(panel, [r for r in rows if r["panel"] == panel], bounds, unit, width, height) for panel in panels]
    if len(panels) > 1:
        drawn = [frame.heading(one, name) for one, name in zip(drawn, panels, strict=True)]
    first, columns = operations[0], frame.columns(panels, width)
    notes = [
        f"Of one chip, all calls of an operation in a {first['phase']} step together; what bounds it stands beside it."
    ]
    notes += [f"Note: {text}." for text in dict.fromkeys(w for r in operations for w in r.get("warnings", ()))]
    about = f"{first['phase']}, batch {first['batch']:,.0f}, {frame.about(operations)}"
    return Drawing(
        frame.side_by_side(drawn, columns), {"parts": rows}, "Time of a step by operation", about, notes, columns
    )


def _rows(panel: str, parts: list[Record]) -> list[Record]:
    """Return a row per operation, the layers it occurs in added up and the small ones together."""
    total = sum(r["seconds"] for r in parts)
    longest: dict[str, Record] = {}
    times: dict[str, float] = {}
    for r in parts:
        times[r["operation"]] = times.get(r["operation"], 0.0) + r["seconds"]
        if r["seconds"] >= longest.get(r["operation"], r)["seconds"]:
            longest[r["operation"]] = r
    small = [name for name, seconds in times.items() if seconds < SMALL * total]
    keep = sorted((name for name in times if name not in small or len(small) == 1), key=lambda name: -times[name])
    rows: list[Record] = [
        {"operation": n.replace("_", " "), "seconds": times[n], "bound": longest[n]["bound"]} for n in keep
    ]
    if len(small) > 1:
        rest = sum(times[name] for name in small)
        rows.append({"operation": f"{len(small)} others", "seconds": rest, "bound": "several"})
    for row in rows:
        row |= {"panel": panel, "share": row["seconds"] / total}
        row["text"] = f"{format_si(row['seconds'], 's')}, {row['share']:.1%}, {row['bound']}"
    return rows


def _panel(name: str, rows: list[Record], bounds: list[str], unit: str, width: int, height: int) -> Record:
    here = frame.only("panel", name)
    base = alt.Chart(frame.data("parts"), width=width, height=max(60, min(height, 24 * len(rows)))).transform_filter(
        here
    )
    order = [row["operation"] for row in rows]
    # Room to the right of the longest bar for its text.
    longest = max(row["time"] for row in rows)
    x = alt.X(
        "time:Q",
        title=f"time in the step [{unit}]",
        scale=alt.Scale(domain=[0, longest * (1 + 190 / max(width - 190, 60))], nice=False),
    )
    y = alt.Y("operation:N", title=None, sort=order, axis=alt.Axis(domain=False, ticks=False, labelLimit=160))
    colour = alt.Color("bound:N", title="bound by", scale=alt.Scale(domain=bounds, range=list(frame.COLOURS)))
    tips = ["operation:N", "bound:N", alt.Tooltip("seconds:Q", format=".3~s", title="time [s]")]
    tips.append(alt.Tooltip("share:Q", format=".1%", title="share of the step"))
    bars = base.mark_bar(height=alt.RelativeBandSize(0.7)).encode(x, y, colour, tooltip=tips)
    words = base.mark_text(align="left", dx=5, fontSize=10, color=frame.INK).encode(x, y, text=alt.Text("text:N"))
    return frame.layered(bars, words)
