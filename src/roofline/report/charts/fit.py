"""The KV cache over batch and context: how full the memory is, what fits, and what stays on chip."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import altair as alt

from roofline.report.charts import frame
from roofline.report.charts.frame import Drawing
from roofline.report.record import Record
from roofline.units import format_si

#: Narrower or lower cells than this carry no text [px].
_TEXT_WIDTH, _TEXT_HEIGHT = 44, 16


def fit(records: list[Record], width: int, height: int) -> Drawing:
    """Draw batch over context, shaded by the share of the KV room used, with the edge of what stays on chip."""
    frame.need([r for r in records if "users" in r], "no record says how many users fit; give those of `roofline fit`")
    names = frame.named(records, frame.telling(records, but=("context_tokens", "chips", "tp", "pp")))
    panels = list(dict.fromkeys(names))
    grows = any(frame.varying([r for r, n in zip(records, names, strict=True) if n == p], ["chips"]) for p in panels)
    if not grows:
        names = frame.named(records, frame.telling(records, but=("context_tokens", "tp", "pp")))
        panels = list(dict.fromkeys(names))
    cells = [_cell(r, name, grows) for r, name in zip(records, names, strict=True)]
    edges = [edge for name in panels for edge in _edges([c for c in cells if c["panel"] == name])]
    contexts, batches = (sorted({c[key] for c in cells}) for key in ("context", "batch"))
    small = width / len(contexts) < _TEXT_WIDTH or height / len(batches) < _TEXT_HEIGHT
    drawn = [_panel(name, contexts, batches, not small, width, height) for name in panels]
    if len(panels) > 1:
        drawn = [frame.heading(one, name) for one, name in zip(drawn, panels, strict=True)]
    notes = ["Shade: sequences over those that there is room for beside the weights. A cross: does not fit."]
    if not small:
        notes[0] += f" Figures: {'the fewest chips that hold it' if grows else 'KV cache of the whole batch'}."
    notes[0] += " Inside the thick line all of the cache stays on chip." if edges else _no_edge(cells)
    where = [f"{r['hardware']}: {_where(r, grows)}" for r in records]
    shared = [{k: v for k, v in r.items() if k != "context_tokens"} for r in records]
    data = {"cells": cells, "edges": edges}
    notes.append("; ".join(dict.fromkeys(where)) + ".")
    columns = frame.columns(panels, width)
    return Drawing(
        frame.side_by_side(drawn, columns), data, "Room for the KV cache", frame.about(shared), notes, columns
    )


def _no_edge(cells: list[Record]) -> str:
    return " All of the cache stays on chip." if all(c["on_chip"] for c in cells) else " None of it stays on chip."


def _where(r: Record, grows: bool) -> str:
    chips = " on a chip" if grows else "" if r["chips"] == 1 else f" on each of {r['chips']} chips"
    room = f"KV cache in {r['memory_tier']}, {format_si(r['usable_bytes_per_chip'], 'B')} usable{chips}"
    return room + (f" ({r['cache_tier']} {format_si(r['cache_bytes_per_chip'], 'B')})" if "cache_tier" in r else "")


def _cell(r: Record, name: str, grows: bool) -> Record:
    on_chip = bool(r["fits"] and (r["on_chip"] or r["fits_cache"]))
    cell: Record = {"panel": name, "batch": int(r["batch"]), "context": int(r["context_tokens"])}
    cell |= {"fits": r["fits"], "on_chip": on_chip, "kv_bytes": r["kv_bytes"], "chips": r["chips"]}
    held = f"{r['chips']:,}" if grows else format_si(r["kv_bytes"], "B", 2)
    cell["text"] = held if r["fits"] else "×"
    return cell | ({"share": r["batch"] / r["users"]} if r["fits"] else {})


def _edges(cells: list[Record]) -> list[Record]:
    """Return the sides that part cells on chip from the others: the right or the top of a cell."""
    state = {(c["context"], c["batch"]): c["on_chip"] for c in cells}
    contexts, batches = sorted({x for x, _ in state}), sorted({y for _, y in state})
    after = dict(pairwise(contexts)) | {contexts[-1]: 0}
    above = dict(pairwise(batches)) | {batches[-1]: 0}
    edges = []
    for (x, y), inside in state.items():
        for side, beside in (("right", (after[x], y)), ("top", (x, above[y]))):
            if state.get(beside, inside) != inside:
                edges.append({"panel": cells[0]["panel"], "context": x, "batch": y, "side": side})
    return edges


def _panel(name: str, contexts: list[int], batches: list[int], text: bool, width: int, height: int) -> Record:
    here = frame.only("panel", name)

    def x(band: float | None = None) -> Any:
        axis = alt.Axis(format=",d", labelAngle=0, labelOverlap="greedy")
        more = {} if band is None else {"bandPosition": band}
        return alt.X("context:O", title="context [tokens]", sort=contexts, axis=axis, **more)

    def y(band: float | None = None) -> Any:
        more = {} if band is None else {"bandPosition": band}
        return alt.Y("batch:O", title="batch [sequences]", sort=batches[::-1], axis=alt.Axis(format=",d"), **more)

    base = alt.Chart(frame.data("cells"), width=width, height=height).transform_filter(here)
    shade = alt.Color(
        "share:Q",
        title="share of the KV room used",
        scale=alt.Scale(scheme="cividis", domain=[0, 1], reverse=True),
        legend=alt.Legend(format=".0%", gradientLength=220, values=[0, 0.25, 0.5, 0.75, 1]),
    )
    tips = [
        alt.Tooltip("context:Q", format=",d", title="context [tokens]"),
        alt.Tooltip("batch:Q", format=",d"),
        alt.Tooltip("kv_bytes:Q", format=".3~s", title="KV cache [B]"),
        alt.Tooltip("share:Q", format=".1%", title="share of the room"),
        alt.Tooltip("on_chip:N", title="on chip"),
    ]
    cells = base.transform_filter(frame.only("fits", True)).mark_rect(stroke="white", strokeWidth=1)
    ink = alt.condition("datum.share > 0.5", alt.value("white"), alt.value(frame.INK))
    words = base.mark_text(fontSize=10).encode(x(), y(), text=alt.Text("text:N"), color=ink)
    layers = [
        cells.encode(x(), y(), shade, tooltip=tips),
        words if text else words.transform_filter(frame.only("fits", False)),
    ]
    rules = alt.Chart(frame.data("edges")).transform_filter(here).mark_rule(strokeWidth=4, color="#D55E00")
    for side, across, up in (("right", (1, 1), (0, 1)), ("top", (0, 1), (0, 0))):
        x2, y2 = alt.X2("context", bandPosition=across[1]), alt.Y2("batch", bandPosition=up[1])
        layers.append(rules.transform_filter(frame.only("side", side)).encode(x(across[0]), y(up[0]), x2, y2))
    return frame.layered(*layers)
