"""What each command's table says, in the reader's words and three significant digits."""

from __future__ import annotations

from collections.abc import Callable

from roofline.report.listings import figures_page, list_page, model_page
from roofline.report.record import Record
from roofline.report.table import Block
from roofline.report.tables import OUTPUTS, compare_page, explain_page, many
from roofline.report.words import chip_word, dollars, head, rate, settings, size
from roofline.units import format_si, significant


def blocks(kind: str, records: list[Record]) -> list[Block]:
    """Return the blocks of a command's table."""
    if kind == "decode" and _one_point(records):
        return decode_page(records)
    if kind == "prefill" and len(records) == 1:
        return prefill_page(records[0])
    if kind == "fit" and len(records) == 1:
        return fit_page(records[0])
    if kind == "plan":
        from roofline.report import plan

        return plan.page(records)
    if kind in SPECIAL:
        return SPECIAL[kind](records)
    if kind not in OUTPUTS:
        from roofline.report import money, whatif

        return (money.PAGES | whatif.PAGES)[kind](records)
    return [many(kind, records)]


def _one_point(records: list[Record]) -> bool:
    keys = ("hardware", "model", "engine", "chips", "batch", "context_tokens", "scenario")
    return len({tuple(r.get(k) for k in keys) for r in records}) == 1


def _span(record: Record, key: str, show: Callable[[float], str] = rate) -> str:
    low, high = record.get(f"{key}_low"), record.get(f"{key}_high")
    return f"{show(low)} to {show(high)}" if low is not None and high is not None else ""


def storage_rows(record: Record) -> list[list[str]]:
    """Return where weights and KV cache sit, and what fits."""
    where = record["memory_tier"] + (" on chip" if record["on_chip"] else " (not on chip)")
    if record["fits_cache"]:
        where += ", though small enough for the on-chip cache"
    needed = record.get("chips_needed")
    rows = []
    if needed is not None:
        rows.append(
            [f"{chip_word(record)} needed", f"{needed:,}", f"to hold batch {record['batch']:,.0f} at this context"]
        )
    rows += [
        ["weights", size(record["weights_bytes"]), "fit" if record["fits"] or record["users"] else "do not fit"],
        ["KV cache", size(record["kv_bytes_per_user"]), f"per user at this context, in {where}"],
        ["users that fit", f"{record['users']:,}", _users_note(record)],
    ]
    if record["max_context"]:
        rows.append(["longest context", f"{record['max_context']:,}", f"for batch {record['batch']:,.0f}"])
    return rows


def _users_note(record: Record) -> str:
    if record["max_batch"] < record["users"]:
        return f"the engine decodes at most {record['max_batch']:,} together"
    return "at this context"


def not_fitting(record: Record) -> list[str]:
    """Return what to say instead of a throughput."""
    needed = record.get("chips_needed")
    remedy = f"it takes {needed:,} {chip_word(record)}" if needed else "no number of chips up to 4,096 holds it"
    parts = [f"Does not fit: batch {record['batch']:,.0f} at {record['context_tokens']:,.0f} tokens; {remedy}."]
    if record["users"]:
        parts.append(f"These {record['chips']:,} hold {record['users']:,} users at this context.")
    if record["max_context"]:
        parts.append(f"They hold this batch up to {record['max_context']:,} tokens.")
    return [" ".join(parts), "No throughput is given for a machine that cannot hold the model."]


def decode_page(records: list[Record]) -> list[Block]:
    """Return the page of one decode point."""
    by = {record["estimate"]: record for record in records}
    first = records[0]
    title = head(first, f"decode, batch {first['batch']:,.0f}, context {first['context_tokens']:,.0f} tokens")
    pages = [Block(title, notes=[settings(first)]), Block("Where it sits", rows=storage_rows(first))]
    if not first["fits"]:
        pages.append(Block("Speed", notes=not_fitting(first)))
        return [*pages, *_warnings(first)]
    if "no_speculation" in by:
        pages += _spatial_speed(by)
    else:
        pages += _speed(first)
    money = by.get("as_served", first)
    pages.append(_cost(money, by))
    return [*pages, *_warnings(first)]


