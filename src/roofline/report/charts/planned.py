"""A plan: what speed costs along the frontier, with the choice, the fastest and those that lost."""

from __future__ import annotations

from typing import Any

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.plan import deployment
from roofline.report.record import Record

#: Roles of a plan's records in the order of the legend, and how each is drawn: colour, shape, size.
_ROLES = {
    "cheapest": ("#D55E00", "diamond", 190),
    "fastest": ("#0072B2", "triangle-up", 150),
    "runner-up": ("#009E73", "square", 50),
    "near-miss": ("#CC79A7", "cross", 60),
    "frontier": ("#222222", "circle", 26),
}
#: The frontier of each value: a plan has one in dollars and one in output per chip.
_FRONTIER = {"tokens_per_second_per_chip": "chip-frontier"}
_POINTS = ("cheapest", "fastest", "runner-up", "near-miss")
_USER = "tokens_per_second_per_user"


def planned(records: list[Record], key: str, y_title: str, title: str, width: int, height: int) -> Drawing:
    """Draw a plan's records over speed per user; the frontier is a line, the others are points."""
    own = _FRONTIER.get(key, "frontier")
    named = [r | {"role": "frontier"} if r["role"] == own else r for r in records if r["role"] in (own, *_POINTS)]
    usable = [r for r in named if r.get(_USER) and r.get(key)]
    frame.need(usable, f"no record of this plan has both {_USER} and {key}")
    rows = [
        {"role": r["role"], "x": r[_USER], "y": r[key], "what": deployment(r), "chips": r["total_chips"]}
        for r in sorted(usable, key=lambda r: r[_USER])
    ]
    shown = [role for role in _ROLES if any(row["role"] == role for row in rows)]
    x = alt.X("x:Q", title="speed per user [tok/s/user]", scale=alt.Scale(type="log", nice=False, padding=30))
    y = alt.Y("y:Q", title=y_title, scale=alt.Scale(type="log", nice=False, padding=26))
    base = alt.Chart(frame.data("points"), width=width, height=height)
    line = base.transform_filter(frame.only("role", "frontier")).mark_line(color=frame.INK, strokeWidth=1.3)
    layers: list[Any] = [line.encode(x, y, order=alt.Order("x:Q"))]

    def scale(part: int) -> alt.Scale:
        return alt.Scale(domain=shown, range=[_ROLES[role][part] for role in shown])

    tips = [alt.Tooltip("what:N", title="deployment"), alt.Tooltip("chips:Q", format=","), "role:N"]
    tips += [alt.Tooltip("x:Q", title="tok/s/user", format=",.4~r"), alt.Tooltip("y:Q", title=y_title, format=",.4~r")]
    colour = alt.Color("role:N", title=None, scale=scale(0))
    shape = alt.Shape("role:N", title=None, scale=scale(1))
    # The few that were chosen lie on top of the many that were not.
    for role in reversed(shown):
        marks = base.transform_filter(frame.only("role", role)).mark_point(filled=True, opacity=1, size=_ROLES[role][2])
        layers.append(marks.encode(x, y, colour, shape, tooltip=tips))
    first = usable[0]
    load = f"{first['model']}, {first['isl']:,.0f} tokens in, {first['osl']:,.0f} out"
    notes = [f"{r['role'].capitalize()}: {deployment(r)}." for r in usable if r["role"] in ("cheapest", "fastest")]
    if "frontier" in shown:
        better = "cheaper" if own == "frontier" else "gives more per chip"
        notes.append(
            f"On the line nothing is both faster and {better}; the promised time per token does not bind there."
        )
    bases = dict.fromkeys(
        f"{r['price_basis'].replace('-', ' ')}" + (f", {r['price_date']}" if "price_date" in r else "")
        for r in usable
        if "price_basis" in r
    )
    if bases:
        notes.append(f"Prices: {'; '.join(bases)}; machines are full at the stated load.")
    return Drawing(frame.layered(*layers), {"points": rows}, title, load, notes)
