"""Tables of list prices, of prices beside costs, of sessions and of mixes."""

from __future__ import annotations

from collections.abc import Callable

from roofline.report.record import Record
from roofline.report.table import Block
from roofline.units import significant


def usd(value: float | None) -> str:
    """Dollars as they are listed: cents at least, and up to six digits."""
    if value is None:
        return "-"
    return f"${value:,.2f}" if round(value, 2) == round(value, 9) else f"${value:,.6g}"


def _notes(records: list[Record]) -> list[str]:
    return [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]


def _sources(records: list[Record], source: str = "source", date: str = "price_date") -> str:
    seen = dict.fromkeys((part, r[date]) for r in records for part in r[source].split("; "))
    return "; ".join(f"{name} (retrieved {day})" if day[:1].isdigit() else name for name, day in seen)


def _span(record: Record, name: str) -> str:
    low, high = record.get(f"{name}_low"), record.get(f"{name}_high")
    return "" if low == high else f"{usd(low)} to {usd(high)}"


_IN, _CACHED, _OUT = (f"usd_per_million_{kind}_tokens" for kind in ("input", "cached_input", "output"))


def list_page(records: list[Record]) -> list[Block]:
    """Return one line per model: median and range of its prices."""
    header = ["model", "offers", "providers", "$/M in", "range", "$/M cached", "$/M out", "range", "out/in"]
    rows = []
    for r in records:
        ratio = significant(r[_OUT] / r[_IN]) if r[_IN] else "-"
        rows.append([r["model"], str(r["offers"]), r.get("provider", str(r["providers"])), usd(r[_IN]), _span(r, _IN)])
        rows[-1] += [usd(r.get(_CACHED)), usd(r[_OUT]), _span(r, _OUT), ratio]
    notes = [f"List prices at {records[0]['at']}; of several offers the median. Source: {_sources(records)}."]
    if len(records) > 1:
        spreads = []
        for kind, name in (("Input", _IN), ("output", _OUT)):
            low, high = min(records, key=lambda r: r[name]), max(records, key=lambda r: (r[name], r[_OUT]))
            if low[name]:
                times = significant(high[name] / low[name])
                spreads.append(
                    f"{kind} spread {times}x ({high['model']} {usd(high[name])} / {low['model']} {usd(low[name])})"
                )
        notes.append(", ".join(spreads) + ".")
    return [Block("", header, rows, notes + _notes(records))]


def show_page(records: list[Record]) -> list[Block]:
    """Return every offer of a model with its source, and what the ordinary ones have in the middle."""
    from roofline.cost.quotes import median

    header = [
        "provider",
        "its name",
        "$/M in",
        "cached",
        "write",
        "$/M out",
        "batch in/out",
        "schedule",
        "flags",
        "source",
    ]
    many = len({r["model"] for r in records}) > 1
    rows = []
    for r in records:
        batch = [r.get(f"usd_per_million_batch_{kind}_tokens") for kind in ("input", "output")]
        since = f"from {r['valid_from']}" if r.get("schedule") == "from date" else r.get("schedule", "always")
        marks = "|".join(mark for mark in (r.get("flags"), r.get("status")) if mark)
        dated = f"{r['source']}, {'checked ' + r['checked'] if 'checked' in r else r['price_date']}"
        rows.append([r["model"]] * many + [r["provider"], r.get("provider_model_id", "-"), usd(r[_IN])])
        rows[-1] += [usd(r.get(_CACHED)), usd(r.get("usd_per_million_cache_write_tokens")), usd(r[_OUT])]
        rows[-1] += ["/".join(map(usd, batch)) if any(batch) else "-", since, marks or "-", dated]
    notes = [f"At {records[0]['at']}. Source: {_sources(records)}."]
    plain = [r for r in records if r.get("in_median")]
    if len(plain) > 1 and not many:
        text = []
        for word, name in (("input", _IN), ("cached", _CACHED), ("output", _OUT)):
            values = [r[name] for r in plain if name in r]
            if values:
                text.append(f"{word} {usd(median(values))} ({usd(min(values))} to {usd(max(values))})")
        notes.insert(0, f"Median of {len(plain)} unflagged offers, $/M: {', '.join(text)}.")
    title = "List prices" if many else f"List prices of {records[0]['model']}"
    return [Block(title, ["model"] * many + header, rows, notes + _notes(records))]


def compare_page(records: list[Record]) -> list[Block]:
    """Return price, cost and electricity of input and output for every point."""
    notes = _notes(records)
    return [block for record in records for block in _beside(record)] + ([Block(notes=notes)] if notes else [])