def _speed(record: Record) -> list[Block]:
    rows = [
        [
            "per user",
            f"{rate(record['tokens_per_second_per_user'])} tok/s",
            _interval_note(record),
        ],
        ["time per token", format_si(record["tpot_seconds"], "s"), ""],
        ["aggregate", f"{rate(record['tokens_per_second'])} tok/s", f"batch {record['batch']:,.0f}"],
        ["per chip", f"{rate(record['tokens_per_second_per_chip'])} tok/s", ""],
        ["bound by", str(record["bound"]), _efficiency(record)],
    ]
    return [Block("Speed", rows=rows)]


def _interval_note(record: Record) -> str:
    span = _span(record, "tokens_per_second_per_user")
    return f"90 % interval {span} ({record['confidence']})" if span and "confidence" in record else span


def _efficiency(record: Record) -> str:
    parts = [f"{name.upper()} {record[name]:.0%}" for name in ("mfu", "mbu") if name in record]
    return ", ".join(parts)


def _spatial_speed(by: dict[str, Record]) -> list[Block]:
    plain, served, naive = by["no_speculation"], by.get("as_served"), by.get("naive_bandwidth")
    user = "tokens_per_second_per_user"
    rows = [["without speculation", f"{rate(plain[user])} tok/s", "from layer times and region sizes"]]
    if served is not None:
        note = f"{_span(served, user)}; speculation undisclosed, worst reading x/÷ {served['served_worst_factor']:g}"
        rows.append(["as served", f"{rate(served[user])} tok/s", note])
    notes = []
    if naive is not None:
        against = served or plain
        over = naive[user] / against[user]
        rows.append(["naive bandwidth bound", f"{rate(naive[user])} tok/s", f"{significant(over)}x too high"])
        notes.append(
            "The naive bound divides the headline bandwidth by the active weights. It is wrong because a token passes "
            "the layers one after another and only ever uses the region that holds the current layer."
        )
    speed = Block("Speed per user", rows=rows, notes=notes)
    rows = [["at this batch", f"{rate((served or plain)['tokens_per_second'])} tok/s", f"batch {plain['batch']:,.0f}"]]
    if "aggregate_users" in plain:
        total = (served or plain)["aggregate_tokens_per_second"]
        rows.append(["with all users", f"{rate(total)} tok/s", f"{plain['aggregate_users']:,} in flight, as served"])
    rows.append(["bound by", str(plain["bound"]), "a layer's time, without speculation"])
    return [speed, Block("Throughput", rows=rows)]


def _cost(record: Record, by: dict[str, Record]) -> Block:
    rows = []
    if "watts" in record:
        rows.append(
            ["power", format_si(record["watts"], "W"), f"{significant(record['joules_per_token'])} J per token"]
        )
    key = "usd_per_million_output_tokens"
    if key not in record:
        rows.append(["dollars", "unknown", "no published price for this chip; give --usd-per-hour"])
        return Block("Power and cost", rows=rows)
    each = record["usd_per_hour"] / record["chips"]
    basis = record["price_basis"].replace("-", " ") + (f", {record['price_date']}" if "price_date" in record else "")
    busy = f"utilisation {record['utilisation']:.0%}"
    rows.append(["rent", f"{dollars(record['usd_per_hour'])}/h", f"{record['chips']:,} x {dollars(each)}/h ({basis})"])
    label = "as served" if record["estimate"] == "as_served" else ""
    batch = f"batch {record['batch']:,.0f}, {busy}" + (f", {label}" if label else "")
    rows.append(["output tokens", f"{dollars(record[key])} per million", batch])
    if "aggregate_usd_per_million_output_tokens" in record:
        full = record["aggregate_usd_per_million_output_tokens"]
        rows.append(["", f"{dollars(full)} per million", f"all {record['aggregate_users']:,} users in flight, {busy}"])
    return Block("Power and cost", rows=rows)


