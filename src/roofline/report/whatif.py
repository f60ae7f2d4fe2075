"""Tables of what figures are worth, and of the value that reaches a target."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.units import format_si, significant

#: Figures whose step moves the output by less than this are counted, not listed.
_SMALL = 5e-4


def figure(value: float, unit: str) -> str:
    """Write a figure with its unit."""
    if unit in ("USD", "USD/h"):
        return f"{significant(value)} {unit}"
    return significant(value, 4) if unit == "1" else format_si(value, unit)


def answer(name: str, value: float) -> str:
    """Write an output with its unit."""
    if name.endswith("_seconds"):
        return format_si(value, "s")
    if name.startswith("usd"):
        return f"${significant(value)}"
    return significant(value) + (" tok/s" if name.startswith("tokens_per_second") else "")


def _head(r: Record) -> str:
    shape = " x ".join(f"{k} {r[k]}" for k in ("tp", "pp", "dp", "ep") if r.get(k, 1) != 1)
    keys = (("batch", "batch"), ("context_tokens", "tokens"), ("isl", "in"), ("osl", "out"), ("concurrency", "users"))
    load = ", ".join(
        f"{word} {r[key]:,.0f}" for key, word in keys if key in r and (key, "isl" in r) != ("context_tokens", True)
    )
    chips = f"{r['chips']:,} x {r['hardware']}" + (f" ({shape})" if shape else "")
    estimate = "" if r["estimate"] == "predicted" else f", {r['estimate'].replace('_', ' ')}"
    return f"{r['model']} on {chips}, engine {r['engine']}, {load}{estimate}"


def _change(r: Record, side: str) -> str:
    if f"change_{side}" in r:
        return f"{r[f'change_{side}']:+.1%}"
    return "does not fit" if f"fits_{side}" in r else "-"


def sensitivity_page(records: list[Record]) -> list[Block]:
    """Return a ranked table per deployment: what a step down and up of each figure does."""
    pages = []
    for _, group in groupby(records, key=_head):
        rows, still = list(group), 0
        first = rows[0]
        step = f"{first['step']:.3g}" if first["step"] < 0.001 else f"{first['step']:.3%}".replace(".000", "")
        lines = []
        for r in rows:
            if r["swing"] < _SMALL and "fits_down" not in r and "fits_up" not in r:
                still += 1
                continue
            moved = [_change(r, "down"), _change(r, "up")]
            lines.append([r["figure"], figure(r["figure_value"], r["unit"]), f"{r['elasticity']:+.3f}", *moved])
        bound = f", bound by {first['bound']}" if "bound" in first else ""
        value = f"{first['output'].replace('_', ' ')}: {answer(first['output'], first['output_value'])}{bound}"
        notes = [
            f"Change of the output when one figure moves by {step}; elasticity: per cent per per cent.",
            f"{still} more figures change less than 0.05 %. Dimensions of models move by whole numbers.",
        ]
        notes += [f"Note: {text}." for text in first["warnings"]]
        header = ["figure", "now", "elasticity", f"-{step}", f"+{step}"]
        pages += [Block(_head(first), notes=[value]), Block("", header, lines, notes)]
    return pages


def target_page(records: list[Record]) -> list[Block]:
    """Return what reaches the target, or what stands in the way."""
    pages = []
    for r in records:
        name = r["output"]
        rows = [
            [name.replace("_", " "), answer(name, r["output_value"]), f"wanted {answer(name, r['target'])}"],
            [r["figure"], figure(r["figure_value"], r["unit"]), "now"],
        ]
        if r["reached"]:
            rows.append(["needed", figure(r["figure_needed"], r["unit"]), f"{significant(r['factor'], 4)} x as much"])
        else:
            rows.append(["best", answer(name, r["output_best"]), f"at {_extreme(r)}"])
            limit = f"{r['limited_by']}, elasticity {r['limited_by_elasticity']:+.3f}"
            rows.append(["limit there", limit, f"bound by {r['bound']}" if "bound" in r else ""])
        none = [] if r["reached"] else [f"No value of {r['figure']} reaches the target"]
        if none:
            none[0] += "; today's is as near as any." if r["output_best"] == r["output_value"] else "."
        pages.append(Block(_head(r), rows=rows, notes=none + [f"Note: {text}." for text in r["warnings"]]))
    return pages


def _extreme(r: Record) -> Any:
    times = r["figure_best"] / r["figure_value"]
    if times > 1e6 or times < 1e-6:
        return "any larger value" if times > 1 else "any smaller value"
    return figure(r["figure_best"], r["unit"])


PAGES = {"sensitivity": sensitivity_page, "target": target_page}
