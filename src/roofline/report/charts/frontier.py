"""Throughput per user against throughput per chip, and dollars against throughput per user."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from roofline.errors import RooflineError
from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.charts.planned import planned
from roofline.report.record import Record, estimated

_USER = "tokens_per_second_per_user"
#: What runs along a line, in the order in which they are tried.
_ALONG = {
    "batch": "batch",
    "concurrency": "users",
    "rate_requests_per_second": "requests/s",
    "context_tokens": "tokens of context",
    "chips": "chips",
}
#: More series than this are told apart by chip and model alone, without lines.
_MOST_SERIES = 14
#: Where the number beside a point stands: text options by side.
_SIDES: dict[str, dict[str, Any]] = {
    "right": {"align": "left", "dx": 9},
    "left": {"align": "right", "dx": -9},
    "above": {"align": "center", "dy": -12},
    "below": {"align": "center", "dy": 13},
}


def frontier(records: list[Record], width: int, height: int) -> Drawing:
    """Draw tokens per second and chip over tokens per second and user, one line per deployment."""
    key, y_title = "tokens_per_second_per_chip", "throughput per chip [tok/s/chip]"
    title = "Throughput per chip against speed per user"
    if any("role" in r for r in records):
        return planned(records, key, y_title, title, width, height)
    return _lines(records, key, y_title, title, width, height)


def dollars(records: list[Record], width: int, height: int) -> Drawing:
    """Draw dollars per million output tokens over tokens per second and user; of a plan, per million of all tokens."""
    if any("role" in r for r in records):
        y_title = "cost of all tokens [USD per million tokens]"
        return planned(records, "usd_per_million_tokens", y_title, "What speed costs", width, height)
    drawing = _lines(
        records, "usd_per_million_output_tokens", "cost of output [USD per million tokens]",
        "Cost of output tokens against speed per user", width, height,
    )  # fmt: skip
    priced = {r["hardware"]: r for r in records if {"price_basis", "usd_per_hour", "chips"} <= r.keys()}
    told = [
        f"{name} ${r['usd_per_hour'] / r['chips']:.2f} per chip-hour ({r['price_basis'].replace('-', ' ')}"
        + (f", {r['price_date']})" if "price_date" in r else ")")
        for name, r in priced.items()
    ]
    if told:
        shares = ", ".join(f"{u:.0%}" for u in sorted({r["utilisation"] for r in priced.values()}))
        drawing.notes.append(f"Prices: {'; '.join(told)}. Utilisation {shares}.")
    return drawing


def _lines(records: list[Record], key: str, y_title: str, title: str, width: int, height: int) -> Drawing:
    usable = [r for r in records if r.get(_USER) and r.get(key) and estimated(r) != "naive_bandwidth"]
    # What a spatial chip sells is what is compared; its other estimates stand in the table.
    served = {r["hardware"] for r in usable if estimated(r) == "as_served"}
    usable = [r for r in usable if estimated(r) != "no_speculation" or r["hardware"] not in served]
    if not usable and key.startswith("usd") and any(_USER in r for r in records):
        chips = ", ".join(dict.fromkeys(str(r.get("hardware")) for r in records))
        raise RooflineError(f"nothing to draw: no price is published for {chips}; give --usd-per-hour")
    frame.need(usable, f"no record has both {_USER} and {key}; what does not fit has neither")
    along = _along(usable)
    but = ("estimate", *(("chips", "tp", "pp") if along == "chips" else (along or "",)))
    keys = frame.telling(usable, but)
    # A line needs something that runs along it, and a legend that can be read.
    joined = along is not None and len(set(frame.named(usable, keys))) <= _MOST_SERIES
    if along is not None and not joined:
        keys = [name for name in keys if name in ("hardware", "model")] or ["hardware"]
    points = _points(usable, frame.named(usable, keys), key, along)
    series = list(dict.fromkeys(p["series"] for p in points))
    if joined:
        for name in series:
            _label([p for p in points if p["series"] == name], points, width / height)
    style = frame.scales(series)
    # A single value makes a tick of its own.
    digits = alt.Axis(format=",.4~r")
    x = alt.X(
        "x:Q", title="speed per user [tok/s/user]", axis=digits, scale=alt.Scale(type="log", nice=False, padding=34)
    )
    y = alt.Y("y:Q", title=y_title, axis=digits, scale=alt.Scale(type="log", nice=False, padding=26))
    colour = alt.Color("series:N", title=None, scale=style["color"])
    shape = alt.Shape("series:N", title=None, scale=style["shape"])
    dash = alt.StrokeDash("series:N", title=None, scale=style["dash"])
    base = alt.Chart(frame.data("points"), width=width, height=height)
    tips: list[Any] = [alt.Tooltip("series:N"), alt.Tooltip("at:Q", title=_ALONG[along or "batch"], format=",")]
    tips += [alt.Tooltip("x:Q", title="tok/s/user", format=",.4~r"), alt.Tooltip("y:Q", title=y_title, format=",.4~r")]
    layers = [base.mark_line(strokeWidth=1.8).encode(x, y, colour, dash, order=alt.Order("at:Q"))] if joined else []
    spans = alt.Chart(frame.data("points")).transform_filter("isValid(datum.x_low)").mark_rule(opacity=0.3)
    layers.append(
        spans.encode(alt.X("x_low:Q"), alt.Y("y_low:Q"), colour, x2=alt.X2("x_high:Q"), y2=alt.Y2("y_high:Q"))
    )
    layers.append(base.mark_point(filled=True, size=50, opacity=1).encode(x, y, colour, shape, tooltip=tips))
    for side, mark in _SIDES.items():
        words = alt.Chart(frame.data("points")).transform_filter(frame.only("side", side))
        layers.append(
            words.mark_text(fontSize=10, baseline="middle", **mark).encode(x, y, colour, text=alt.Text("label:N"))
        )
    notes = [f"Numbers at the ends of a line: {_ALONG[along or 'batch']}."] if joined else []
    if any("x_low" in p for p in points):
        notes.append("Thin strokes: 90 % interval of a prediction, along which both axes move together.")
    missing = sum(not r.get("fits", True) for r in records)
    if missing:
        notes.append("1 point does not fit and is not drawn." if missing == 1 else f"{missing:,} points do not fit.")
    return Drawing(frame.layered(*layers), {"points": points}, title, frame.about(usable), notes)


def _along(records: list[Record]) -> str | None:
    """Return what varies while chip, model and engine stay; None where each has a single point."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for r in records:
        groups.setdefault((r["hardware"], r.get("model"), r.get("engine")), []).append(r)
    return next((name for name in _ALONG if any(frame.varying(g, [name]) for g in groups.values())), None)


