"""Requests and workloads to flat records: the one path that every command, and the Python API, goes through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from roofline import catalog
from roofline.cost.hourly import hourly
from roofline.errors import RooflineError
from roofline.report.record import (
    Pricing,
    Record,
    clean,
    decode_records,
    estimated,
    fit_part,
    inputs,
    prefill_records,
)
from roofline.resolve import Request, resolve, what_fits

if TYPE_CHECKING:
    from roofline.cost.hourly import Hourly
    from roofline.cost.owner import Terms
    from roofline.system import System


def pricing(system: System, usd_per_hour: float | None, basis: str | None, utilisation: float) -> Pricing:
    """Return the price of one chip-hour on the basis asked for."""
    return Pricing(hourly(system.hardware, usd_per_hour, basis), utilisation)


def open_requests(request: Request) -> list[tuple[Request, str]]:
    """Return the requests behind a request: itself, or for a closed model one per proxy, with the scenario's end."""
    model = request.load().model
    if model.scenario is None:
        return [(request, "")]
    from dataclasses import replace

    proxies = model.scenario.proxies
    ends = ["low", *["between"] * (len(proxies) - 2), "high"]
    return [(replace(request, model=name), end) for name, end in zip(proxies, ends, strict=True)]


def opened(requests: Iterable[Request]) -> list[Request]:
    """Return requests with every closed model replaced by its proxies."""
    return [one for request in requests for one, _ in open_requests(request)]


def decode(
    requests: Iterable[Request],
    batches: Sequence[int],
    contexts: Sequence[int],
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
) -> list[Record]:
    """Return decode records for every request, batch and context, in that order."""
    records: list[Record] = []
    for asked in requests:
        for request, end in open_requests(asked):
            system = resolve(request, float(min(batches)), float(min(contexts)))
            price = pricing(system, usd_per_hour, basis, utilisation)
            naive = naive_system(system) if system.spatial else None
            for batch in batches:
                for context in contexts:
                    needed = what_fits(system, batch, context)
                    found = decode_records(system, float(batch), float(context), price, needed, naive)
                    records += [marked(clean(record), asked, end) for record in found]
    return records


def prefill(
    requests: Iterable[Request],
    batches: Sequence[int],
    lengths: Sequence[int],
    past: int = 0,
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
) -> list[Record]:
    """Return prefill records for every request, batch and prompt length."""
    records: list[Record] = []
    for asked in requests:
        for request, end in open_requests(asked):
            system = resolve(request, float(min(batches)), float(min(lengths) + past))
            price = pricing(system, usd_per_hour, basis, utilisation)
            for batch in batches:
                for tokens in lengths:
                    needed = what_fits(system, batch, tokens + past)
                    found = prefill_records(system, float(batch), float(tokens), float(past), price, needed)
                    records += [marked(clean(record), asked, end) for record in found]
    return records


def fit(
    requests: Iterable[Request], batches: Sequence[int], contexts: Sequence[int], fixed: bool = False
) -> list[Record]:
    """Return what is stored where and what fits, without any time.

    Each point is on the fewest chips that hold it where none are given; `fixed` keeps those of the smallest point.
    """
    records: list[Record] = []
    for asked in requests:
        for request, end in open_requests(asked):
            for batch in batches:
                for context in contexts:
                    least = (min(batches), min(contexts)) if fixed else (batch, context)
                    system = resolve(request, float(least[0]), float(least[1]))
                    needed = what_fits(system, batch, context)
                    record = inputs(system, "exact") | {"batch": batch, "context_tokens": context}
                    record |= fit_part(system, batch, context, needed) | tiers(system, batch, context)
                    records.append(marked(clean(record | {"warnings": list(system.warnings)}), asked, end))
    return records


def tiers(system: System, batch: float, context: float) -> Record:
    """Return how full each memory tier of one chip is."""
    memory, d = system.memory, system.deployment
    kv = memory.kv_bytes_per_chip(context) * max(batch / d.dp, 1.0)
    record: Record = {
        "kv_bytes_per_chip": kv,
        "activation_bytes_per_chip": memory.activation_bytes,
        "usable_bytes_per_chip": memory.usable_bytes,
    }
    cache = system.hardware.cache
    if cache is not None:
        record |= {"cache_tier": cache.name, "cache_bytes_per_chip": cache.capacity.value}
    for index, tier in enumerate(system.hardware.memory):
        held = (memory.weights_bytes_per_chip if index == d.weights_tier else 0.0) + (kv if index == d.kv_tier else 0.0)
        record |= {f"tier_{index}": tier.name, f"tier_{index}_bytes": tier.capacity.value, f"tier_{index}_used": held}
    return record


def naive_system(system: System) -> System:
    """Return the same deployment under the ideal engine."""
    return system.ideal(system.rates.achieved, catalog.engine("ideal"))


def marked(record: Record, asked: Request, end: str) -> Record:
    """Name the closed model that a proxy stands for; which of a wafer's estimates it is stays in `estimate_kind`."""
    if not end:
        return record
    closed, kind = catalog.label("models", asked.model), record["estimate"]
    found = record | {"model": closed, "scenario": end, "proxy": record["model"], "estimate": "estimate"}
    return found if kind in ("predicted", "exact") else found | {"estimate_kind": kind}


