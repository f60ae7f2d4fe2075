"""What users of a service see under a load: one record per request, lengths and load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline import serving
from roofline.cost.power import drawn
from roofline.evaluate import marked, open_requests, pricing
from roofline.lengths import Item, Lengths, fixed
from roofline.mixed import mixed
from roofline.report.record import Pricing, Record, clean, inputs, money_part, with_interval
from roofline.resolve import Request, resolve

if TYPE_CHECKING:
    from roofline.system import System
    from roofline.workload import Service, Speculation


@dataclass(frozen=True, slots=True)
class Promise:
    """What a service promises its users; None promises nothing.

    Attributes
    ----------
    ttft, tpot : float or None
        [s].
    """

    ttft: float | None = None
    tpot: float | None = None


@dataclass(frozen=True, slots=True)
class Tiers:
    """Memory tiers beyond the one that holds the KV cache, by index; None: not used.

    Attributes
    ----------
    hit : int or None
        Holds cached prefixes, which are loaded before prefill.
    spill : int or None
        Holds the cache of sequences that the nearest memory has no room for.
    """

    hit: int | None = None
    spill: int | None = None


def serve(
    requests: Iterable[Request],
    inputs: Sequence[int],
    answers: Sequence[int],
    loads: Sequence[tuple[str, float | None]],
    cache_hit: float = 0.0,
    promise: Promise | None = None,
    speculation: Speculation | None = None,
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
    lengths: Sequence[Lengths] | None = None,
    tiers: Tiers | None = None,
) -> list[Record]:
    """Return what users of a service see, one record per request, lengths and load.

    Parameters
    ----------
    inputs, answers : sequence of int
        Prompt and answer lengths [tokens].
    loads : sequence of (kind, size)
        ``("saturated", None)``, ``("concurrency", users)``, ``("static_batch", size)`` or ``("rate", requests/s)``.
    cache_hit : float
        Share of the prompt whose cache is already there: its prefill is saved.
    promise : Promise, optional
        Adds whether the mean keeps it, and the requests per second that do.
    speculation : Speculation, optional
        Tokens drafted per step and accepted.
    lengths : sequence of Lengths, optional
        Lengths that vary from request to request, instead of `inputs`, `answers` and `cache_hit`.
    tiers : Tiers, optional
        Where caches lie that are not in the nearest memory.
    """
    records: list[Record] = []
    if lengths is None:
        lengths = [fixed(isl, osl, cache_hit) for isl in inputs for osl in answers]
    for asked in requests:
        for request, end in open_requests(asked):
            for one in lengths:
                system = resolve(request, 1.0, one.isl + one.osl)
                price = pricing(system, usd_per_hour, basis, utilisation)
                for kind, size in loads:
                    record = _served(system, kind, size, one, tiers or Tiers(), price, promise, speculation)
                    records.append(marked(clean(record), asked, end))
    return records


def _served(
    system: System,
    kind: str,
    size: float | None,
    lengths: Lengths,
    tiers: Tiers,
    price: Pricing,
    promise: Promise | None,
    speculation: Speculation | None,
) -> Record:
    from roofline import workload
    from roofline.interval import interval

    record = inputs(system, "predicted" if not system.spatial else "no_speculation")
    isl, osl, one = round(lengths.isl, 6), round(lengths.osl, 6), lengths.alike
    hit = round(lengths.mean(lambda item: item.past) / isl, 9)
    record |= {"load": kind, "isl": isl, "osl": osl, "cache_hit": hit, "warnings": list(system.warnings)}
    record |= {"lengths": lengths.words} if len(lengths.items) > 1 else {}
    record |= {"concurrency": size} if kind == "concurrency" else {"batch": size} if kind == "static_batch" else {}
    limit = workload.batch_limit(system, one.isl, one.osl)
    record |= {"fits": system.memory.fits(1.0, isl + osl), "max_batch": limit, "context_tokens": isl + osl}
    if not record["fits"]:
        return record
    found = mixed(system, kind, size, lengths, speculation, tiers.hit, tiers.spill)
    if found is None:
        note = f"{size:g} requests per second is more than one copy serves; it needs more copies"
        return record | {"rate_requests_per_second": size, "warnings": [*record["warnings"], note]}
    service = found.service
    if kind == "static_batch" and size and size > service.batch:
        note = f"the cache has room for {service.batch:,.0f} of {size:,.0f} requests at a time; the rest wait for it"
        record["warnings"] = [*record["warnings"], note]
    out = service.output_tokens_per_second
    record |= {
        "batch": service.batch,
        "ttft_seconds": found.ttft,
        "tpot_seconds": service.tpot,
        "request_seconds": found.latency,
        "requests_per_second": service.requests_per_second,
        "tokens_per_second_per_user": 1.0 / service.tpot,
        "tokens_per_second": out,
        "tokens_per_second_per_chip": out / system.deployment.chips,
    }
    if kind in ("concurrency", "rate"):
        for q in (50, 90, 99):
            record[f"ttft_p{q}_seconds"] = found.ttft_percentile(q / 100.0)
            record[f"request_p{q}_seconds"] = found.request_percentile(q / 100.0)
    if promise is not None:
        record |= _kept(record, promise)
        if promise.ttft is not None or promise.tpot is not None:
            record["goodput_requests_per_second"] = found.goodput(promise.ttft, promise.tpot)
    if speculation is not None:
        record |= {"drafted_tokens": speculation.drafted, "accepted_tokens_per_step": speculation.accepted}
    watts = _watts(system, service, one, price.utilisation)
    record |= money_part(system, out, price, "usd_per_million_output_tokens", watts)
    tokens = {k: v for k, v in record.items() if k not in ("ttft_seconds",)}
    question = {"static_batch": "static", "saturated": "saturated"}.get(kind, "tpot")
    record |= with_interval(tokens, interval(system, question, service.busy))
    # The first token of a batch is all prefill.
    wait = interval(system, "static", 1.0) if kind == "static_batch" else interval(system, "ttft", service.busy)
    first = with_interval({"ttft_seconds": found.ttft}, wait)
    return record | {k: v for k, v in first.items() if k != "confidence"}


def _watts(system: System, service: Service, one: Item, utilisation: float) -> float | None:
    """Return the mean draw of a service whose steps are prefill and decode by turns [W]."""
    fresh = max(1.0, one.isl - one.past)
    reading = drawn(system, "prefill", service.batch, fresh, one.past, utilisation)
    writing = drawn(system, "decode", service.batch, 1.0, one.isl + 0.5 * one.osl, utilisation)
    if reading is None or writing is None:
        return None
    n = max(1.0, service.batch)
    share = min(1.0, service.requests_per_second * serving.prefill_seconds(system, n, fresh, one.past) / n)
    return share * reading + (1.0 - share) * writing


def _kept(record: Record, promise: Promise) -> Record:
    found: Record = {}
    for name, limit in (("ttft", promise.ttft), ("tpot", promise.tpot)):
        if limit is not None and f"{name}_seconds" in record:
            found[f"meets_{name}"] = record[f"{name}_seconds"] <= limit
    return found
