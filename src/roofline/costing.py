"""A load on deployments to flat records: what it costs on every price basis, beside an API, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from roofline.cost import copies as single
from roofline.cost import deployment, energy
from roofline.cost.breakeven import HOURS_PER_MONTH, ApiPrice, break_even
from roofline.cost.hourly import Hourly, bases, hourly
from roofline.cost.montecarlo import Spread, Uncertain, evaluate, simulate
from roofline.cost.owner import Terms, owned
from roofline.errors import RooflineError
from roofline.evaluate import marked, open_requests
from roofline.interval import interval
from roofline.report import costs
from roofline.report.costs import Copies
from roofline.report.record import Record, clean
from roofline.resolve import Request, resolve

if TYPE_CHECKING:
    from roofline.cost.copies import Load, Rules
    from roofline.specs.hardware import Hardware
    from roofline.system import System

#: What to draw around a single figure: utilisation, an owner's capital, power, electricity. The range of electricity is
#: that of industrial sites, 4 to 15 cents [USD/kWh]; the others are judgements.
UTILISATION_SPREAD, CAPITAL_SPREAD, POWER_SPREAD = (0.7, 1.4), (0.7, 1.3), (0.8, 1.2)
KWH_RANGE = (0.04, 0.15)
#: Where a prediction has no interval: a factor either way.
DEFAULT_INTERVAL = 1.3


@dataclass(frozen=True, slots=True)
class Purse:
    """What is paid for.

    Attributes
    ----------
    usd_per_hour, basis : float, str or None
        One's own price, or one basis; by default every basis of the chip.
    utilisation : float
        Where no rate says it.
    terms : Terms
        On what terms a chip is owned, and the price of electricity.
    api : ApiPrice or None
        To compare with.
    staff : float
        People who run one's own machines [USD/month].
    """

    usd_per_hour: float | None = None
    basis: str | None = None
    utilisation: float = 1.0
    terms: Terms = field(default_factory=Terms)
    api: ApiPrice | None = None
    staff: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many samples, from which seed, and the busy share to draw around where the load has no rate."""

    samples: int
    seed: int = 0
    utilisation: float = 0.35


def prices(hardware: Hardware, purse: Purse) -> list[Hourly]:
    """Return the hourly prices to show.

    Raises
    ------
    RooflineError
        If none is known.
    """
    if purse.usd_per_hour is not None or purse.basis is not None:
        one = hourly(hardware, purse.usd_per_hour, purse.basis, purse.terms)
        return [] if one is None else [one]
    known = list(bases(hardware, purse.terms).values())
    if not known:
        raise RooflineError(f"{hardware.name} has no published price; give --usd-per-hour, or --capex to own it")
    return known


def cost(
    requests: Iterable[Request],
    load: Load,
    rules: Rules,
    purse: Purse,
    reader: dict[str, Any] | None = None,
    sampling: Sampling | None = None,
) -> list[Record]:
    """Return one record per deployment and price basis, and one of percentiles per deployment where samples are drawn.

    Parameters
    ----------
    requests : iterable of Request
    load : Load
    rules : Rules
    purse : Purse
    reader : dict, optional
        Disaggregated: fields of the request that differ for the prefill pool; empty for pools of one shape.
    sampling : Sampling, optional
    """
    records: list[Record] = []
    for asked in requests:
        ends: list[tuple[Copies, str]] = []
        missing = False
        for request, end in open_requests(asked):
            system = resolve(request, 1.0, load.isl + load.osl)
            head = costs.head(system, load, rules)
            if not head["fits"]:
                missing = True
                records.append(marked(clean(head), asked, end))
                continue
            copies = _copies(request, system, load, rules, reader)
            ends.append((copies, end))
            shown = head | costs.service_part(copies, load)
            if not copies.kept:
                note = "the promised times are not kept even by the smallest batch"
                shown["warnings"] = [*shown["warnings"], note]
            for price in prices(system.hardware, purse):
                records.append(marked(clean(shown | _priced(copies, load, rules, purse, price)), asked, end))
        if sampling is not None and ends:
            sampled = _sampled(ends, load, rules, purse, sampling)
            head = marked(costs.head(ends[0][0].decode.system, load, rules), asked, ends[0][1])
            if ends[0][1]:
                head["scenario"] = " to ".join(dict.fromkeys((ends[0][1], ends[-1][1])))
                head["proxy"] = " to ".join(dict.fromkeys(copies.decode.system.names[1] for copies, _ in ends))
                if missing:
                    note = "one end of the scenario does not fit; the samples are of the other"
                    head["warnings"] = [*head["warnings"], note]
            records.append(clean(head | sampled | {"estimate": "sampled"}))
    return records


