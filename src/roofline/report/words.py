"""Words and figures that every page of a report shares: rates, dollars, sizes, headlines."""

from __future__ import annotations

from typing import Any

from roofline.report.record import Record
from roofline.units import format_si, significant


def rate(value: float | None) -> str:
    """Tokens per second."""
    return "-" if value is None else significant(value)


def dollars(value: float | None) -> str:
    """Dollars with three significant digits."""
    return "-" if value is None else f"${significant(value)}"


def size(value: float) -> str:
    """Bytes with a decimal prefix."""
    return format_si(value, "B")


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


def text(value: Any) -> str:
    """Any value: numbers with separators or three significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else significant(value)


def seconds(value: float) -> str:
    """Seconds with a decimal prefix."""
    return format_si(value, "s")


def yes(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"
