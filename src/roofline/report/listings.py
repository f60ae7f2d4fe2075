"""What the catalogue holds: the figures of a chip or engine, the counts of a model, the names of a folder."""

from __future__ import annotations

from typing import Any

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.report.words import size
from roofline.units import format_si, significant


def figures_page(records: list[Record]) -> list[Block]:
    """Return the figures of a chip or engine with their sources."""
    rows = []
    for r in records:
        source = r.get("source", "-")
        short = source if len(source) <= 70 else source[:67] + "..."
        rows.append([r["figure"], f"{r['value']:.6g}", r.get("kind", "-"), r.get("checked", "-"), short])
    notes = ["Base units: B, B/s, FLOP/s, s, W, USD. --format json has whole sources and notes."]
    return [Block(records[0]["name"], ["figure", "value", "kind", "checked", "source"], rows, notes)]


def model_page(records: list[Record]) -> list[Block]:
    """Return one or more models' counts, labels at the left."""
    labels = list(dict.fromkeys(key for r in records for key in r if key not in ("full_name",)))

    def cell(key: str, value: Any) -> str:
        if key.endswith("_bytes"):
            return f"{size(value)} ({value:,.0f} B)"
        if "parameters" in key:
            return f"{significant(value / 1e9, 4)} B ({value:,.0f})"
        if isinstance(value, list):
            return ", ".join(value)
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

    rows = [[key.replace("_", " "), *(cell(key, r[key]) if key in r else "-" for r in records)] for key in labels]
    return [Block(records[0]["full_name"], rows=rows)]


def list_page(records: list[Record]) -> list[Block]:
    """Return the names of a catalogue folder."""
    if "vendor" in records[0]:
        header = ["name", "full name", "year", "status", "16-bit", "memory", "bandwidth", "origin"]
        rows = [
            [
                r["name"],
                r["full_name"],
                str(r["year"]),
                r["status"],
                format_si(r["peak_16_bit_flops_per_second"], "FLOP/s") if "peak_16_bit_flops_per_second" in r else "-",
                size(r["memory_bytes"]),
                format_si(r["memory_bytes_per_second"], "B/s"),
                r["origin"],
            ]
            for r in records
        ]
    elif "isl" in records[0]:
        header = ["name", "ISL", "OSL", "cache hits", "turns", "avg/peak", "origin"]
        rows = []
        for r in records:
            lengths = [f"{r['isl']:,.0f}", f"{r['osl']:,.0f}", f"{r['cache_hit']:.0%}"]
            load = [significant(r[key]) if key in r else "-" for key in ("turns", "average_to_peak")]
            rows.append([r["name"], *lengths, *load, r["origin"]])
    elif "developer" in records[0]:
        header = ["name", "full name", "released", "parameters", "active", "origin"]
        rows = [
            [r["name"], r["full_name"], r.get("release", "-"), _range(r, "total"), _range(r, "active"), r["origin"]]
            for r in records
        ]
    else:
        header = ["name", "full name", "origin"]
        rows = [[r["name"], r["full_name"], r["origin"]] for r in records]
    return [Block("", header, rows, [f"{len(records)} in all; `show NAME` gives every figure with its source."])]


def _range(record: Record, what: str) -> str:
    key = f"{what}_parameters"
    if key in record:
        return f"{significant(record[key] / 1e9)} B"
    return f"{significant(record[f'{key}_low'] / 1e9)} to {significant(record[f'{key}_high'] / 1e9)} B, estimate"
