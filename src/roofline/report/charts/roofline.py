"""The log-log roofline of a chip: every memory tier and peak, and the operations of a model beneath them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record
from roofline.units import format_si

#: What the longest name of a peak takes [px].
_NAMES = 135
#: Name of the point that is all operations together.
STEP = "whole step"


def roofline(records: list[Record], width: int, height: int) -> Drawing:
    """Draw FLOP/s over FLOP per byte, one panel per chip."""
    ceilings = [r for r in records if "ceiling" in r]
    operations = [r for r in records if "operation" in r]
    frame.need(ceilings, "no record has a ceiling; give those of roofline.ceilings.records")
    chips = list(dict.fromkeys(r["hardware"] for r in ceilings))
    points = [point for chip in chips for point in _points([r for r in operations if r["hardware"] == chip])]
    lines, labels, boxes = [], [], {}
    for chip in chips:
        these, placed, boxes[chip] = _roof(
            [r for r in ceilings if r["hardware"] == chip], [p for p in points if p["chip"] == chip], width
        )
        lines += these
        labels += placed
    drawn = sorted((p for p in points if p["operation"] != STEP), key=lambda p: -p["seconds"])
    for p in drawn:
        p["legend"] = f"{p['operation']} {p['share']:.0%}" if len(chips) == 1 and p.get("share") else p["operation"]
    names = list(dict.fromkeys(p["legend"] for p in drawn))
    panels = [_panel(chip, names, boxes[chip], width, height) for chip in chips]
    if len(chips) > 1:
        panels = [frame.heading(one, chip) for one, chip in zip(panels, chips, strict=True)]
    notes = [
        "Ceilings are dense peaks and bandwidths of one chip. A point is the work and time of one chip in a step, "
        "summed over the calls of an operation; what it lacks to the roof is achieved fractions and overheads. "
        "The ring is the whole step."
    ]
    if len(chips) == 1 and any(p.get("share") for p in drawn):
        notes.append("Percentages: share of the step's time.")
    if any(r.get("estimate") == "naive_bandwidth" for r in operations):
        notes.append(
            "Where layers are pinned to regions of a wafer the points are the naive bandwidth bound; the step "
            "is what is predicted."
        )
    idle = sorted({r["operation"] for r in operations if not r.get("flops") or not r.get("bytes")} - {"step"})
    if idle:
        notes.append(f"Without FLOPs or bytes of memory, and so not drawn: {', '.join(idle)}.")
    about = frame.about(operations or ceilings)
    if operations:
        about = f"{operations[0]['phase']}, batch {operations[0]['batch']}, {about}"
    data = {"roofs": lines, "roof_labels": labels, "operations": points}
    columns = frame.columns(chips, width)
    return Drawing(frame.side_by_side(panels, columns), data, "Roofline", about, notes, columns)


def _points(operations: list[Record]) -> list[Record]:
    """Return a point per operation, the layers that it occurs in added up."""
    found = []
    drawn = [r for r in operations if r.get("flops") and r.get("bytes") and r["seconds"] > 0]
    total = next((r["seconds"] for r in operations if r["operation"] == "step"), None)
    for name, group in groupby(sorted(drawn, key=lambda r: r["operation"]), key=lambda r: r["operation"]):
        rows = list(group)
        flops, moved, seconds = (sum(r[key] for r in rows) for key in ("flops", "bytes", "seconds"))
        widest = max(rows, key=lambda r: r["seconds"])
        found.append(
            {
                "chip": widest["hardware"], "operation": STEP if name == "step" else name.replace("_", " "),
                "flops": flops, "bytes": moved, "seconds": seconds,
                "intensity": flops / moved, "rate": flops / seconds, "bound": widest["bound"],
            }
        )  # fmt: skip
        if total and widest["estimate"] != "naive_bandwidth":
            found[-1]["share"] = seconds / total
    return sorted(found, key=lambda p: (p["operation"] == STEP, -p["seconds"]))


def _roof(ceilings: list[Record], points: list[Record], width: int) -> tuple[list[Record], list[Record], Box]:
    """Return the lines of a chip's ceilings, the places of their labels, and the range of the panel."""
    peaks: dict[float, list[str]] = {}
    for r in ceilings:
        if "flops_per_second" in r:
            peaks.setdefault(r["flops_per_second"], []).append(r["name"])
    tiers = sorted((r for r in ceilings if "bytes_per_second" in r), key=lambda r: -r["bytes_per_second"])
    chip, top = ceilings[0]["hardware"], max(peaks)
    box = _box(tiers, peaks, points, width)
    lines, labels = [], []
    for number, r in enumerate(tiers):
        bandwidth = r["bytes_per_second"]
        one = {"chip": chip, "ceiling": r["ceiling"], "name": f"{r['name']} {format_si(bandwidth, 'B/s')}"}
        begin = max(box.left, box.bottom / bandwidth)
        lines += [one | {"x": x, "y": bandwidth * x} for x in (begin, top / bandwidth)]
        # Operations crowd the lower end; the words stand just below where the lowest peak cuts the line off.
        x = max(0.75 * min(peaks) / bandwidth, 2.0 * begin)
        # Lines may lie close: the fastest is named on its outer side, the others below theirs.
        labels.append(one | {"x": x, "y": bandwidth * x, "place": "below" if number else "above"})
    for peak in sorted(peaks, reverse=True):
        one = {"chip": chip, "ceiling": "compute", "name": f"{', '.join(peaks[peak])} {format_si(peak, 'FLOP/s')}"}
        lines += [one | {"x": x, "y": peak} for x in (peak / tiers[0]["bytes_per_second"], box.right)]
        labels.append(one | {"x": box.right, "y": peak, "place": "end"})
    return lines, labels, box


