"""The tornado: how far each input moves an answer, the widest on top."""

from __future__ import annotations

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record
from roofline.units import significant

#: What the columns of a sampled cost are about.
_COST = {"unit": "USD per million tokens", "title": "What moves the cost of a million tokens"}


def tornado(records: list[Record], width: int, height: int) -> Drawing:
    """Draw a bar per input from the answer at its low end to the answer at its high end.

    Records have ``name``, ``low`` and ``high``; ``base``, ``unit`` and ``title`` where known. The record that
    ``roofline cost --samples`` ends with is one whole tornado.
    """
    swings = [one for r in records for one in (_swings(r) if "samples" in r else [r])]
    swings = [r for r in swings if "name" in r and "low" in r and "high" in r]
    frame.need(swings, "no record has name, low and high; give those of `roofline sensitivity` or `cost --samples`")
    swings.sort(key=lambda r: -abs(r["high"] - r["low"]))
    base = next((r["base"] for r in swings if r.get("base") is not None), None)
    unit = next((r["unit"] for r in swings if r.get("unit")), "")
    ends: list[Record] = []
    for r in swings:
        middle = base if r.get("base") is None else r["base"]
        for end in ("low", "high"):
            other = r["high" if end == "low" else "low"] if middle is None else middle
            side = "right" if r[end] >= other else "left"
            said = f" ({r[f'{end}_label']})" if f"{end}_label" in r else ""
            ends.append(
                {"name": r["name"].replace("_", " "), "end": f"input at its {end} end", "from": other, "to": r[end],
                 "text": significant(r[end]) + said, "side": side}
            )  # fmt: skip
    order = list(dict.fromkeys(e["name"] for e in ends))
    values = [v for e in ends for v in (e["from"], e["to"])]
    low, high = min(values), max(values)
    pad = 0.14 * (high - low or abs(high) or 1.0)
    chart = alt.Chart(frame.data("ends"), width=width, height=max(60, min(height, 34 * len(order))))
    x = alt.X(
        "to:Q", title=f"answer [{unit}]" if unit else "answer",
        scale=alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False),
        axis=alt.Axis(tickCount=7),
    )  # fmt: skip
    y = alt.Y("name:N", title=None, sort=order, axis=alt.Axis(domain=False, ticks=False, labelLimit=200))
    # The light end stays light in black and white; its outline keeps it visible.
    scale = alt.Scale(domain=["input at its low end", "input at its high end"], range=["#9CC9E8", "#0072B2"])
    bars = chart.mark_bar(height=alt.RelativeBandSize(0.6), stroke=frame.INK, strokeWidth=0.6)
    tips = ["name:N", "end:N", alt.Tooltip("to:Q", title="answer", format=",.4~r")]
    layers = [bars.encode(x, y, alt.Color("end:N", title=None, scale=scale), x2=alt.X2("from:Q"), tooltip=tips)]
    for side, mark in (("left", {"align": "right", "dx": -4}), ("right", {"align": "left", "dx": 4})):
        words = chart.transform_filter(frame.only("side", side)).mark_text(fontSize=10, color=frame.INK, **mark)
        layers.append(words.encode(x, y, text=alt.Text("text:N")))
    if base is not None:
        middle_rule = alt.Chart(frame.data("base")).mark_rule(color=frame.INK, strokeWidth=1.4)
        layers.append(middle_rule.encode(alt.X("value:Q")))
    title = next((r["title"] for r in swings if r.get("title")), "What the answer is most sensitive to")
    notes = ["One input at a time from its low to its high end, the others where they are; widest first."]
    data = {"ends": ends} | ({"base": [{"value": base}]} if base is not None else {})
    return Drawing(frame.layered(*layers), data, title, frame.about(records), notes)


def _swings(r: Record) -> list[Record]:
    """Return the swings of a sampled cost."""
    names = [
        key.removeprefix("swing_").removesuffix("_low") for key in r if key.startswith("swing_") and key[-4:] == "_low"
    ]
    base = r.get("usd_per_million_tokens_at_medians")
    return [_COST | {"base": base, "name": n, "low": r[f"swing_{n}_low"], "high": r[f"swing_{n}_high"]} for n in names]
