"""Tables of many records: points in rows, chips or models side by side, operations of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.report.words import dollars, head, price_note, rate, seconds, settings, size, text, yes
from roofline.units import format_si, significant

_INPUTS = [
    ("chip", "hardware", text),
    ("model", "model", text),
    ("scenario", "scenario", text),
    ("engine", "engine", text),
    ("estimate", "estimate", text),
    ("which", "estimate_kind", lambda v: v.replace("_", " ")),
    ("chips", "chips", text),
    ("tp", "tp", text),
    ("pp", "pp", text),
    ("dp", "dp", text),
    ("ep", "ep", text),
    ("weights", "weights_dtype", text),
    ("kv", "kv_dtype", text),
    ("batch", "batch", text),
]
OUTPUTS: dict[str, list[tuple[str, str, Callable[[Any], str]]]] = {
    "decode": [
        ("context", "context_tokens", text),
        ("fits", "fits", yes),
        ("users", "users", text),
        ("tok/s/user", "tokens_per_second_per_user", rate),
        ("90 %", "tokens_per_second_per_user_span", lambda v: _span(v, rate)),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("TPOT", "tpot_seconds", seconds),
        ("interval", "confidence", text),
        ("bound", "bound", text),
        ("$/M out", "usd_per_million_output_tokens", dollars),
    ],
    "prefill": [
        ("prompt", "isl", text),
        ("fits", "fits", yes),
        ("TTFT", "ttft_seconds", seconds),
        ("90 %", "ttft_seconds_span", lambda v: _span(v, seconds)),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("interval", "confidence", text),
        ("bound", "bound", text),
        ("$/M in", "usd_per_million_input_tokens", dollars),
    ],
    "fit": [
        ("context", "context_tokens", text),
        ("fits", "fits", yes),
        ("weights", "weights_bytes", size),
        ("KV/user", "kv_bytes_per_user", size),
        ("KV", "kv_bytes", size),
        ("on chip", "on_chip", yes),
        ("users", "users", text),
        ("longest", "max_context", text),
        ("needed", "chips_needed", text),
    ],
    "serve": [
        ("load", "load", text),
        ("users", "concurrency", text),
        ("ISL", "isl", text),
        ("OSL", "osl", text),
        ("fits", "fits", yes),
        ("TTFT", "ttft_seconds", seconds),
        ("90 %", "ttft_seconds_span", lambda v: _span(v, seconds)),
        ("p99 TTFT", "ttft_p99_seconds", seconds),
        ("TPOT", "tpot_seconds", seconds),
        ("90 %", "tpot_seconds_span", lambda v: _span(v, seconds)),
        ("tok/s/user", "tokens_per_second_per_user", rate),
        ("req/s", "requests_per_second", rate),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("interval", "confidence", text),
        ("TTFT kept", "meets_ttft", yes),
        ("TPOT kept", "meets_tpot", yes),
        ("good req/s", "goodput_requests_per_second", rate),
        ("$/M out", "usd_per_million_output_tokens", dollars),
    ],
    "cost": [
        ("basis", "price_basis", text),
        ("date", "price_date", text),
        ("$/chip/h", "usd_per_chip_hour", dollars),
        ("$/h", "usd_per_hour", dollars),
        ("util.", "utilisation", lambda v: f"{v:.0%}"),
        ("$/M in", "usd_per_million_input_tokens", dollars),
        ("$/M out", "usd_per_million_output_tokens", dollars),
        ("$/M", "usd_per_million_tokens", dollars),
        ("tok/s", "tokens_per_second", rate),
    ],
}
#: Shown even where all points agree, beside what is predicted.
_ALWAYS = {"hardware", "model", "chips", "batch", "context_tokens", "isl"}
#: Not shown where all points agree, but told below.
_PLAIN = {"load", "confidence"}


def _span(ends: tuple[float, float], show: Callable[[float], str]) -> str:
    return " to ".join(show(end) for end in ends)


def _with_spans(record: Record) -> Record:
    """Return a record with its intervals as pairs of ends."""
    spans = {
        f"{key}_span": (record[f"{key}_low"], record[f"{key}_high"])
        for key in ("ttft_seconds", "tpot_seconds", "tokens_per_second_per_user")
        if key in record and f"{key}_low" in record
    }
    return record | spans


def many(kind: str, records: list[Record]) -> Block:
    """Return a table of many points: inputs that vary and the usual outputs; what all share stands below."""
    columns = [*_INPUTS, *OUTPUTS[kind]]
    shown, shared = [], []
    records = [_with_spans(record) for record in records]
    outputs = {key for _, key, _ in OUTPUTS[kind]} - _PLAIN
    for title, key, show in columns:
        values = {repr(record.get(key)) for record in records}
        if all(key not in record for record in records):
            continue
        if len(values) > 1 or key in _ALWAYS or key in outputs:
            shown.append((title, key, show))
        elif key not in ("estimate",) and records[0].get(key) != 1:
            shared.append(f"{title} {show(records[0][key])}")
    rows = [[show(r[key]) if key in r else "-" for _, key, show in shown] for r in records]
    notes = [", ".join(shared)] if shared else []
    if any("usd_per_hour" in r for r in records) and kind in ("decode", "prefill", "serve"):
        notes.append(price_note(records))
    if any(not r.get("fits", True) for r in records):
        notes.append("Where it does not fit no throughput is given; `roofline fit` says what would.")
    notes += [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]
    return Block(header=[title for title, _, _ in shown], rows=rows, notes=notes)


def explain_page(records: list[Record]) -> list[Block]:
    """Return the operation table of one point."""
    *parts, step = records
    what = f"{step['phase']}, batch {step['batch']:,.0f}, {step['context_tokens']:,.0f} tokens"
    header = [
        "operation",
        "layers",
        "dtype",
        "calls",
        "GFLOP",
        "MB",
        "FLOP/B",
        "compute",
        "memory",
        "time",
        "share",
        "bound",
    ]
    rows = []
    for part in parts:
        rows.append(
            [
                part["operation"],
                part["layer"],
                part["dtype"],
                significant(part["count"]),
                significant(part["flops"] / 1e9) if part["flops"] else "-",
                significant(part["bytes"] / 1e6) if part["bytes"] else "-",
                significant(part["intensity_flops_per_byte"]) if part.get("intensity_flops_per_byte") else "-",
                seconds(part["compute_seconds"]),
                seconds(part["memory_seconds"]),
                seconds(part["seconds"]),
                f"{part['share']:.1%}",
                part["bound"],
            ]
        )
    total = ["step", "", "", "", significant(step["flops"] / 1e9), significant(step["bytes"] / 1e6), "", "", ""]
    rows.append([*total, seconds(step["seconds"]), "", step["bound"]])
    notes = ["Per chip, all calls of the step. time = max(compute, memory) + κ min(compute, memory) + overhead"]
    notes += [f"Note: {text}." for text in step["warnings"]]
    return [Block(head(step, what), notes=[settings(step)]), Block("", header, rows, notes)]


#: Rows of the comparison: label, key, how to show it.
_SIDE_BY_SIDE: list[tuple[str, str, Callable[[Any], str]]] = [
    ("model", "model", text),
    ("as", "proxy", text),
    ("engine", "engine", text),
    ("estimate", "estimate", lambda v: v.replace("_", " ")),
    ("which", "estimate_kind", lambda v: v.replace("_", " ")),
    ("chips", "chips", text),
    ("tp", "tp", text),
    ("pp", "pp", text),
    ("weights", "weights_dtype", text),
    ("KV cache", "kv_dtype", text),
    ("weights stored", "weights_bytes", size),
    ("KV per user", "kv_bytes_per_user", size),
    ("KV on chip", "on_chip", yes),
    ("fits", "fits", yes),
    ("chips needed", "chips_needed", text),
    ("users that fit", "users", text),
    ("tok/s per user", "tokens_per_second_per_user", rate),
    ("tok/s", "tokens_per_second", rate),
    ("tok/s per chip", "tokens_per_second_per_chip", rate),
    ("bound", "bound", text),
    ("first token, batch 1", "ttft_seconds", seconds),
    ("input tok/s", "input_tokens_per_second", rate),
    ("power", "watts", lambda v: format_si(v, "W")),
    ("J per output token", "joules_per_token", significant),
    ("rent per hour", "usd_per_hour", dollars),
    ("$/M input", "usd_per_million_input_tokens", dollars),
    ("$/M output", "usd_per_million_output_tokens", dollars),
]


def compare_page(records: list[Record]) -> list[Block]:
    """Return chips or models as columns."""
    first = records[0]
    title = f"batch {first['batch']:,.0f}, context {first['context_tokens']:,.0f} tokens"
    names = [r["hardware"] for r in records]
    rows = []
    for label, key, show in _SIDE_BY_SIDE:
        if any(key in r for r in records):
            rows.append([label, *(show(r[key]) if key in r else "-" for r in records)])
    notes = [price_note(records)] if any("usd_per_hour" in r for r in records) else []
    if any(not r["fits"] for r in records):
        notes.append("Where it does not fit no throughput is given; `roofline fit` says what would.")
    notes += [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]
    return [Block(title, ["", *names], rows, notes)]