@dataclass(frozen=True, slots=True)
class Box:
    """What a panel shows: FLOP/byte from left to right, FLOP/s from bottom to top."""

    left: float
    right: float
    bottom: float
    top: float


def _box(tiers: list[Record], peaks: Iterable[float], points: list[Record], width: int) -> Box:
    """Return the range of a panel: every ridge point and every operation, with air around them."""
    peaks = list(peaks)
    ridges = [peak / r["bytes_per_second"] for peak in peaks for r in tiers]
    x = [*ridges, *(p["intensity"] for p in points)]
    left, top = min(min(x) / 4, min(ridges) / 30), max(peaks) * 2
    # To the right of the last ridge there is room for the names of the peaks.
    right = max(x) * min((max(x) / left) ** (_NAMES / max(width - _NAMES, _NAMES)), 50.0)
    slowest = min(r["bytes_per_second"] for r in tiers)
    return Box(left, right, min([min(x) * slowest, *(p["rate"] for p in points)]) / 3, top)


def _panel(chip: str, names: list[str], box: Box, width: int, height: int) -> Record:
    here = frame.only("chip", chip)
    across = alt.Scale(type="log", nice=False, domain=[box.left, box.right])
    up = alt.Scale(type="log", nice=False, domain=[box.bottom, box.top])
    tens = alt.Axis(format=",~g", values=frame.decades(box.left, box.right))
    x = alt.X("x:Q", title="arithmetic intensity [FLOP/byte]", scale=across, axis=tens)
    tens = alt.Axis(format="~s", values=frame.decades(box.bottom, box.top))
    y = alt.Y("y:Q", title="performance of one chip [FLOP/s]", scale=up, axis=tens)
    # A bandwidth's line rises one decade per decade, whatever the pixels of either.
    slope = (height / math.log10(box.top / box.bottom)) / (width / math.log10(box.right / box.left))
    tilt = 360.0 - math.degrees(math.atan(slope))
    roofs = alt.Chart(frame.data("roofs"), width=width, height=height).transform_filter(here)
    dash = alt.StrokeDash(
        "ceiling:N", legend=None, scale=alt.Scale(domain=["compute", "memory", "cache"], range=[[1, 0], [1, 0], [5, 3]])
    )
    layers = [roofs.mark_line(color=frame.INK, strokeWidth=1.6).encode(x, y, dash, detail=alt.Detail("name:N"))]
    places = {
        "end": {"align": "right", "dy": -5},
        "above": {"align": "right", "dy": -6, "angle": tilt},
        "below": {"align": "right", "dy": 9, "angle": tilt},
    }
    for place, mark in places.items():
        words = alt.Chart(frame.data("roof_labels")).transform_filter(here).transform_filter(frame.only("place", place))
        layers.append(words.mark_text(fontSize=10, color=frame.INK, **mark).encode(x, y, text=alt.Text("name:N")))
    style = frame.scales(names)
    tips = [
        "operation:N",
        alt.Tooltip("bound:N"),
        alt.Tooltip("share:Q", format=".1%", title="share of the step"),
        alt.Tooltip("intensity:Q", format=",.3~g", title="FLOP/byte"),
        alt.Tooltip("rate:Q", format=".3~s", title="FLOP/s"),
        alt.Tooltip("seconds:Q", format=".3~s", title="time [s]"),
    ]
    points = alt.Chart(frame.data("operations")).transform_filter(here)
    at = (alt.X("intensity:Q", scale=across), alt.Y("rate:Q", scale=up))
    ring = points.transform_filter(frame.only("operation", STEP))
    layers.append(
        ring.mark_point(filled=False, size=190, strokeWidth=2.2, opacity=1, color=frame.INK).encode(*at, tooltip=tips)
    )
    colour = alt.Stroke("legend:N", title=None, scale=style["color"])
    fill = alt.Fill("legend:N", title=None, scale=style["fill"])
    shape = alt.Shape("legend:N", title=None, scale=style["shape"])
    marks = points.transform_filter("isValid(datum.legend)").mark_point(size=75, opacity=1, strokeWidth=1.6)
    layers.append(marks.encode(*at, colour, fill, shape, tooltip=tips))
    return frame.layered(*layers)