def _copies(request: Request, system: System, load: Load, rules: Rules, reader: dict[str, Any] | None) -> Copies:
    if reader is None:
        return Copies(single.rated(system, load, rules))
    if system.spatial:
        raise RooflineError(f"{system.hardware.name} has no separate pools here; leave --disaggregated out")
    first = system
    if reader:
        shape: dict[str, Any] = dict.fromkeys(("chips", "tp", "pp", "dp", "ep", "dcp"))
        first = resolve(replace(request, **(shape | reader)), 1.0, load.isl + load.osl)
    return Copies(single.decode_only(system, load, rules), single.prefill_only(first, load, rules))


def _account(copies: Copies, load: Load, price: Hourly, utilisation: float) -> deployment.Account:
    if copies.prefill is None:
        return deployment.aggregated(copies.decode, load, price.usd, utilisation)
    return deployment.disaggregated(copies.prefill, copies.decode, load, price.usd, utilisation)


def _priced(copies: Copies, load: Load, rules: Rules, purse: Purse, price: Hourly) -> Record:
    account = _account(copies, load, price, purse.utilisation)
    record = costs.money_part(copies, account, load, rules, price)
    record |= costs.energy_part(record, account, purse.terms)
    if purse.api is not None:
        record |= _beside_api(copies, account, load, purse, price)
    return record