def _warnings(record: Record) -> list[Block]:
    notes = [f"Note: {text}." for text in record.get("warnings", ())]
    return [Block(notes=notes)] if notes else []


def prefill_page(record: Record) -> list[Block]:
    """Return the page of one prefill."""
    what = f"prefill, batch {record['batch']:,.0f}, {record['isl']:,.0f} prompt tokens"
    if record["past_tokens"]:
        what += f" after {record['past_tokens']:,.0f} cached"
    pages = [Block(head(record, what), notes=[settings(record)]), Block("Where it sits", rows=storage_rows(record))]
    if not record["fits"]:
        return [*pages, Block("Speed", notes=not_fitting(record)), *_warnings(record)]
    rows = [
        ["first token after", format_si(record["ttft_seconds"], "s"), "prefill alone: no queue, no network"],
        [
            "input",
            f"{rate(record['tokens_per_second'])} tok/s",
            f"{rate(record['tokens_per_second_per_chip'])} per chip",
        ],
        ["bound by", str(record["bound"]), _efficiency(record)],
    ]
    if "usd_per_million_input_tokens" in record:
        text = f"{dollars(record['usd_per_hour'])}/h, {record['price_basis'].replace('-', ' ')}"
        text += f", {record['price_date']}" if "price_date" in record else ""
        cost = f"{dollars(record['usd_per_million_input_tokens'])} per million"
        rows.append(["input tokens", cost, f"{text}, utilisation {record['utilisation']:.0%}"])
    return [*pages, Block("Speed", rows=rows), *_warnings(record)]


def fit_page(record: Record) -> list[Block]:
    """Return the page of one fit."""
    what = f"batch {record['batch']:,.0f}, context {record['context_tokens']:,.0f} tokens"
    pages = [Block(head(record, what), notes=[settings(record)])]
    pages.append(Block("Storage", rows=storage_rows(record)))
    rows = [["per chip: weights", size(record["weights_bytes_per_chip"]), "copies included"]]
    rows.append(["per chip: KV cache", size(record["kv_bytes_per_chip"]), "this batch"])
    if record["activation_bytes_per_chip"]:
        rows.append(["per chip: activations", size(record["activation_bytes_per_chip"]), "one prefill chunk"])
    index = 0
    while f"tier_{index}" in record:
        used, capacity = record[f"tier_{index}_used"], record[f"tier_{index}_bytes"]
        rows.append([f"tier {index}: {record[f'tier_{index}']}", size(capacity), f"{used / capacity:.0%} used"])
        index += 1
    if "cache_tier" in record:
        share = record["kv_bytes_per_chip"] / record["cache_bytes_per_chip"]
        held = "would hold this batch's KV cache" if share <= 1 else f"this batch's KV cache is {share:,.0f}x as large"
        rows.append([f"on-chip {record['cache_tier']}", size(record["cache_bytes_per_chip"]), held])
    pages.append(Block("Memory of one chip", rows=rows))
    total = record["weights_bytes"] + record["kv_bytes"]
    share = record["kv_bytes"] / total
    verdict = f"Fits; KV cache is {share:.0%} of what is stored." if record["fits"] else not_fitting(record)[0]
    pages.append(Block(notes=[verdict]))
    return [*pages, *_warnings(record)]


def load_cost_page(records: list[Record]) -> list[Block]:
    """Return what loads cost, one page per deployment."""
    from roofline.report import bill

    return bill.pages(records)


SPECIAL: dict[str, Callable[[list[Record]], list[Block]]] = {
    "load-cost": load_cost_page,
    "explain": explain_page,
    "compare": compare_page,
    "figures": figures_page,
    "model": model_page,
    "list": list_page,
}
