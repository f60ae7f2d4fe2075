"""The account of a deployment as flat records: dollars by kind of token, replicas, energy, the API beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline.cost import energy
from roofline.cost.accounting import InferenceX, per_million
from roofline.cost.deployment import residence
from roofline.cost.fleet import concurrency
from roofline.interval import interval
from roofline.report.record import Record, inputs, with_interval

if TYPE_CHECKING:
    from roofline.cost.copies import Load, Rated, Rules
    from roofline.cost.deployment import Account
    from roofline.cost.hourly import Hourly
    from roofline.cost.owner import Terms
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies behind an account: one kind that does both phases, or one per pool."""

    decode: Rated
    prefill: Rated | None = None

    @property
    def kept(self) -> bool:
        """Whether all promises are kept."""
        return self.decode.kept and (self.prefill is None or self.prefill.kept)


def head(system: System, load: Load, rules: Rules) -> Record:
    """Return what was asked of a deployment."""
    record = inputs(system, "predicted" if not system.spatial else "no_speculation")
    record |= {"profile": load.profile, "isl": load.isl, "osl": load.osl, "cache_hit": load.hit}
    record |= {"profile_source": load.source, "promised_ttft_seconds": rules.ttft, "promised_tpot_seconds": rules.tpot}
    return record | {"fits": system.memory.fits(1.0, load.isl + load.osl), "warnings": list(system.warnings)}


def service_part(copies: Copies, load: Load) -> Record:
    """Return what users see and where the time of a copy goes."""
    copy, service = copies.decode, copies.decode.service
    ttft = service.ttft if copies.prefill is None else copies.prefill.service.ttft
    latency = ttft + (load.osl - 1.0) * service.tpot
    reader = copies.prefill or copy
    reading = reader.fresh.seconds + reader.cached.seconds
    record: Record = {
        "batch": service.batch,
        "ttft_seconds": ttft,
        "tpot_seconds": service.tpot,
        "request_seconds": latency,
        "tokens_per_second_per_user": 1.0 / service.tpot,
        "capacity_requests_per_second": copy.capacity,
        "prefill_chip_seconds": reading * reader.system.deployment.chips,
        "decode_chip_seconds": copy.decode.seconds * copy.system.deployment.chips,
        "promises_kept": copies.kept,
    }
    record |= with_interval(record, interval(copy.system, "tpot", service.busy))
    if copies.prefill is not None:
        record |= {"prefill_chips": reader.system.deployment.chips, "prefill_capacity_requests_per_second": 1 / reading}
    if load.rate is not None:
        record |= {
            "rate_requests_per_second": load.rate,
            "average_to_peak": load.average_to_peak,
            "requests_under_way": concurrency(load.rate, latency),
        }
    if load.batch_share:
        record["batch_share"] = load.batch_share
    return record


def money_part(copies: Copies, account: Account, load: Load, rules: Rules, price: Hourly) -> Record:
    """Return dollars: an account by kind of token, with basis, date and utilisation."""
    system = copies.decode.system
    paid = per_million(account.rent, account.tokens)
    used = per_million(account.rent, account.tokens, usage=True)
    tokens = load.tokens
    per_hour = account.tokens.total
    record: Record = {
        "price_basis": price.basis,
        "price_date": price.date,
        "price_source": price.source,
        "utilisation": account.utilisation,
        "usd_per_chip_hour": price.usd,
        "usd_per_hour": price.usd * system.deployment.chips,
        "accounting": "time-share" if copies.prefill is None else "per-pool",
        "usd_per_million_input_tokens": paid.input if tokens.fresh else None,
        "usd_per_million_cached_input_tokens": paid.cached if tokens.cached else None,
        "usd_per_million_all_input_tokens": paid.all_input,
        "usd_per_million_output_tokens": paid.output,
        "usd_per_million_tokens": paid.blend,
        "usage_usd_per_million_input_tokens": used.input if tokens.fresh else None,
        "usage_usd_per_million_output_tokens": used.output,
        "usage_usd_per_million_tokens": used.blend,
        "usd_per_request": paid.blend * tokens.total / 1e6,
        "total_usd_per_hour": account.rent.total,
        "idle_usd_per_hour": account.rent.idle,
        "total_chips": account.chips,
        "total_tokens_per_second": per_hour / 3600.0,
    }
    if load.rate is not None:
        named = {f"{name}_replicas": int(count) for name, count in account.copies.items()}
        record |= {"replicas": named["all_replicas"]} if "all_replicas" in named else named
    elif copies.prefill is not None:
        record["prefill_copies_per_decode_copy"] = account.copies["prefill"]
    if copies.prefill is None:
        # Only under its own name: these two do not add up to anything.
        rate = copies.decode.capacity
        for kind, count in (("input", load.isl), ("output", load.osl), ("total", tokens.total)):
            whole = InferenceX.of(record["usd_per_hour"], rate * count, kind)
            record[f"inferencex_convention_usd_per_million_{kind}_tokens"] = whole.usd
    if tokens.cached:
        held = residence(system, load, rules, record["usd_per_hour"])
        record |= {"residence_seconds": rules.residence, "hit_tier": system.hardware.memory[rules.hit_tier].name}
        record |= {"cache_residence_usd_per_million_tokens": held.residence}
        record |= {"cache_load_usd_per_million_tokens": held.load}
    question = "saturated" if rules.batch is None and rules.tpot is None else "tpot"
    found = interval(system, question, copies.decode.service.busy)
    for key in [key for key in record if "usd_per_million_" in key or key == "usd_per_request"]:
        if found is not None and record[key] is not None:
            record |= {f"{key}_low": record[key] * found.low, f"{key}_high": record[key] * found.high}
    return record


def energy_part(record: Record, account: Account, terms: Terms) -> Record:
    """Return joules and electricity; nothing where no watts are published."""
    rate = account.tokens.total / 3600.0
    if account.watts is None or rate == 0:
        return {}
    joules = account.watts * terms.pue / rate
    usd = energy.usd_per_million(joules, terms.usd_per_kwh)
    found: Record = {
        "watts": account.watts,
        "pue": terms.pue,
        "joules_per_token": joules,
        "joules_per_output_token": joules * account.tokens.total / account.tokens.output,
        "tokens_per_second_per_megawatt": energy.tokens_per_megawatt(joules),
        "usd_per_kwh": terms.usd_per_kwh,
        "electricity_usd_per_million_tokens": usd,
    }
    if record["usd_per_million_tokens"] > 0:
        found["electricity_share"] = usd / record["usd_per_million_tokens"]
    return found
