"""What each command's table says, in the reader's words and three significant digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.units import format_si, significant


def blocks(kind: str, records: list[Record]) -> list[Block]:
    """Return the blocks of a command's table."""
    if kind == "decode" and _one_point(records):
        return decode_page(records)
    if kind == "prefill" and len(records) == 1:
        return prefill_page(records[0])
    if kind == "fit" and len(records) == 1:
        return fit_page(records[0])
    if kind in SPECIAL:
        return SPECIAL[kind](records)
    if kind not in _OUTPUTS:
        from roofline.report import money

        return money.PAGES[kind](records)
    return [many(kind, records)]


def _one_point(records: list[Record]) -> bool:
    keys = ("hardware", "model", "engine", "chips", "batch", "context_tokens", "scenario")
    return len({tuple(r.get(k) for k in keys) for r in records}) == 1


def rate(value: float | None) -> str:
    """Tokens per second."""
    return "-" if value is None else significant(value)


def dollars(value: float | None) -> str:
    """Dollars with three significant digits."""
    return "-" if value is None else f"${significant(value)}"


def size(value: float) -> str:
    """Bytes with a decimal prefix."""
    return format_si(value, "B")


def _span(record: Record, key: str, show: Callable[[float], str] = rate) -> str:
    low, high = record.get(f"{key}_low"), record.get(f"{key}_high")
    return f"{show(low)} to {show(high)}" if low is not None and high is not None else ""


def chip_word(record: Record) -> str:
    """Return what one unit of this hardware is called."""
    if record["execution"] != "spatial":
        return "chips"
    return "wafers" if str(record["hardware"]).startswith("wse") else "chips"


def head(record: Record, what: str) -> str:
    """Return the headline of a page: what runs where."""
    shape = " x ".join(f"{k} {record[k]}" for k in ("tp", "pp", "dp", "ep") if record.get(k, 1) != 1)
    chips = f"{record['chips']:,} x {record['hardware']}" + (f" ({shape})" if shape else "")
    proxy = f" (as {record['proxy']}, the {record['scenario']} end of its scenario)" if "proxy" in record else ""
    return f"{record['model']}{proxy} on {chips}, {what}"


def settings(record: Record) -> str:
    """Return the line that names formats and engine."""
    experts = f", experts {record['experts_dtype']}" if record["experts_dtype"] != record["weights_dtype"] else ""
    return f"weights {record['weights_dtype']}{experts}, KV cache {record['kv_dtype']}, engine {record['engine']}"


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


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else significant(value)


def _time(value: float) -> str:
    return format_si(value, "s")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_INPUTS = [
    ("chip", "hardware", _text),
    ("model", "model", _text),
    ("scenario", "scenario", _text),
    ("engine", "engine", _text),
    ("estimate", "estimate", _text),
    ("chips", "chips", _text),
    ("tp", "tp", _text),
    ("pp", "pp", _text),
    ("dp", "dp", _text),
    ("ep", "ep", _text),
    ("weights", "weights_dtype", _text),
    ("kv", "kv_dtype", _text),
    ("batch", "batch", _text),
]
_OUTPUTS: dict[str, list[tuple[str, str, Callable[[Any], str]]]] = {
    "decode": [
        ("context", "context_tokens", _text),
        ("fits", "fits", _yes),
        ("users", "users", _text),
        ("tok/s/user", "tokens_per_second_per_user", rate),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("TPOT", "tpot_seconds", _time),
        ("bound", "bound", _text),
        ("$/M out", "usd_per_million_output_tokens", dollars),
    ],
    "prefill": [
        ("prompt", "isl", _text),
        ("fits", "fits", _yes),
        ("TTFT", "ttft_seconds", _time),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("bound", "bound", _text),
        ("$/M in", "usd_per_million_input_tokens", dollars),
    ],
    "fit": [
        ("context", "context_tokens", _text),
        ("fits", "fits", _yes),
        ("weights", "weights_bytes", size),
        ("KV/user", "kv_bytes_per_user", size),
        ("KV", "kv_bytes", size),
        ("on chip", "on_chip", _yes),
        ("users", "users", _text),
        ("longest", "max_context", _text),
        ("needed", "chips_needed", _text),
    ],
    "serve": [
        ("load", "load", _text),
        ("users", "concurrency", _text),
        ("ISL", "isl", _text),
        ("OSL", "osl", _text),
        ("fits", "fits", _yes),
        ("TTFT", "ttft_seconds", _time),
        ("p99 TTFT", "ttft_p99_seconds", _time),
        ("TPOT", "tpot_seconds", _time),
        ("tok/s/user", "tokens_per_second_per_user", rate),
        ("req/s", "requests_per_second", rate),
        ("tok/s", "tokens_per_second", rate),
        ("tok/s/chip", "tokens_per_second_per_chip", rate),
        ("TTFT kept", "meets_ttft", _yes),
        ("TPOT kept", "meets_tpot", _yes),
        ("good req/s", "goodput_requests_per_second", rate),
        ("$/M out", "usd_per_million_output_tokens", dollars),
    ],
    "cost": [
        ("basis", "price_basis", _text),
        ("date", "price_date", _text),
        ("$/chip/h", "usd_per_chip_hour", dollars),
        ("$/h", "usd_per_hour", dollars),
        ("util.", "utilisation", lambda v: f"{v:.0%}"),
        ("$/M in", "usd_per_million_input_tokens", dollars),
        ("$/M out", "usd_per_million_output_tokens", dollars),
        ("$/M", "usd_per_million_tokens", dollars),
        ("tok/s", "tokens_per_second", rate),
    ],
}
#: Shown even where all points agree.
_ALWAYS = {"hardware", "model", "chips", "batch", "context_tokens", "isl"}


