"""Flat records: a dictionary per point, base units, the unit in the key, inputs echoed, nothing empty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roofline import serving
from roofline.cost.power import drawn
from roofline.cost.tokens import usd_per_million
from roofline.interval import interval
from roofline.memory import engine_limit

if TYPE_CHECKING:
    from roofline.cost.hourly import Hourly
    from roofline.interval import Interval
    from roofline.system import System

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pricing:
    """Dollars of a chip-hour and the share of paid time that is busy."""

    hourly: Hourly | None
    utilisation: float = 1.0


def inputs(system: System, estimate: str) -> Record:
    """Return what was asked: names, deployment and formats."""
    d = system.deployment
    return {
        "hardware": system.names[0],
        "model": system.names[1],
        "engine": system.names[2],
        "execution": system.hardware.execution,
        "estimate": estimate,
        "chips": d.chips,
        "tp": d.tp,
        "pp": d.pp,
        "dp": d.dp,
        "ep": d.ep,
        "weights_dtype": d.weights,
        "experts_dtype": d.experts,
        "kv_dtype": d.kv,
    }


def fit_part(system: System, batch: float, context: float, needed: System | None) -> Record:
    """Return what is stored, whether it fits, and how much would."""
    memory, d = system.memory, system.deployment
    users = memory.max_batch(context)
    kv = memory.kv_bytes(context)
    tier = system.hardware.memory[d.kv_tier]
    cache = system.hardware.cache
    held = memory.kv_bytes_per_chip(context) * max(batch / d.dp, 1.0)
    fits = memory.fits(batch, context)
    record: Record = {
        "weights_bytes": memory.weights_bytes,
        "weights_bytes_per_chip": memory.weights_bytes_per_chip,
        "kv_bytes": kv * batch,
        "kv_bytes_per_user": kv,
        "fits": fits,
        "on_chip": tier.on_chip and fits,
        "fits_cache": cache is not None and cache.on_chip and held <= cache.capacity.value,
        "memory_tier": tier.name,
        "users": users,
        "max_batch": int(min(users, engine_limit(system.rates))),
        "max_context": memory.max_context(batch),
    }
    if needed is not None:
        record["chips_needed"] = needed.deployment.chips
    return record


def money_part(system: System, tokens_per_second: float, pricing: Pricing, key: str, watts: float | None) -> Record:
    """Return dollars, watts and joules of a rate; `key` names the kind of token, `watts` is the mean draw."""
    record: Record = {}
    d = system.deployment
    if pricing.hourly is not None:
        rent = pricing.hourly.usd * d.chips
        record |= {
            "usd_per_hour": rent,
            key: usd_per_million(rent, tokens_per_second, pricing.utilisation),
            "price_basis": pricing.hourly.basis,
            "utilisation": pricing.utilisation,
        }
        if pricing.hourly.date:
            record["price_date"] = pricing.hourly.date
    if watts is not None:
        record |= {"watts": watts, "joules_per_token": watts / (tokens_per_second * pricing.utilisation)}
    return record


def estimated(record: Record) -> str:
    """Return which estimate a record is: predicted, or of a spatial chip no_speculation, as_served, naive_bandwidth."""
    return str(record.get("estimate_kind", record.get("estimate", "predicted")))


def decode_records(
    system: System, batch: float, context: float, pricing: Pricing, needed: System | None, naive: System | None
) -> list[Record]:
    """Return the records of one decode point: one for a temporal chip, three for a spatial one.

    Parameters
    ----------
    system : System
    batch, context : float
    pricing : Pricing
    needed : System or None
        The smallest deployment that would hold the batch.
    naive : System or None
        The same deployment under the ideal engine; spatial chips only.
    """
    fit = fit_part(system, batch, context, needed)
    point = {"batch": batch, "context_tokens": context}
    head = inputs(system, "predicted" if not system.spatial else "no_speculation") | point
    tail: Record = {"warnings": list(system.warnings)}
    if not fit["fits"]:
        return [head | fit | tail]
    step = serving.decode_step(system, batch, context)
    record = head | _rates(system, step.seconds, batch) | _efficiency(system, step) | fit
    watts = drawn(system, "decode", batch, 1.0, context, pricing.utilisation)
    record |= money_part(system, batch / step.seconds, pricing, "usd_per_million_output_tokens", watts)
    record |= with_interval(record, interval(system, "decode"))
    if system.spatial and not system.engine.ideal:
        record |= _all_users(system, serving.decode_seconds(system, 1.0, context), fit, pricing)
    records = [record | tail]
    if not system.spatial or system.engine.ideal:
        return records
    served = serving.as_served(system, batch)
    if served is not None:
        record = inputs(system, "as_served") | point | _rates(system, served.seconds, batch, served.factor)
        record |= {"served_factor": served.factor, "served_worst_factor": served.worst} | fit
        record |= money_part(system, batch / served.seconds, pricing, "usd_per_million_output_tokens", watts)
        one = serving.as_served(system, 1.0)
        assert one is not None
        records.append(record | _all_users(system, one.seconds, fit, pricing) | tail)
    if naive is not None:
        step = serving.decode_step(naive, batch, context)
        record = inputs(system, "naive_bandwidth") | point | _rates(system, step.seconds, batch) | {"bound": step.bound}
        records.append(record | fit | tail)
    return records


#: Keys that grow with time, and keys that fall with it.
_TIMES: tuple[str, ...] = (
    "step_seconds",
    "tpot_seconds",
    "ttft_seconds",
    "usd_per_million_output_tokens",
    "joules_per_token",
)
_TIMES += ("usd_per_million_input_tokens", "usd_per_million_tokens")
_RATES = ("tokens_per_second_per_user", "tokens_per_second", "tokens_per_second_per_chip", "requests_per_second")


def with_interval(record: Record, found: Interval | None) -> Record:
    """Return `_low` and `_high` beside every predicted time, rate and dollar, and the word for how sure they are."""
    if found is None:
        return {}
    low, high = found.low, found.high
    bounds: Record = {}
    for key in _TIMES:
        if key in record:
            bounds |= {f"{key}_low": record[key] * low, f"{key}_high": record[key] * high}
    for key in _RATES:
        if key in record:
            bounds |= {f"{key}_low": record[key] / high, f"{key}_high": record[key] / low}
    return bounds | {"confidence": found.confidence}


def _rates(system: System, seconds: float, batch: float, factor: float | None = None) -> Record:
    total = batch / seconds
    record: Record = {
        "step_seconds": seconds,
        "tpot_seconds": seconds,
        "tokens_per_second_per_user": 1.0 / seconds,
        "tokens_per_second": total,
        "tokens_per_second_per_chip": total / system.deployment.chips,
    }
    if factor is not None:
        for key in ("tokens_per_second_per_user", "tokens_per_second", "tokens_per_second_per_chip"):
            record |= {f"{key}_low": record[key] / factor, f"{key}_high": record[key] * factor}
        for key in ("step_seconds", "tpot_seconds"):
            record |= {f"{key}_low": record[key] / factor, f"{key}_high": record[key] * factor}
    return record


def _all_users(system: System, seconds: float, fit: Record, pricing: Pricing) -> Record:
    """Return what a pipeline gives with every stage busy that the memory has users for."""
    users = min(system.stages, fit["max_batch"])
    total = users / seconds
    watts = drawn(system, "decode", users, 1.0, fit["max_context"], pricing.utilisation)
    money = money_part(system, total, pricing, "usd_per_million_output_tokens", watts)
    record: Record = {"aggregate_users": users, "aggregate_tokens_per_second": total}
    for key in ("usd_per_million_output_tokens", "joules_per_token"):
        if key in money:
            record[f"aggregate_{key}"] = money[key]
    return record


def _efficiency(system: System, step: serving.Step) -> Record:
    tier = system.hardware.memory[system.deployment.weights_tier]
    record: Record = {"bound": step.bound}
    if system.spatial and not system.engine.ideal:
        return record
    peak = system.rates.peaks[system.rates.unit(system.deployment.weights)]
    if tier.bandwidth is not None:
        record["mbu"] = step.bytes / step.seconds / tier.bandwidth.value
    return record | {"mfu": step.flops / step.seconds / peak}


def prefill_records(
    system: System, batch: float, tokens: float, past: float, pricing: Pricing, needed: System | None
) -> list[Record]:
    """Return the record of one prefill: time to the first token, and input tokens per second."""
    fit = fit_part(system, batch, past + tokens, needed)
    head = inputs(system, "predicted" if not system.spatial else "no_speculation")
    head |= {"batch": batch, "isl": tokens, "past_tokens": past, "context_tokens": past + tokens}
    tail: Record = {"warnings": list(system.warnings)}
    if not fit["fits"]:
        return [head | fit | tail]
    step = serving.prefill_step(system, batch, tokens, past)
    total = batch * tokens / step.seconds
    record = head | {
        "step_seconds": step.seconds,
        "ttft_seconds": step.seconds,
        "tokens_per_second": total,
        "tokens_per_second_per_chip": total / system.deployment.chips,
    }
    record |= _efficiency(system, step) | fit
    watts = drawn(system, "prefill", batch, tokens, past, pricing.utilisation)
    record |= money_part(system, total, pricing, "usd_per_million_input_tokens", watts)
    return [record | with_interval(record, interval(system, "prefill")) | tail]


def clean(record: Record) -> Record:
    """Return the record without values that are None or not finite: a key that does not apply is absent."""
    return {
        key: value
        for key, value in record.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
