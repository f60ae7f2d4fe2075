"""Throughput per user against throughput per chip, and dollars against throughput per user."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record

_USER = "tokens_per_second_per_user"
#: What a point of a series is labelled with, in the order in which they are tried.
_ALONG = ("batch", "concurrency", "rate_requests_per_second")


def frontier(records: list[Record], width: int, height: int) -> Drawing:
    """Draw tokens per second and chip over tokens per second and user, one line per deployment."""
    y = "tokens_per_second_per_chip"
    title = "Throughput per chip against speed per user"
    return _lines(records, y, "throughput per chip [tok/s/chip]", title, width, height)


def dollars(records: list[Record], width: int, height: int) -> Drawing:
    """Draw dollars per million output tokens over tokens per second and user."""
    y = "usd_per_million_output_tokens"
    drawing = _lines(
        records, y, "price of output [USD per million tokens]", "Dollars against speed per user", width, height
    )
    first = {r["hardware"]: r for r in records if "price_basis" in r}
    if first:
        told = [
            f"{name} ${r['usd_per_hour'] / r['chips']:.2f} per chip-hour ({r['price_basis'].replace('-', ' ')}"
            + (f", {r['price_date']})" if "price_date" in r else ")")
            for name, r in first.items()
        ]
        utilisation = {r["utilisation"] for r in first.values()}
        drawing.notes.append(
            "Prices: " + "; ".join(told) + f". Utilisation {', '.join(f'{u:.0%}' for u in utilisation)}."
        )
    return drawing


def _lines(records: list[Record], y: str, y_title: str, title: str, width: int, height: int) -> Drawing:
    usable = [r for r in records if r.get(_USER) and r.get(y) and r.get("estimate") != "naive_bandwidth"]
    if any(r["estimate"] == "as_served" for r in usable):
        # What a spatial chip sells is what is compared; its other estimates stand in the table.
        usable = [r for r in usable if r["estimate"] != "no_speculation"]
    frame.need(usable, f"no record has both {_USER} and {y}; what does not fit has neither")
    along = next((key for key in _ALONG if len({r.get(key) for r in usable}) > 1), "batch")
    keys = frame.telling(usable, but=("estimate",))
    names = frame.named(usable, keys)
    points: list[Record] = []
    for name, r in zip(names, usable, strict=True):
        row = {"series": name, "x": r[_USER], "y": r[y], "at": r.get(along)}
        row |= {
            f"{axis}_{end}": r[f"{key}_{end}"]
            for axis, key in (("x", _USER), ("y", y))
            for end in ("low", "high")
            if f"{key}_{end}" in r
        }
        points.append(row)
    points.sort(key=lambda p: (list(dict.fromkeys(names)).index(p["series"]), p["at"] or 0))
    for _, group in groupby(points, key=lambda p: p["series"]):
        these = list(group)
        these[0]["label"], these[-1]["label"] = f"{these[0]['at']:,.0f}", f"{these[-1]['at']:,.0f}"
    series = list(dict.fromkeys(p["series"] for p in points))
    style = frame.scales(series)
    x = alt.X("x:Q", title="speed per user [tok/s/user]", scale=alt.Scale(type="log", nice=False, padding=30))
    at = alt.Y("y:Q", title=y_title, scale=alt.Scale(type="log", nice=False, padding=24))
    colour = alt.Color("series:N", title=None, scale=style["color"])
    base = alt.Chart(frame.data("points"), width=width, height=height)
    lines = base.mark_line(strokeWidth=1.8).encode(
        x, at, colour, order="at:Q", strokeDash=alt.StrokeDash("series:N", title=None, scale=style["dash"])
    )
    tips: list[Any] = [alt.Tooltip("series:N"), alt.Tooltip("at:Q", title=along.split("_")[0])]
    tips += [alt.Tooltip("x:Q", title="tok/s/user", format=",.4~g"), alt.Tooltip("y:Q", title=y_title, format=",.4~g")]
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(
        x, at, colour, shape=alt.Shape("series:N", title=None, scale=style["shape"]), tooltip=tips
    )
    text = (
        base.mark_text(dx=9, align="left", fontSize=10)
        .encode(x, at, colour, text="label:N")
        .transform_filter("isValid(datum.label)")
    )
    notes = [
        f"Numbers at the ends of a line are its {along.replace('_', ' ')}; points are predictions, not measurements."
    ]
    return Drawing(alt.layer(lines, dots, text), {"points": points}, title, frame.about(usable), notes)