def _points(records: list[Record], names: list[str], key: str, along: str | None) -> list[Record]:
    """Return a point per record, series by series, in the order of what runs along."""
    points: list[Record] = []
    for name, r in zip(names, records, strict=True):
        point: Record = {"series": name, "x": r[_USER], "y": r[key], "at": r.get(along or "batch", 1)}
        if f"{_USER}_low" in r and f"{key}_low" in r:
            # The slow end of the interval is slow on both axes: cheap where the user is fast, dear where slow.
            slow, fast = ("high", "low") if key.startswith("usd") else ("low", "high")
            point |= {"x_low": r[f"{_USER}_low"], "x_high": r[f"{_USER}_high"]}
            point |= {"y_low": r[f"{key}_{slow}"], "y_high": r[f"{key}_{fast}"]}
        points.append(point)
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return sorted(points, key=lambda p: (order[p["series"]], p["at"]))


def _label(line: list[Record], points: list[Record], aspect: float) -> None:
    """Write numbers at both ends of a line, on the side that the line does not leave by."""

    def apart(one: Record, other: Record) -> tuple[float, float]:
        spans = []
        for axis in ("x", "y"):
            values = [p[axis] for p in points]
            spans.append(math.log(one[axis] / other[axis]) / (math.log(max(values) / min(values)) or 1.0))
        return aspect * spans[0], spans[1]

    for end, beside in ((line[0], line[1:2]), (line[-1], line[-2:-1])):
        # Where lines end at one place, one number is enough.
        if any(max(map(abs, apart(end, p))) < 0.05 for p in points if "label" in p):
            continue
        end["label"], end["side"] = f"{end['at']:,g}", "right"
        if beside:
            across, up = apart(end, beside[0])
            if abs(across) > abs(up):
                end["side"] = "right" if across > 0 else "left"
            else:
                end["side"] = "above" if up > 0 else "below"