def explain(request: Request, phase: str, batch: int, tokens: int, past: int) -> list[Record]:
    """Return the operation table of one point, evaluated: one record per operation, and one for the step.

    Parameters
    ----------
    phase : {"decode", "prefill"}
    batch : int
    tokens : int
        Context in decode, prompt length in prefill [tokens].
    past : int
        Cached tokens before the prompt; prefill only.
    """
    from roofline import serving

    system = resolve(request, float(batch), float(tokens + (past if phase == "prefill" else 0)))
    if phase == "decode":
        size = 1.0 if system.spatial else serving.microbatch(system, batch)
        parts = serving.operations(system.decode, size, 1.0, float(tokens), 1.0)
        step = serving.decode_step(system, batch, tokens)
    else:
        parts = serving.operations(system.prefill, float(batch), float(tokens), float(past), 1.0)
        step = serving.prefill_step(system, batch, tokens, past)
    head = inputs(system, "predicted") | {"phase": phase, "batch": batch, "context_tokens": tokens + past}
    total = sum(part.seconds for part in parts)
    records: list[Record] = []
    for part in parts:
        record = head | {
            "operation": part.op,
            "layer": part.layer,
            "dtype": part.dtype,
            "count": part.count,
            "flops": part.flops,
            "bytes": part.bytes,
            "intensity_flops_per_byte": part.flops / part.bytes if part.bytes else None,
            "compute_seconds": part.compute_seconds,
            "memory_seconds": part.memory_seconds,
            "seconds": part.seconds,
            "bound": part.bound,
            "share": part.seconds / total,
        }
        records.append(clean(record))
    last = {"operation": "step", "flops": step.flops, "bytes": step.bytes, "seconds": step.seconds, "share": 1.0}
    notes = list(system.warnings)
    if abs(total / step.seconds - 1) > 0.005:
        how = "queueing for a stage" if system.spatial else "chunks, pipeline stages or overlap"
        notes.append(f"the step differs from the sum of its operations ({total:.4g} s) by {how}")
    records.append(head | last | {"bound": step.bound, "warnings": notes})
    return records


def compare(
    requests: Sequence[Request],
    batch: int,
    context: int,
    isl: int,
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
) -> list[Record]:
    """Return one record per request with decode and prefill together; a spatial chip's are those as served."""
    records: list[Record] = []
    for request in requests:
        found = decode([request], [batch], [context], usd_per_hour, basis, utilisation)
        if any(estimated(r) == "as_served" for r in found):
            found = [r for r in found if estimated(r) == "as_served" or not r["fits"]]
        for record in found:
            if record["fits"]:
                same = {"chips": record["chips"], "tp": record["tp"], "pp": record["pp"], "model": record.get("proxy")}
                one = at(request, {k: v for k, v in same.items() if v is not None})
                first = prefill([one], [1], [isl], 0, usd_per_hour, basis, utilisation)[0]
                keep = {"isl": isl, "ttft_seconds": first.get("ttft_seconds")}
                keep |= {f"ttft_seconds_{end}": first.get(f"ttft_seconds_{end}") for end in ("low", "high")}
                keep["input_tokens_per_second"] = first.get("tokens_per_second")
                keep["joules_per_input_token"] = first.get("joules_per_token")
                keep["usd_per_million_input_tokens"] = first.get("usd_per_million_input_tokens")
                record = clean(record | keep)
            records.append(record)
    return records


def at(request: Request, shape: Record) -> Request:
    """Return a request with chips and degrees settled; a spatial chip takes the chips alone."""
    from dataclasses import replace

    hardware = request.load().hardware
    if hardware.execution == "spatial":
        shape = {k: v for k, v in shape.items() if k in ("chips", "model")}
    return replace(request, **shape)


def cost(
    requests: Iterable[Request],
    batches: Sequence[int],
    contexts: Sequence[int],
    lengths: Sequence[int],
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
    terms: Terms | None = None,
) -> list[Record]:
    """Return dollars per million tokens: one record per point and price basis; `terms` are those of an owner."""
    from roofline.cost.hourly import bases

    records: list[Record] = []
    for request in requests:
        hardware = request.load().hardware
        if usd_per_hour is not None or basis is not None:
            prices = [hourly(hardware, usd_per_hour, basis, terms)]
        else:
            prices = [*bases(hardware, terms).values()]
        if not prices:
            raise RooflineError(f"{hardware.name} has no published price; give --usd-per-hour, or --capex to own it")
        for price in filter(None, prices):
            for batch in batches:
                for context in contexts:
                    for isl in lengths:
                        found = compare([request], batch, context, isl, price.usd, None, utilisation)
                        records += [_on_basis(record, price) for record in found]
    return records


def _on_basis(record: Record, price: Hourly) -> Record:
    """Return a record whose price was given with the basis and date that it stands for."""
    if "usd_per_hour" not in record:
        return record
    record |= {"price_basis": price.basis, "usd_per_chip_hour": price.usd}
    return record | ({"price_date": price.date} if price.date else {})
