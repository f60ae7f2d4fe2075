"""What a token sells for beside what it costs to make and the electricity in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roofline.cost.breakeven import ApiPrice
from roofline.cost.energy import usd_per_million
from roofline.cost.owner import PUE
from roofline.cost.prices import Row, Snapshot
from roofline.cost.quotes import When, at, hours, middle, ordinary, quotes
from roofline.errors import RooflineError

#: Where the default price of electricity is from, for whoever prints it.
KWH_SOURCE = "EIA, US industrial, 2026-01"

Record = dict[str, Any]


def margin(cost: float, price: float) -> float | None:
    """Return the gross margin 1 - cost/price, or None where nothing is charged."""
    return 1.0 - cost / price if price else None


def by_model(rows: Sequence[Row], when: When, warnings: Sequence[str]) -> list[Record]:
    """Return one record per model, dearest input last, each with how many times the cheapest one's price it asks."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.model, []).append(row)
    found: list[Record] = []
    for model, group in groups.items():
        plain = ordinary(group)
        providers = list(dict.fromkeys(row.provider for row in plain))
        record: Record = {"model": model, "at": at(plain[0], when), **middle(group)}
        record["provider"] = providers[0] if len(providers) == 1 else None
        record |= {"source": sources(plain), "price_date": retrieved(plain), "warnings": list(warnings)}
        found.append({name: value for name, value in record.items() if value is not None})
    for kind in ("input", "output"):
        name = f"usd_per_million_{kind}_tokens"
        cheapest = min((record[name] for record in found if record[name]), default=None)
        for record in found:
            if cheapest:
                record[f"{kind}_times_cheapest"] = record[name] / cheapest
    return sorted(found, key=lambda record: record["usd_per_million_input_tokens"])


def sources(rows: Sequence[Row]) -> str:
    """Return the names of the sources of some rows."""
    return "; ".join(sorted({row.source for row in rows}))


def retrieved(rows: Sequence[Row]) -> str:
    """Return the day on which the newest of some rows was retrieved."""
    return max(row.retrieved for row in rows).isoformat()


def retail(snapshot: Snapshot, model: str, when: When, isl: int, provider: str | None = None) -> Record:
    """Return what a model sells for at an instant: median, range, and peak and off-peak where the hour matters.

    Parameters
    ----------
    snapshot : Snapshot
    model, provider : str
    when : When
    isl : int
        Input tokens of a request, for prices that rise with its length [tokens].
    """
    rows = quotes(snapshot, when, model, provider)
    found: Record = {f"retail_{name}": value for name, value in middle(rows, isl).items()}
    plain = ordinary(rows)
    found |= {"retail_model": rows[0].model, "at": at(plain[0], when)}
    found |= {"retail_source": sources(plain), "retail_date": retrieved(plain)}
    listed = [row for row in snapshot.rows if row.model == rows[0].model]
    if provider is not None:
        listed = [row for row in listed if row.provider == snapshot.provider(provider)]
    for peak, flat, words in hours(listed, snapshot, when)[:1]:
        found |= {"peak_provider": peak.provider, "peak_hours": words}
        for name, row in (("peak", peak), ("off_peak", flat)):
            prices = row.prices(isl)
            found |= {f"{name}_usd_per_million_input_tokens": prices.input}
            found |= {f"{name}_usd_per_million_output_tokens": prices.output}
    return found


def own(price: ApiPrice, model: str) -> Record:
    """Return what a model would sell for at one's own price, in the keys of `retail`."""
    found: Record = {"retail_model": model, "retail_source": price.source}
    return found | {
        "retail_usd_per_million_input_tokens": price.input,
        "retail_usd_per_million_cached_input_tokens": price.cached,
        "retail_usd_per_million_output_tokens": price.output,
    }


def beside(cost: Record, sold: Record, usd_per_kwh: float, utilisation: float, pue: float = PUE) -> Record:
    """Return a predicted cost with retail price, electricity, margin and break-even of input and of output.

    Parameters
    ----------
    cost : dict
        A record of decode and prefill together, as `roofline.evaluate.compare` gives it.
    sold : dict
        From `retail`; empty where nobody sells the model.
    usd_per_kwh : float
        [USD/kWh]
    utilisation : float
        Busy share of the paid time that the cost is for.
    pue : float
        Power of the site over that of the machines.

    Notes
    -----
    Margin compares the median price with the cost at the stated utilisation. The break-even utilisation is the busy
    share of the paid time at which the two are equal; it is absent where even a machine that is always busy loses.
    """
    if usd_per_kwh < 0:
        raise RooflineError(f"--usd-per-kwh: {usd_per_kwh} is negative; a price is zero or more")
    found = cost | sold | {"usd_per_kwh": usd_per_kwh, "pue": pue}
    for kind, joules in (("input", "joules_per_input_token"), ("output", "joules_per_token")):
        name = f"usd_per_million_{kind}_tokens"
        price, spent = sold.get(f"retail_{name}"), cost.get(name)
        if joules in found:
            power = usd_per_million(found[joules] * pue, usd_per_kwh)
            found[f"electricity_{name}"] = power
            if price:
                found[f"electricity_share_of_retail_{kind}"] = power / price
        if spent is None or not price:
            continue
        found[f"gross_margin_{kind}"] = margin(spent, price)
        busy = utilisation * spent / price
        if busy <= 1:
            found[f"break_even_utilisation_{kind}"] = busy
        for hour in ("peak", "off_peak"):
            if sold.get(f"{hour}_{name}"):
                found[f"{hour}_gross_margin_{kind}"] = margin(spent, sold[f"{hour}_{name}"])
    return found
