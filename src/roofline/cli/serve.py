"""`roofline serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes, catalog, lengths, service
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError
from roofline.lengths import Lengths
from roofline.trace import read_requests
from roofline.workload import Speculation


@click.command("serve")
@shared.where_options
@shared.point_options("--isl")
@click.option("--osl", default="1k", show_default=True, help="Answer tokens per request.")
@click.option("--concurrency", help="Users that each send their next request when the last is answered: 1,2,4..256.")
@click.option("--rate", type=float, help="Requests per second that arrive whatever the service does.")
@click.option("--static", "static", help="One fixed batch of so many requests.")
@click.option("--spread", help="Lengths vary around --isl and --osl: uniform:0.2 (±20 %) or lognormal:0.8 (σ).")
@click.option("--profile", help="Lengths of a workload profile, lognormal; `roofline workload list` shows them.")
@click.option("--trace", type=click.Path(path_type=Path), help="Lengths of a CSV of requests: isl, osl, maybe cached.")
@click.option("--cache-hit", type=float, help="Share of the prompt that is cached; the profile's, else 0.")
@click.option("--hit-tier", type=int, help="Memory tier that cached prefixes are loaded from (0 = nearest, no load).")
@click.option("--spill-tier", type=int, help="Memory tier of caches that the nearest has no room for: they decode too.")
@click.option("--drafted", type=int, help="Speculation: tokens drafted per step.")
@click.option("--accepted", type=float, help="Speculation: tokens a step yields in the mean, from 1 to drafted + 1.")
@shared.promise_options
@shared.money_options
@shared.output_options
def serve_command(
    isl: str,
    osl: str,
    concurrency: str | None,
    rate: float | None,
    static: str | None,
    spread: str | None,
    profile: str | None,
    trace: Path | None,
    cache_hit: float | None,
    hit_tier: int | None,
    spill_tier: int | None,
    drafted: int | None,
    accepted: float | None,
    ttft: float | None,
    tpot: float | None,
    **options: Any,
) -> None:
    """What users of a service see: first token, time per token, throughput and dollars.

    Without --concurrency, --rate or --static the queue is never empty: saturated throughput.

    \b
    roofline serve --hw h100 --model llama-3.3-70b --weights fp8 --isl 1k --osl 1k --concurrency 1,2,4..256
    roofline serve --hw h200 --model llama-3.3-70b --weights fp8 --profile chat --rate 2 --ttft 1s --tpot 40ms
    roofline serve --hw b200 --model gpt-oss-120b --isl 8k --osl 1k --rate 2 --tpot 20ms --ttft 2s
    """
    price = shared.money(options)
    requests = list(shared.requests(options))
    mixes = _lengths(isl, osl, spread, profile, trace, cache_hit)
    given = [name for name, value in (("--concurrency", concurrency), ("--rate", rate), ("--static", static)) if value]
    if len(given) > 1:
        raise RooflineError(f"{given[0]} and {given[1]} are different loads; give one of them")
    if rate is not None and not 0 < rate < 1e9:
        raise RooflineError(f"--rate: {rate} is out of range; it must be above 0")
    speculation = _speculation(drafted, accepted)
    loads: list[tuple[str, float | None]] = [("saturated", None)]
    if concurrency:
        loads = [("concurrency", float(users)) for users in axes.counts(concurrency, "--concurrency")]
    elif static:
        loads = [("static_batch", float(size)) for size in axes.counts(static, "--static")]
    elif rate is not None:
        loads = [("rate", rate)]
    if static and any(len(one.items) > 1 for one in mixes):
        raise RooflineError("--static is one batch of one length; leave out --spread, --profile and --trace")
    if spill_tier is not None and not concurrency:
        raise RooflineError("--spill-tier is for --concurrency: users beyond the room of the nearest memory")
    shared.check_size(len(requests) * len(mixes) * len(loads))
    slo = service.Promise(ttft, tpot)
    records = service.serve(
        requests,
        (),
        (),
        loads,
        0.0,
        slo,
        speculation,
        price.usd_per_hour,
        price.basis,
        price.utilisation,
        mixes,
        service.Tiers(hit_tier, spill_tier),
    )
    emit("serve", records, **options)


def _lengths(
    isl: str, osl: str, spread: str | None, profile: str | None, trace: Path | None, hit: float | None
) -> list[Lengths]:
    """Read how long requests are."""
    given = [name for name, value in (("--spread", spread), ("--profile", profile), ("--trace", trace)) if value]
    if len(given) > 1:
        raise RooflineError(f"{given[0]} and {given[1]} each describe the lengths; give one of them")
    if hit is not None and not 0 <= hit < 1:
        raise RooflineError(f"--cache-hit: {hit} is out of range; it must be at least 0 and below 1")
    if trace is not None:
        requests = read_requests(trace)
        if hit is not None:
            requests = [(i, o, hit * i) for i, o, _ in requests]
        return [lengths.observed(requests, f"{trace.name}: {len(requests):,} requests")]
    if profile is not None:
        spec = catalog.workload(profile)
        share = spec.cache_hit.value if hit is None else hit
        return [lengths.profile(spec, share)]
    points = [(i, o, hit or 0.0) for i in axes.counts(isl, "--isl") for o in axes.counts(osl, "--osl")]
    if spread is None:
        return [lengths.fixed(*point) for point in points]
    return [lengths.spread(spread)(*point) for point in points]


def _speculation(drafted: int | None, accepted: float | None) -> Speculation | None:
    """Read the speculation options and check them."""
    if drafted is None and accepted is None:
        return None
    if drafted is None or accepted is None:
        raise RooflineError("--drafted and --accepted go together: tokens drafted per step, and tokens a step yields")
    if not 1 <= drafted <= 64:
        raise RooflineError(f"--drafted: {drafted} is out of range; it must be from 1 to 64")
    if not 1 <= accepted <= drafted + 1:
        raise RooflineError(f"--accepted: {accepted} is out of range; it must be from 1 to drafted + 1 = {drafted + 1}")
    return Speculation(drafted, accepted)
