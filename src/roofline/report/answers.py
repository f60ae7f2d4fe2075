"""Records that a command printed, a plan's above all, as a report."""

from __future__ import annotations

from collections.abc import Sequence

from roofline import catalog
from roofline.errors import RooflineError
from roofline.report import charts, plan, provenance
from roofline.report.charts import render
from roofline.report.charts.sources import short
from roofline.report.html import Document, Figure
from roofline.report.record import Record
from roofline.report.table import Block
from roofline.units import format_si, significant

#: Columns of the table: title, key, and the unit that its numbers are written with.
_COLUMNS = (
    ("chips", "chips", ""),
    ("tp", "tp", ""),
    ("pp", "pp", ""),
    ("dp", "dp", ""),
    ("ep", "ep", ""),
    ("weights", "weights_dtype", ""),
    ("KV cache", "kv_dtype", ""),
    ("replicas", "replicas", ""),
    ("chips in all", "total_chips", ""),
    ("batch", "batch", ""),
    ("context", "context_tokens", "tokens"),
    ("in", "isl", "tokens"),
    ("out", "osl", "tokens"),
    ("users", "concurrency", ""),
    ("requests/s", "requests_per_second", ""),
    ("first token", "ttft_seconds", "s"),
    ("per token", "tpot_seconds", "s"),
    ("tok/s per user", "tokens_per_second_per_user", ""),
    ("tok/s per chip", "tokens_per_second_per_chip", ""),
    ("basis", "price_basis", ""),
    ("USD/h", "usd_per_hour", "$"),
    ("USD/h in all", "total_usd_per_hour", "$"),
    ("$/M output", "usd_per_million_output_tokens", "$"),
    ("$/M", "usd_per_million_tokens", "$"),
)
#: What is told once for all records.
_SHARED = (
    *("engine", "weights_dtype", "experts_dtype", "kv_dtype", "load", "cache_hit", "price_basis", "price_date"),
    *("utilisation", "accounting", "usd_per_kwh"),
)
_SHARES = ("utilisation", "cache_hit")
#: Rows of the table; a plan's first records are its best.
MOST_ROWS = 60
_MONEY = ("usd_per_million_tokens", "usd_per_million_output_tokens")


def document(records: Sequence[Record], command: str = "") -> Document:
    """Return the report of records.

    Raises
    ------
    RooflineError
        If no record names a chip and a model.
    """
    usable = [r for r in records if "hardware" in r and "model" in r]
    if not usable:
        raise RooflineError("no record names hardware and model; give the JSON of plan, serve, decode or sweep")
    chips, models = (list(dict.fromkeys(str(r[key]) for r in usable)) for key in ("hardware", "model"))
    planned = any(r.get("role") == "cheapest" for r in usable)
    if planned:
        chips = list(dict.fromkeys([*chips, *(str(r["prefill_hardware"]) for r in usable if "prefill_hardware" in r)]))
    title = f"{', '.join(models)} on {', '.join(chips)}"
    answer = _chosen(usable) if planned else _answer(usable)
    doc = Document(title, _question(usable, chips, models), answer, command=command)
    doc.assumptions = [_assumptions(usable)]
    doc.charts = _charts(usable, chips)
    doc.tables = plan.page(usable) if planned else [_table(usable)]
    doc.uncertainty = [_uncertainty(usable)]
    engines = [str(r[key]) for r in usable for key in ("engine", "prefill_engine") if key in r]
    doc.sources = _sources(chips, [str(r.get("proxy", r["model"])) for r in usable], engines)
    return doc


def _question(records: Sequence[Record], chips: list[str], models: list[str]) -> str:
    load: list[str] = []
    for key, word in (("isl", "tokens in"), ("osl", "tokens out"), ("context_tokens", "tokens of context")):
        values = {r[key] for r in records if key in r}
        if len(values) == 1 and not (key == "context_tokens" and load):
            load.append(f"{values.pop():,.0f} {word}")
    for key, word in (("promised_ttft_seconds", "the first token"), ("promised_tpot_seconds", "each later one")):
        values = {r[key] for r in records if key in r}
        if len(values) == 1:
            load.append(f"{word} within {format_si(values.pop(), 's')}")
    with_load = f" with {', '.join(load)}" if load else ""
    return f"How should {' and '.join(models)} be served on {' or '.join(chips)}{with_load}?"


def _chosen(records: Sequence[Record]) -> list[str]:
    """Return what a plan chose, and what is faster or nearly as cheap."""
    lines = []
    for role, word in (("cheapest", "Cheapest"), ("fastest", "Fastest")):
        for r in (r for r in records if r.get("role") == role):
            lines.append(
                f"{word} that keeps the promises: {plan.deployment(r)}. {r['total_chips']:,} chips, "
                f"${r['usd_per_hour']:,.2f} per hour, ${significant(r['usd_per_million_tokens'])} per million tokens, "
                f"{significant(r['tokens_per_second_per_user'])} tok/s for each user, first token after "
                f"{format_si(r['ttft_seconds'], 's')}, {significant(r['requests_per_second'])} requests per second."
            )
    for r in [r for r in records if r.get("role") == "runner-up"][:1]:
        lines.append(f"Next: {plan.deployment(r)}: {r['reason']}.")
    best = next(r for r in records if r.get("role") == "cheapest")
    lines.append(f"Searched: {best['points']:,} points of {best['deployments']:,} deployments.")
    return lines


def _what(r: Record) -> str:
    if "role" in r:
        return plan.deployment(r)
    shape = ", ".join(f"{key} {r[key]}" for key in ("tp", "pp", "dp", "ep") if r.get(key, 1) != 1)
    chips = f"{r['chips']:,} x {r['hardware']}" if "chips" in r else str(r["hardware"])
    return chips + (f" ({shape})" if shape else "")


