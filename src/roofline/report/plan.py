"""The page of a plan: the answer, how it is started, who lost and why, and what speed costs."""

from __future__ import annotations

from collections.abc import Callable

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.units import format_si, significant

#: Runners-up and points of the frontier that a page shows; the other formats hold all of them.
MOST_OTHERS, MOST_POINTS = 12, 10


def pool(record: Record, prefix: str = "") -> str:
    """Return a pool in words, such as ``2 x (8 x b200, tp 8, fp8)``."""
    chips, copies = record[f"{prefix}chips"], record[f"{prefix}copies"]
    shape = [
        f"{name} {record[f'{prefix}{name}']}" for name in ("tp", "pp", "dp", "ep") if record[f"{prefix}{name}"] > 1
    ]
    if not prefix and record.get("dcp", 1) > 1:
        shape.append(f"dcp {record['dcp']}")
    if not prefix and record.get("drafted_tokens"):
        shape.append(f"drafting {record['drafted_tokens']}")
    words = [f"{chips} x {record[f'{prefix}hardware']}", *shape, record[f"{prefix}weights_dtype"]]
    words.append(record[f"{prefix}engine"])
    one = ", ".join(words)
    return one if copies == 1 else f"{copies} x ({one})"


def deployment(record: Record) -> str:
    """Return both pools in words."""
    if record["pools"] == "shared":
        return pool(record)
    return f"prefill {pool(record, 'prefill_')}; decode {pool(record)}"


def _seconds(value: float) -> str:
    return format_si(value, "s")


def _span(record: Record, key: str, show: Callable[[float], str]) -> str:
    low, high = record.get(f"{key}_low"), record.get(f"{key}_high")
    return "" if low is None or high is None else f"{show(low)} to {show(high)}, {record['confidence']}"


def _answer(title: str, record: Record) -> Block:
    money = f"${record['usd_per_hour']:,.2f}/h, {record['price_basis'].replace('-', ' ')}"
    rows = [
        ["deployment", deployment(record), f"{record['total_chips']:,} chips, KV cache {record['kv_dtype']}"],
        ["batch", f"{record['batch']:,.0f}", "sequences of a copy that decode together"],
        ["first token", _seconds(record["ttft_seconds"]), _span(record, "ttft_seconds", _seconds)],
        ["time per token", _seconds(record["tpot_seconds"]), _span(record, "tpot_seconds", _seconds)],
        ["speed per user", f"{significant(record['tokens_per_second_per_user'])} tok/s", ""],
        [
            "carries",
            f"{significant(record['requests_per_second'])} requests/s",
            f"utilisation {record['utilisation']:.0%}",
        ],
        ["output per chip", f"{significant(record['tokens_per_second_per_chip'])} tok/s", ""],
        ["rent", money, record.get("price_date", "")],
        ["all tokens", f"${significant(record['usd_per_million_tokens'])} per million", "input and output alike"],
    ]
    return Block(title, [], rows)


def _row(record: Record) -> list[str]:
    return [
        deployment(record),
        str(record["total_chips"]),
        _seconds(record["ttft_seconds"]),
        _seconds(record["tpot_seconds"]),
        significant(record["tokens_per_second_per_user"]),
        significant(record["tokens_per_second_per_chip"]),
        f"${significant(record['usd_per_million_tokens'])}",
    ]


_HEADER = ["deployment", "chips", "TTFT", "TPOT", "tok/s/user", "tok/s/chip", "$/M"]


def _promises(record: Record) -> str:
    """Return what was promised, in the units that it was understood in."""
    kept = {"first token": "promised_ttft_seconds", "time per token": "promised_tpot_seconds"}
    words = [f"{name} within {_seconds(record[key])}" for name, key in kept.items() if key in record]
    return f", {', '.join(words)}" if words else ""


def page(records: list[Record]) -> list[Block]:
    """Return the blocks of a plan."""
    by_role: dict[str, list[Record]] = {}
    for record in records:
        by_role.setdefault(record["role"], []).append(record)
    best = by_role["cheapest"][0]
    cached = f" ({best['past_tokens']:,.0f} cached)" if best.get("past_tokens") else ""
    head = f"{best['model']}, {best['isl']:,.0f} tokens in{cached}, {best['osl']:,.0f} out: cheapest of "
    head += f"{best['points']:,} points of {best['deployments']:,} deployments{_promises(best)}"
    blocks = [_answer(head, best)]
    started = [best[key] for key in ("prefill_command", "command") if best.get(key)]
    if started:
        blocks.append(Block("Started by", [], [[line] for line in started]))
    fastest = by_role.get("fastest", [])
    if fastest:
        blocks.append(_answer("Fastest that keeps the promises", fastest[0]))
    others = by_role.get("runner-up", [])
    shown = [r for r in others if r["pools"] == "shared"] + [r for r in others if r["pools"] != "shared"]
    shown = sorted(shown[:MOST_OTHERS], key=lambda r: r["usd_per_million_tokens"])
    if shown:
        more = [f"The best of each chip or pair of chips; {len(others) - len(shown)} more pairs in the other formats."]
        rows = [[*_row(r), r["reason"]] for r in shown]
        blocks.append(Block("Why the others lost", [*_HEADER, "why"], rows, more if len(others) > len(shown) else []))
    if by_role.get("near-miss"):
        rows = [[*_row(r), r["reason"]] for r in by_role["near-miss"]]
        blocks.append(Block("Chips that keep no promise", [*_HEADER, "nearest miss"], rows))
    line = by_role.get("frontier", [])
    step = max(1, -(-len(line) // MOST_POINTS))
    if line:
        note = ["No deployment beats these in both speed and dollars; the promised time per token does not bind here."]
        blocks.append(Block("What speed costs", _HEADER, [_row(r) for r in line[::step]], note))
    line = by_role.get("chip-frontier", [])
    step = max(1, -(-len(line) // MOST_POINTS))
    if line:
        note = ["No deployment beats these in both speed and output per chip, whatever a chip costs."]
        blocks.append(Block("What speed takes of a chip", _HEADER, [_row(r) for r in line[::step]], note))
    notes = list(dict.fromkeys(w for r in records for w in r.get("warnings", ())))
    if notes:
        blocks.append(Block("", [], [], [f"Note: {text}" for text in notes]))
    return blocks
