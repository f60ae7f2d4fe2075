"""The KV cache over batch and context: how full the memory is, what fits, and what stays on chip."""

from __future__ import annotations

from typing import Any

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record
from roofline.units import format_si

#: More cells than this across carry no text.
_MOST_TEXT = 12


def fit(records: list[Record], width: int, height: int) -> Drawing:
    """Draw batch over context, shaded by the share of the KV room used, with the edge of what stays on chip."""
    frame.need([r for r in records if "users" in r], "no record says how many users fit; give those of `roofline fit`")
    keys = frame.telling(records, but=("context_tokens", "tp", "pp"))
    panels = list(dict.fromkeys(frame.named(records, keys)))
    cells = [_cell(r, name) for r, name in zip(records, frame.named(records, keys), strict=True)]
    edges = [edge for name in panels for edge in _edges([c for c in cells if c["panel"] == name])]
    contexts, batches = (sorted({c[key] for c in cells}) for key in ("context", "batch"))
    charts = [_panel(name if len(panels) > 1 else "", name, contexts, batches, width, height) for name in panels]
    chart: Any = charts[0] if len(charts) == 1 else alt.concat(*charts, columns=3)
    notes = [
        "Shade: sequences over those that there is room for beside the weights; figures: KV cache of the whole batch. "
        "A cross: does not fit. Inside the thick line the whole cache stays on chip."
    ]
    caches = {f"{x['hardware']}: {_where(x)}" for x in records}
    notes.append("; ".join(sorted(caches)) + ".")
    shared = [{k: v for k, v in r.items() if k != "context_tokens"} for r in records]
    data = {"cells": cells, "edges": edges}
    return Drawing(chart, data, "KV cache: what fits", frame.about(shared), notes, min(len(panels), 3))


def _where(r: Record) -> str:
    chips = "" if r["chips"] == 1 else f" on each of {r['chips']} chips"
    room = f"KV in {r['memory_tier']}, {format_si(r['usable_bytes_per_chip'], 'B')} usable{chips}"
    return room + (f", {r['cache_tier']} {format_si(r['cache_bytes_per_chip'], 'B')}" if "cache_tier" in r else "")


def _cell(r: Record, name: str) -> Record:
    on_chip = bool(r["fits"] and (r["on_chip"] or r["fits_cache"]))
    cell: Record = {"panel": name, "batch": int(r["batch"]), "context": int(r["context_tokens"])}
    cell |= {"fits": r["fits"], "on_chip": on_chip, "kv_bytes": r["kv_bytes"], "chips": r["chips"]}
    cell["text"] = format_si(r["kv_bytes"], "B", 2) if r["fits"] else "×"
    return cell | ({"share": r["batch"] / r["users"]} if r["fits"] else {})


def _edges(cells: list[Record]) -> list[Record]:
    """Return the sides that part cells on chip from the others, as rules from band to band."""
    state = {(c["context"], c["batch"]): c["on_chip"] for c in cells}
    contexts, batches = sorted({x for x, _ in state}), sorted({y for _, y in state})
    edges = []
    for i, x in enumerate(contexts):
        for j, y in enumerate(batches):
            if not state.get((x, y)):
                continue
            right = contexts[i + 1] if i + 1 < len(contexts) else None
            above = batches[j + 1] if j + 1 < len(batches) else None
            for side, beside in (("right", (right, y)), ("top", (x, above))):
                if None not in beside and state.get(beside) is False:  # type: ignore[arg-type]
                    edges.append({"panel": cells[0]["panel"], "context": x, "batch": y, "side": side})
    return edges


def _panel(title: str, name: str, contexts: list[int], batches: list[int], width: int, height: int) -> Any:
    test = f"datum.panel == {name!r}"
    x = {"title": "context [tokens]", "sort": contexts}
    y = {"title": "batch [sequences]", "sort": batches[::-1]}
    base = alt.Chart(frame.data("cells"), width=width, height=height).transform_filter(test)
    at = (
        alt.X("context:O", axis=alt.Axis(format=",d", labelAngle=0, labelOverlap=True), **x),
        alt.Y("batch:O", axis=alt.Axis(format=",d"), **y),
    )
    shade = alt.Color(
        "share:Q", title="share of the KV room used", scale=alt.Scale(scheme="cividis", domain=[0, 1], reverse=True),
        legend=alt.Legend(format=".0%", gradientLength=200),
    )  # fmt: skip
    tips = [
        alt.Tooltip("context:Q", format=",d"),
        alt.Tooltip("batch:Q", format=",d"),
        "text:N",
        alt.Tooltip("share:Q", format=".1%"),
        "on_chip:N",
    ]
    layers = [
        base.transform_filter("datum.fits").mark_rect(stroke="white", strokeWidth=1).encode(*at, shade, tooltip=tips)
    ]
    small = len(contexts) <= _MOST_TEXT and len(batches) <= 2 * _MOST_TEXT
    words = base.mark_text(fontSize=10).encode(
        *at, text="text:N", color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value(frame.INK))
    )
    layers.append(words if small else words.transform_filter("!datum.fits"))
    rules = alt.Chart(frame.data("edges")).transform_filter(test).mark_rule(strokeWidth=3.5, color="#D55E00")
    for side in ("right", "top"):
        ends = (1, 1) if side == "right" else (0, 1)
        rise = (0, 1) if side == "right" else (0, 0)
        layers.append(
            rules.transform_filter(f"datum.side == '{side}'").encode(
                x=alt.X("context:O", bandPosition=ends[0], **x), x2=alt.X2("context", bandPosition=ends[1]),
                y=alt.Y("batch:O", bandPosition=rise[0], **y), y2=alt.Y2("batch", bandPosition=rise[1]),
            )
        )  # fmt: skip
    chart: Any = alt.layer(*layers)
    return chart.properties(title=title) if title else chart