def _beside(r: Record) -> list[Block]:
    where = f"{r['chips']:,} x {r['hardware']}, batch {r['batch']:,.0f}, context {r['context_tokens']:,.0f}"
    proxy = f" (as {r['proxy']}, the {r['scenario']} end of its scenario)" if "proxy" in r else ""
    title = f"{r['retail_model']}{proxy} on {where}" + (f", prompt {r['isl']:,}" if "isl" in r else "")
    if not r["fits"]:
        return [Block(title, notes=["Does not fit, so no cost is predicted; `roofline fit` says what would hold it."])]

    def line(label: str, name: str, show: Callable[[float], str], note: str = "") -> list[str]:
        cells = [show(r[one]) if (one := name.format(kind)) in r else "-" for kind in ("input", "output")]
        return [label, *cells, note]

    each = "{}_usd_per_million_{{}}_tokens".format
    offered = "retail_offers" in r
    if offered:
        offers = f"{r['retail_offers']} offers, {r['retail_source']}, retrieved {r['retail_date']}"
        rows = [line("retail, median", each("retail"), usd, offers)]
        for end in ("low", "high"):
            rows.append(line(f"retail, {end}", f"{each('retail')}_{end}", usd))
    else:
        rows = [line("retail, as given", each("retail"), usd, r["retail_source"])]
    if "peak_hours" in r:
        rows.append(line("retail, peak", each("peak"), usd, f"{r['peak_provider']}, {r['peak_hours']}"))
        rows.append(line("retail, off-peak", each("off_peak"), usd, "all other hours"))
    if "usd_per_hour" in r:
        basis = f"{r['price_basis'].replace('-', ' ')}, {r['price_date']}" if "price_date" in r else r["price_basis"]
        note = f"${significant(r['usd_per_hour'])}/h ({basis}), utilisation {r['utilisation']:.0%}"
        rows.append(line("predicted cost", "usd_per_million_{}_tokens", lambda v: f"${significant(v)}", note))
        if "aggregate_usd_per_million_output_tokens" in r:
            full = f"${significant(r['aggregate_usd_per_million_output_tokens'])}"
            rows.append(["predicted cost, all users", "-", full, f"{r['aggregate_users']:,} users in flight"])
    else:
        rows.append(["predicted cost", "unknown", "", "no published price for this chip; give --usd-per-hour"])
    power = f"${r['usd_per_kwh']:g}/kWh" + (" (EIA, US industrial, 2026-01)" if r["usd_per_kwh"] == 0.0929 else "")
    power += f", PUE {r['pue']:g}"
    rows.append(line("electricity", each("electricity"), lambda v: f"${significant(v)}", power))
    rows.append(
        line(
            "electricity / retail",
            "electricity_share_of_retail_{}",
            lambda v: f"{v:.1%}",
            "median price" if offered else "",
        )
    )
    rows.append(line("gross margin", "gross_margin_{}", lambda v: f"{v:.0%}", "at the median price" if offered else ""))
    for hour in ("peak", "off_peak"):
        if f"{hour}_gross_margin_output" in r:
            rows.append(
                line(f"gross margin, {hour.replace('_', '-')}", f"{hour}_gross_margin_{{}}", lambda v: f"{v:.0%}")
            )
    if "usd_per_hour" in r:
        even = line(
            "break-even utilisation", "break_even_utilisation_{}", lambda v: f"{v:.0%}", "busy share of paid time"
        )
        rows.append(["never" if cell == "-" else cell for cell in even])
    notes = ["Dollars per million tokens." + (f" List prices at {r['at']}." if offered else "")]
    return [Block(title, ["", "input", "output", ""], rows, notes)]


def session_page(records: list[Record]) -> list[Block]:
    """Return what a session costs on each model, cheapest first."""
    header = ["model", "typical offer", "session", "range", "offers", "reads", "fresh", "writes", "output", "context"]
    rows = []
    for r in records:
        shares = [f"{r[f'{kind}_share']:.0%}" for kind in ("cache_read", "fresh_input", "cache_write", "output")]
        span = f"{_spend(r['session_usd_low'])} to {_spend(r['session_usd_high'])}" if r["offers"] > 1 else ""
        rows.append([r["model"], r["provider"], _spend(r["session_usd"]), span, str(r["offers"]), *shares])
        rows[-1].append("fits" if r["context_fits"] else "too short")
    first = records[0]
    kinds = (
        ("cache_read", "read from cache"),
        ("fresh_input", "fresh"),
        ("cache_write", "written"),
        ("output", "output"),
    )
    tokens = ", ".join(f"{first[f'{kind}_tokens']:,.0f} {word}" for kind, word in kinds)
    notes = [f"{first['calls']:,} calls, tokens: {tokens}. {first['session_source']}."]
    notes.append(
        f"List prices at {first['at']} of unflagged offers, the middle one itemised. Source: {_sources(records)}."
    )
    if not all(r["cached_price_listed"] for r in records):
        notes.append("Where no price of cached tokens is listed they cost as much as fresh ones.")
    if not all(r["context_fits"] for r in records):
        notes.append(f"Too short: no offer holds the longest call, {first['longest_call_tokens']:,.0f} tokens.")
    return [Block(f"Session: {first['session']}", header, rows, notes + _notes(records))]


def mix_page(records: list[Record]) -> list[Block]:
    """Return the shares of the cheapest mix."""
    rows = []
    for r in records:
        floor = f"{r['quality']:g} (floor {r['quality_floor']:g})" if "quality_floor" in r else "-"
        rows.append([r["task"], r["model"], r["provider"], f"{r['share']:.1%}", f"{r['sessions']:,.6g}"])
        rows[-1] += [_spend(r["session_usd"]), _spend(r["usd"]), floor]
        rows[-1].append(f"{r['latency_seconds']:g} s" if "latency_seconds" in r else "-")
    first = records[0]
    header = ["task", "model", "offer", "share", "sessions", "each", "cost", "quality", "latency"]
    budget = f" of a budget of {_spend(first['budget_usd'])}" if "budget_usd" in first else ""
    notes = [f"In all {_spend(first['mix_usd'])}{budget}. Session: {first['session']}. {first['session_source']}."]
    notes.append(f"List prices at {first['at']}. Source: {_sources(records)}.")
    notes += [f"Context too short for the longest call: {r['model']}." for r in records if not r["context_fits"]]
    return [Block("Cheapest mix", header, rows, notes + _notes(records))]


def _spend(value: float) -> str:
    return f"${value:,.2f}" if value >= 0.995 else f"${significant(value)}"


PAGES: dict[str, Callable[[list[Record]], list[Block]]] = {
    "price-list": list_page,
    "price-show": show_page,
    "price-compare": compare_page,
    "session": session_page,
    "mix": mix_page,
}
