"""What users of a service see under a load: one record per request, lengths and load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline.evaluate import marked, open_requests, pricing
from roofline.report.record import Pricing, Record, clean, inputs, money_part, with_interval
from roofline.resolve import Request, resolve

if TYPE_CHECKING:
    from roofline.system import System
    from roofline.workload import Speculation


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
    """
    records: list[Record] = []
    for asked in requests:
        for request, end in open_requests(asked):
            for isl in inputs:
                for osl in answers:
                    system = resolve(request, 1.0, float(isl + osl))
                    price = pricing(system, usd_per_hour, basis, utilisation)
                    for kind, size in loads:
                        record = _served(system, kind, size, isl, osl, cache_hit, price, promise, speculation)
                        records.append(marked(clean(record), asked, end))
    return records


def _served(
    system: System,
    kind: str,
    size: float | None,
    isl: int,
    osl: int,
    cache_hit: float,
    price: Pricing,
    promise: Promise | None,
    speculation: Speculation | None,
) -> Record:
    from roofline import workload
    from roofline.interval import interval

    record = inputs(system, "predicted" if not system.spatial else "no_speculation")
    record |= {"load": kind, "isl": isl, "osl": osl, "cache_hit": cache_hit, "warnings": list(system.warnings)}
    record |= {"concurrency": size} if kind == "concurrency" else {"batch": size} if kind == "static_batch" else {}
    limit = workload.batch_limit(system, isl, osl)
    record |= {"fits": system.memory.fits(1.0, isl + osl), "max_batch": limit, "context_tokens": isl + osl}
    if not record["fits"]:
        return record
    past = cache_hit * isl
    if kind == "rate":
        assert size is not None
        found = workload.open_loop(system, size, isl, osl, past, speculation)
        if found is None:
            note = f"{size:g} requests per second is more than one copy serves; it needs more copies"
            return record | {"rate_requests_per_second": size, "warnings": [*record["warnings"], note]}
        service = found
    elif kind == "concurrency":
        service = workload.closed_loop(system, size or 1.0, isl, osl, past, speculation)
    elif kind == "static_batch":
        service = workload.static_batch(system, size or 1.0, isl, osl, speculation)
    else:
        service = workload.saturated(system, isl, osl, None, speculation)
    out = service.output_tokens_per_second
    record |= {
        "batch": service.batch,
        "ttft_seconds": service.ttft,
        "tpot_seconds": service.tpot,
        "request_seconds": service.latency,
        "requests_per_second": service.requests_per_second,
        "tokens_per_second_per_user": 1.0 / service.tpot,
        "tokens_per_second": out,
        "tokens_per_second_per_chip": out / system.deployment.chips,
    }
    if kind in ("concurrency", "rate"):
        record |= {f"ttft_p{q}_seconds": service.ttft_percentile(q / 100.0) for q in (50, 90, 99)}
    if promise is not None:
        record |= _kept(record, promise)
        if promise.ttft is not None or promise.tpot is not None:
            record["goodput_requests_per_second"] = service.goodput(promise.ttft, promise.tpot)
    if speculation is not None:
        record |= {"drafted_tokens": speculation.drafted, "accepted_tokens_per_step": speculation.accepted}
    record |= money_part(system, out, price, "usd_per_million_output_tokens")
    tokens = {k: v for k, v in record.items() if k not in ("ttft_seconds",)}
    question = {"static_batch": "static", "saturated": "throughput"}.get(kind, "tpot")
    record |= with_interval(tokens, interval(system, question))
    first = with_interval({"ttft_seconds": service.ttft}, interval(system, "ttft"))
    return record | {k: v for k, v in first.items() if k != "confidence"}


def _kept(record: Record, promise: Promise) -> Record:
    found: Record = {}
    for name, limit in (("ttft", promise.ttft), ("tpot", promise.tpot)):
        if limit is not None and f"{name}_seconds" in record:
            found[f"meets_{name}"] = record[f"{name}_seconds"] <= limit
    return found