def _beside_api(copies: Copies, account: deployment.Account, load: Load, purse: Purse, price: Hourly) -> Record:
    """Return the API's bill, one's own, and the volume at which they are equal."""
    api = purse.api
    assert api is not None
    each = api.request(load.tokens, load.batch_share)
    # The least that can be added: a copy, or a decode copy with the prefill copies that keep up with it.
    sharing = max((1.0 - load.batch_share) / load.average_to_peak, 1.0)
    chips = copies.decode.system.deployment.chips
    if copies.prefill is not None:
        reading = copies.prefill.fresh.seconds + copies.prefill.cached.seconds
        needed = -(-reading // copies.decode.decode.seconds)
        chips += int(max(1.0, needed)) * copies.prefill.system.deployment.chips
    rent = price.usd * chips * HOURS_PER_MONTH
    month = 3600.0 * HOURS_PER_MONTH
    found = break_even(each, rent, copies.decode.capacity / sharing * month, purse.staff)
    record: Record = {
        "api_source": api.source,
        "api_usd_per_million_input_tokens": api.input,
        "api_usd_per_million_cached_input_tokens": api.cached,
        "api_usd_per_million_output_tokens": api.output,
        "api_usd_per_million_tokens": 1e6 * each / load.tokens.total,
        "staff_usd_per_month": purse.staff,
        "replica_usd_per_month": rent,
        "break_even_possible": found.first is not None,
    }
    if found.first is not None and found.always is not None:
        record |= {
            "break_even_requests_per_second": found.first / month,
            "break_even_tokens_per_month": found.first * load.tokens.total,
            "break_even_replicas": found.replicas,
            "break_even_always_requests_per_second": found.always / month,
            "break_even_always_tokens_per_month": found.always * load.tokens.total,
        }
    if load.rate is not None:
        own = account.rent.total * HOURS_PER_MONTH + purse.staff
        record |= {"own_usd_per_month": own, "api_usd_per_month": each * load.rate * month}
        record["own_is_cheaper"] = own < record["api_usd_per_month"]
    return record


def _price_spread(hardware: Hardware, purse: Purse) -> tuple[Spread, str, str | None, bool]:
    """Return what an hour of a chip may cost, in words, its date, and whether electricity is paid apart."""
    if purse.basis == "owned":
        mine = owned(hardware, purse.terms)
        if mine is not None:
            apart = mine.usd - mine.electricity
            rest = apart - mine.capital
            low, high = (rest + factor * mine.capital for factor in CAPITAL_SPREAD)
            return Spread(low, apart, high), "owned", mine.date, True
    if purse.usd_per_hour is not None or purse.basis is not None:
        [one] = prices(hardware, purse)
        return Spread(one.usd, one.usd, one.usd), one.basis, one.date, False
    known = bases(hardware, purse.terms)
    rental = [known[name] for name in ("rental-low", "rental-median", "rental-high") if name in known]
    chosen = rental or prices(hardware, purse)
    dollars = sorted(one.usd for one in chosen)
    middle = known["rental-median"].usd if "rental-median" in known else dollars[len(dollars) // 2]
    ordered = sorted(chosen, key=lambda one: one.usd)
    words = " to ".join(dict.fromkeys([ordered[0].basis, ordered[-1].basis]))
    return Spread(dollars[0], middle, dollars[-1]), words, chosen[0].date, False


def _time_factor(system: System, question: str, busy: float = 0.0) -> Spread:
    found = interval(system, question, busy)
    low, high = (1.0 / DEFAULT_INTERVAL, DEFAULT_INTERVAL) if found is None else (found.low, found.high)
    return Spread(min(low, 0.999), 1.0, max(high, 1.001), "lognormal")


def _sampled(ends: list[tuple[Copies, str]], load: Load, rules: Rules, purse: Purse, sampling: Sampling) -> Record:
    """Return percentiles and swings of one deployment; of a closed model from one end of its scenario to the other."""
    parts = [costs.service_part(copies, load) for copies, _ in ends]
    seconds = [part["prefill_chip_seconds"] + part["decode_chip_seconds"] for part in parts]
    copies, part = ends[0][0], parts[0]
    system = copies.decode.system
    spread, words, date, apart = _price_spread(system.hardware, purse)
    busy = sampling.utilisation
    if load.rate is not None:
        busy = _account(copies, load, Hourly(1.0, "given"), busy).utilisation
    watts = energy.watts(system.hardware)
    read = (copies.prefill or copies.decode).fresh.watts or 0.0
    wrote = copies.decode.decode.watts or 0.0
    mean = (read * part["prefill_chip_seconds"] + wrote * part["decode_chip_seconds"]) / seconds[0]
    terms = purse.terms
    kwh = Spread(min(KWH_RANGE[0], terms.usd_per_kwh), terms.usd_per_kwh, max(KWH_RANGE[1], terms.usd_per_kwh))
    uncertain = Uncertain(
        usd_per_hour=spread,
        utilisation=Spread(UTILISATION_SPREAD[0] * busy, busy, min(1.0, UTILISATION_SPREAD[1] * busy)),
        prefill=part["prefill_chip_seconds"],
        decode=part["decode_chip_seconds"],
        prefill_factor=_time_factor(system, "prefill"),
        decode_factor=_time_factor(system, "decode" if rules.batch is None else "tpot", copies.decode.service.busy),
        input_tokens=load.isl,
        output_tokens=load.osl,
        watts_busy=mean * terms.pue,
        watts_idle=(watts.idle if watts else 0.0) * terms.pue,
        power_factor=Spread(POWER_SPREAD[0], 1.0, POWER_SPREAD[1]),
        usd_per_kwh=kwh,
        pays_electricity=apart,
        scenario=Spread(min(seconds) / seconds[0], 1.0, max(seconds) / seconds[0], "loguniform")
        if len(seconds) > 1
        else None,
    )
    outcome = simulate(uncertain, sampling.samples, sampling.seed)
    record: Record = {"samples": outcome.samples, "seed": sampling.seed, "price_basis": words, "price_date": date}
    record |= {"utilisation": busy, "usd_per_kwh": terms.usd_per_kwh, "usd_per_chip_hour": spread.quantile(0.5)}
    names = {"input": "usd_per_million_all_input_tokens", "output": "usd_per_million_output_tokens"}
    names |= {"tokens": "usd_per_million_tokens", "electricity": "electricity_usd_per_million_tokens"}
    for kind, values in outcome.percentiles.items():
        if kind == "electricity" and watts is None:
            continue
        record |= {f"{names[kind]}_p{q}": value for q, value in zip((10, 50, 90), values, strict=True)}
    medians = {name: one.quantile(0.5) for name, one in uncertain.spreads.items()}
    record["usd_per_million_tokens_at_medians"] = evaluate(uncertain, medians)["tokens"]
    for swing in outcome.tornado:
        record |= {f"swing_{swing.name}_low": swing.low, f"swing_{swing.name}_high": swing.high}
    return record