def many(kind: str, records: list[Record]) -> Block:
    """Return a table of many points: inputs that vary and the usual outputs; what all share stands below."""
    columns = [*_INPUTS, *_OUTPUTS[kind]]
    shown, shared = [], []
    outputs = {key for _, key, _ in _OUTPUTS[kind]}
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


def price_note(records: list[Record]) -> str:
    """Return the line that names each chip's price basis, date and the utilisation."""
    seen = {}
    for record in records:
        if "usd_per_hour" in record:
            each = dollars(record["usd_per_hour"] / record["chips"])
            date = f", {record['price_date']}" if "price_date" in record else ""
            seen[record["hardware"]] = (
                f"{record['hardware']} {each}/h ({record['price_basis'].replace('-', ' ')}{date})"
            )
    utilisation = next(r["utilisation"] for r in records if "utilisation" in r)
    return f"$/M: {'; '.join(seen.values())}; utilisation {utilisation:.0%}"


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
                _time(part["compute_seconds"]),
                _time(part["memory_seconds"]),
                _time(part["seconds"]),
                f"{part['share']:.1%}",
                part["bound"],
            ]
        )
    total = ["step", "", "", "", significant(step["flops"] / 1e9), significant(step["bytes"] / 1e6), "", "", ""]
    rows.append([*total, _time(step["seconds"]), "", step["bound"]])
    notes = ["Per chip, all calls of the step. time = max(compute, memory) + κ min(compute, memory) + overhead"]
    notes += [f"Note: {text}." for text in step["warnings"]]
    return [Block(head(step, what), notes=[settings(step)]), Block("", header, rows, notes)]


#: Rows of the comparison: label, key, how to show it.
_SIDE_BY_SIDE: list[tuple[str, str, Callable[[Any], str]]] = [
    ("model", "model", _text),
    ("as", "proxy", _text),
    ("engine", "engine", _text),
    ("estimate", "estimate", lambda v: v.replace("_", " ")),
    ("chips", "chips", _text),
    ("tp", "tp", _text),
    ("pp", "pp", _text),
    ("weights", "weights_dtype", _text),
    ("KV cache", "kv_dtype", _text),
    ("weights stored", "weights_bytes", size),
    ("KV per user", "kv_bytes_per_user", size),
    ("KV on chip", "on_chip", _yes),
    ("fits", "fits", _yes),
    ("chips needed", "chips_needed", _text),
    ("users that fit", "users", _text),
    ("tok/s per user", "tokens_per_second_per_user", rate),
    ("tok/s", "tokens_per_second", rate),
    ("tok/s per chip", "tokens_per_second_per_chip", rate),
    ("bound", "bound", _text),
    ("first token, batch 1", "ttft_seconds", _time),
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