def _answer(records: Sequence[Record]) -> list[str]:
    """Return what is fastest, cheapest and fullest; a promise that is broken rules a record out where any keeps it."""
    rated = [r for r in records if r.get("estimate") not in ("naive_bandwidth", "sampled") and r.get("fits", True)]
    kept = [r for r in rated if r.get("promises_kept", True) and all(r[key] for key in r if key.startswith("meets_"))]
    lines = []
    if rated and len(kept) < len(rated):
        promised = "keeps" if len(kept) == 1 else "keep"
        lines.append(f"{len(kept)} of {len(rated)} points {promised} what is promised; the others are left out here.")
    for key, lowest, text in (
        (next((key for key in _MONEY if any(key in r for r in kept)), ""), True, "Cheapest"),
        ("tokens_per_second_per_user", False, "Fastest for a user"),
        ("tokens_per_second_per_chip", False, "Most from a chip"),
    ):
        found = [r for r in kept if key in r]
        if found:
            best = (min if lowest else max)(found, key=lambda r: r[key])
            lines.append(f"{text}: {_what(best)}{_where(best)}, {_said(best)}.")
    return lines or ["None of these points keeps what is promised."]


def _where(r: Record) -> str:
    for key, word in (("concurrency", "users"), ("batch", "batch")):
        if key in r:
            return f" at {word} {r[key]:,.0f}" if word == "batch" else f" with {r[key]:,.0f} {word}"
    return ""


def _said(r: Record) -> str:
    parts = []
    if "tokens_per_second_per_user" in r:
        parts.append(f"{significant(r['tokens_per_second_per_user'])} tok/s for each user")
    if "tokens_per_second_per_chip" in r:
        parts.append(f"{significant(r['tokens_per_second_per_chip'])} tok/s per chip")
    money = next((key for key in _MONEY if key in r), None)
    if money:
        parts.append(f"${significant(r[money])} per million {'output ' if 'output' in money else ''}tokens")
    return ", ".join(parts) or "nothing else known of it"


def _assumptions(records: Sequence[Record]) -> Block:
    rows = []
    for key in _SHARED:
        values = dict.fromkeys(f"{r[key]:.0%}" if key in _SHARES else str(r[key]) for r in records if key in r)
        if values:
            rows.append([key.replace("_", " "), ", ".join(values)])
    notes = [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]
    return Block(rows=rows, notes=notes)


def _charts(records: Sequence[Record], chips: list[str]) -> list[Figure]:
    known = [f"{name}: {', '.join(short(source))}" for name in chips if (source := _chip_source(name))]
    found = []
    for kind, key in (("dollars", _MONEY[1]), ("frontier", "tokens_per_second_per_chip")):
        if any(key in r and "tokens_per_second_per_user" in r for r in records):
            spec = charts.spec(kind, records, sources=known, width=600)
            told = spec["usermeta"]
            found.append(Figure(render.svg(spec), f"{told['title']}: {told['subtitle']}"))
    for sampled in (r for r in records if "samples" in r):
        spec = charts.spec("tornado", [sampled], width=600)
        found.append(Figure(render.svg(spec), f"{spec['usermeta']['title']}: {spec['usermeta']['subtitle']}"))
    return found


def _chip_source(name: str) -> str | None:
    try:
        return catalog.hardware(name).source
    except RooflineError:
        return None


def _table(records: Sequence[Record]) -> Block:
    shown = [column for column in _COLUMNS if any(column[1] in r for r in records)]
    many_models = len({r["model"] for r in records}) > 1
    rows = [
        [f"{r['hardware']}, {r['model']}" if many_models else str(r["hardware"])]
        + [_cell(r.get(key), unit) for _, key, unit in shown]
        for r in records[:MOST_ROWS]
        if "samples" not in r
    ]
    more = len(records) - MOST_ROWS
    notes = [f"{more:,} further points are in the records, not in this table."] if more > 0 else []
    return Block("Points", ["chip", *(title for title, _, _ in shown)], rows, notes)


def _cell(value: object, unit: str) -> str:
    if value is None:
        return "-"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if unit == "s":
        return format_si(value, "s")
    return f"${significant(value)}" if unit == "$" else f"{value:,.0f}" if unit == "tokens" else significant(value)


def _uncertainty(records: Sequence[Record]) -> Block:
    header = ["", "tok/s per user", "low", "high", "how sure"]
    key = "tokens_per_second_per_user"
    rows = [
        [
            _what(r) + _where(r),
            *(significant(r[k]) for k in (key, f"{key}_low", f"{key}_high")),
            r.get("confidence", "-"),
        ]
        for r in records[:MOST_ROWS]
        if f"{key}_low" in r and r.get("role") != "frontier"
    ]
    notes = [
        "Ends of a 90 % interval: factors between measured and predicted time on published rows that no fit had seen. "
        "calibrated: chip and engine both took part in a fit; transferred: one of them; spec-sheet: neither."
    ]
    return Block(header=header, rows=rows, notes=notes if rows else ["These records carry no interval."])


def _sources(chips: list[str], models: list[str], engines: list[str]) -> list[Block]:
    """Return the sources of what the catalogue knows; records may name chips of another machine's files."""

    def known(family: catalog.Family, names: Sequence[str]) -> list[str]:
        found = []
        for name in dict.fromkeys(names):
            try:
                catalog.find(family, name.partition("@")[0])
            except RooflineError:
                continue
            found.append(name)
        return found

    return provenance.blocks(known("hardware", chips), known("models", models), known("engines", engines))
