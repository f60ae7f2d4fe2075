"""The page of a load's cost: service, dollars by kind of token and basis, electricity, the API beside it, samples."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.report.words import dollars, head, rate, settings
from roofline.units import format_si, significant

#: What one page is about; a change of any begins another.
_KEYS = ["hardware", "model", "scenario", "engine", "chips", "tp", "pp", "dp", "ep", "isl", "osl"]
_KEYS += ["weights_dtype", "experts_dtype", "kv_dtype"]
#: Words for what the samples vary.
_INPUTS = {
    "price": "price of a chip-hour",
    "utilisation": "utilisation",
    "prefill_time": "prefill speed",
    "decode_time": "decode speed",
    "power": "power drawn",
    "usd_per_kwh": "price of electricity",
    "scenario": "which model it really is",
}


def pages(records: list[Record]) -> list[Block]:
    """Return the blocks of every deployment and load."""
    found: list[Block] = []
    for _, group in groupby(records, key=lambda r: [r.get(key) for key in _KEYS if r["estimate"] != "sampled"]):
        these = list(group)
        found += _samples(these[0]) if these[0]["estimate"] == "sampled" else _page(these)
    notes = [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]
    return [*found, Block(notes=notes)] if notes else found


def _load(r: Record) -> str:
    hit = f" ({r['cache_hit']:.0%} cached)" if r["cache_hit"] else ""
    name = f"{r['profile']}: " if "profile" in r else ""
    return f"{name}{r['isl']:,.0f} in{hit}, {r['osl']:,.0f} out"


def _page(records: list[Record]) -> list[Block]:
    r = records[0]
    notes = [settings(r)] + ([f"lengths: {r['profile_source']}"] if "profile_source" in r else [])
    title = Block(head(r, _load(r)), notes=notes)
    if not r["fits"]:
        note = f"One request of {r['isl'] + r['osl']:,.0f} tokens does not fit; `roofline fit` says what would hold it."
        return [title, Block(notes=[note])]
    blocks = [title, _service(r), _dollars(records), *_electricity(records)]
    if "api_source" in r:
        blocks.append(_api(records))
    return blocks


def _service(r: Record) -> Block:
    rows = [
        ["batch", f"{r['batch']:,.0f}", "of one copy at its rated load"],
        ["first token", format_si(r["ttft_seconds"], "s"), _promise(r, "ttft")],
        ["time per token", format_si(r["tpot_seconds"], "s"), _promise(r, "tpot")],
        ["one copy serves", f"{rate(r['capacity_requests_per_second'])} requests/s", _split(r)],
    ]
    if "rate_requests_per_second" in r:
        if "replicas" in r:
            copies = f"{r['replicas']:,}"
        else:
            copies = f"{r['prefill_replicas']:,} + {r['decode_replicas']:,}"
        peak = f"peaks at {significant(r['rate_requests_per_second'] / r['average_to_peak'])} requests/s"
        waits = f"; {r['batch_share']:.0%} may wait for idle hours" if "batch_share" in r else ""
        rows += [
            ["load", f"{rate(r['rate_requests_per_second'])} requests/s", peak + waits],
            ["under way", rate(r["requests_under_way"]), "requests in the mean: rate x time of a request"],
            ["replicas", copies, f"{r['total_chips']:,.0f} chips" + ("" if "replicas" in r else ", prefill + decode")],
            ["utilisation", f"{r['utilisation']:.0%}", "follows from load and whole replicas"],
        ]
    return Block("Service", rows=rows)


def _split(r: Record) -> str:
    whole = r["prefill_chip_seconds"] + r["decode_chip_seconds"]
    share = f"prefill is {r['prefill_chip_seconds'] / whole:.0%} of the work"
    if "prefill_copies_per_decode_copy" in r:
        share += f"; {significant(r['prefill_copies_per_decode_copy'])} prefill copies keep up with one decode copy"
    return share


def _promise(r: Record, name: str) -> str:
    limit = r.get(f"promised_{name}_seconds")
    return "" if limit is None else f"promised {format_si(limit, 's')}" + ("" if r["promises_kept"] else ", not kept")


def _dollars(records: list[Record]) -> Block:
    columns: list[tuple[str, str]] = [
        ("input", "usd_per_million_input_tokens"),
        ("cached", "usd_per_million_cached_input_tokens"),
        ("output", "usd_per_million_output_tokens"),
        ("blend", "usd_per_million_tokens"),
        ("never idle", "usage_usd_per_million_tokens"),
    ]
    shown = [(title, key) for title, key in columns if any(key in r for r in records)]
    header = ["basis", "date", "$/chip/h", "util.", *(title for title, _ in shown), "90 % of blend", "$/h", "idle $/h"]
    rows = []
    for r in records:
        row = [r["price_basis"], r.get("price_date", "-"), dollars(r["usd_per_chip_hour"]), f"{r['utilisation']:.0%}"]
        row += [dollars(r.get(key)) for _, key in shown]
        low, high = r.get("usd_per_million_tokens_low"), r.get("usd_per_million_tokens_high")
        row.append("-" if low is None else f"{dollars(low)} to {dollars(high)}")
        rows.append([*row, dollars(r["total_usd_per_hour"]), dollars(r["idle_usd_per_hour"])])
    r = records[0]
    how = {
        "time-share": "rent divided by the time that prefill and decode take",
        "per-pool": "each pool pays for itself",
    }
    notes = [f"Dollars per million tokens ({r['accounting']}: {how[r['accounting']]}); idle rent is carried by all."]
    if "rate_requests_per_second" not in r:
        notes.append("Utilisation is as given; --rate derives it from a load.")
    if "cache_residence_usd_per_million_tokens" in r:
        held = dollars(r["cache_residence_usd_per_million_tokens"])
        notes.append(
            f"Holding a cached prefix {r['residence_seconds']:,.0f} s in {r['hit_tier']} displaces at most {held} of "
            f"other work per million tokens ({r['price_basis']}); part of the rent above, not added to it."
        )
    if "inferencex_convention_usd_per_million_total_tokens" in r:
        parts = [
            f"{kind} {dollars(r[f'inferencex_convention_usd_per_million_{kind}_tokens'])}"
            for kind in ("input", "output", "total")
        ]
        notes.append(
            f"InferenceX convention ({r['price_basis']}, never idle), whole rent over each kind, not to be added: "
            f"{', '.join(parts)}."
        )
    return Block("Cost", header, rows, notes)


def _electricity(records: list[Record]) -> list[Block]:
    r = records[0]
    if "joules_per_token" not in r:
        return [Block("Electricity", notes=["No watts are published for this chip."])]
    usd = r["electricity_usd_per_million_tokens"]
    shares = [
        f"{one['electricity_share']:.1%} of {one['price_basis']}" for one in records if "electricity_share" in one
    ]
    source = " (EIA, US industrial, 2026-01)" if r["usd_per_kwh"] == 0.0929 else ""
    rows = [
        [
            "energy",
            f"{significant(r['joules_per_token'])} J/token",
            f"utilisation {r['utilisation']:.0%}, PUE {r['pue']:g}",
        ],
        ["per megawatt", f"{rate(r['tokens_per_second_per_megawatt'])} tok/s", "of the site"],
        ["electricity", f"{dollars(usd)} per million tokens", f"at {r['usd_per_kwh']:g} USD/kWh{source}"],
        ["share of the cost", shares[0] if shares else "-", "; ".join(shares[1:])],
    ]
    return [Block("Electricity", rows=rows)]


def _api(records: list[Record]) -> Block:
    r = records[0]
    header = ["basis", "own blend", "API blend", "replica/month", "break-even", "replicas", "for good from"]
    monthly = "own_usd_per_month" in r
    header += ["own/month", "API/month", "cheaper"] if monthly else []
    rows = []
    for one in records:
        own, api = dollars(one["usd_per_million_tokens"]), dollars(one["api_usd_per_million_tokens"])
        row = [one["price_basis"], own, api, _month(one["replica_usd_per_month"])]
        row += [_volume(one, "break_even"), f"{one.get('break_even_replicas', '-')}", _volume(one, "break_even_always")]
        if monthly:
            row += [_month(one["own_usd_per_month"]), _month(one["api_usd_per_month"])]
            row.append("own" if one["own_is_cheaper"] else "API")
        rows.append(row)
    prices = ", ".join(
        f"{word} {dollars(r[f'api_usd_per_million_{kind}_tokens'])}"
        for word, kind in (("input", "input"), ("cached", "cached_input"), ("output", "output"))
    )
    staff = f"staff {_month(r['staff_usd_per_month'])} a month" if r["staff_usd_per_month"] else "no staff (--staff)"
    notes = [
        f"API: {prices} per million ({r['api_source']}). Whole replicas, paid for all month, busy or idle; {staff}.",
        "Break-even: requests/s in the mean, with the load's own peaks; never: even full replicas cost more.",
    ]
    return Block("Own machines or API", header, rows, notes)


def _month(value: float) -> str:
    return f"${value:,.0f}"


def _volume(r: Record, name: str) -> str:
    if not r["break_even_possible"]:
        return "never"
    return f"{significant(r[f'{name}_requests_per_second'])}/s"


def _samples(r: Record) -> list[Block]:
    rows = []
    names: dict[str, Any] = {"all input": "usd_per_million_all_input_tokens", "output": "usd_per_million_output_tokens"}
    names |= {"blend": "usd_per_million_tokens", "electricity": "electricity_usd_per_million_tokens"}
    for word, key in names.items():
        if f"{key}_p50" in r:
            rows.append([word, *(dollars(r[f"{key}_p{q}"]) for q in (10, 50, 90))])
    dated = f", {r['price_date']}" if "price_date" in r else ""
    notes = [
        f"{r['samples']:,} samples, seed {r['seed']}; price {r['price_basis']}{dated}; utilisation about "
        f"{r['utilisation']:.0%}. Dollars per million tokens."
    ]
    percentiles = Block("Uncertainty", ["", "10 %", "50 %", "90 %"], rows, notes)
    keys = [
        key.removeprefix("swing_").removesuffix("_low") for key in r if key.startswith("swing_") and key[-3:] == "low"
    ]
    widest = max(abs(r[f"swing_{key}_high"] - r[f"swing_{key}_low"]) for key in keys) or 1.0
    bars = []
    for key in keys:
        low, high = r[f"swing_{key}_low"], r[f"swing_{key}_high"]
        bars.append([_INPUTS[key], dollars(low), dollars(high), "#" * round(24 * abs(high - low) / widest)])
    notes = ["Each input from its 10 % to its 90 %, the others at their medians; widest first."]
    return [percentiles, Block("What matters most: $/M of the blend", ["", "at 10 %", "at 90 %", "swing"], bars, notes)]
