"""`roofline serve`."""

from __future__ import annotations

from typing import Any

import click

from roofline import axes, service
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError
from roofline.workload import Speculation


@click.command("serve")
@shared.where_options
@shared.point_options("--isl")
@click.option("--osl", default="1k", show_default=True, help="Answer tokens per request.")
@click.option("--concurrency", help="Users that each send their next request when the last is answered: 1,2,4..256.")
@click.option("--rate", type=float, help="Requests per second that arrive whatever the service does.")
@click.option("--static", "static", help="One fixed batch of so many requests.")
@click.option("--cache-hit", type=float, default=0.0, show_default=True, help="Share of the prompt that is cached.")
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
    cache_hit: float,
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
    roofline serve --hw b200 --model gpt-oss-120b --isl 8k --osl 1k --rate 2 --tpot 20ms --ttft 2s
    """
    price = shared.money(options)
    requests = list(shared.requests(options))
    inputs, answers = axes.counts(isl, "--isl"), axes.counts(osl, "--osl")
    given = [name for name, value in (("--concurrency", concurrency), ("--rate", rate), ("--static", static)) if value]
    if len(given) > 1:
        raise RooflineError(f"{given[0]} and {given[1]} are different loads; give one of them")
    if rate is not None and not 0 < rate < 1e9:
        raise RooflineError(f"--rate: {rate} is out of range; it must be above 0")
    if not 0 <= cache_hit < 1:
        raise RooflineError(f"--cache-hit: {cache_hit} is out of range; it must be at least 0 and below 1")
    speculation = _speculation(drafted, accepted)
    loads: list[tuple[str, float | None]] = [("saturated", None)]
    if concurrency:
        loads = [("concurrency", float(users)) for users in axes.counts(concurrency, "--concurrency")]
    elif static:
        loads = [("static_batch", float(size)) for size in axes.counts(static, "--static")]
    elif rate is not None:
        loads = [("rate", rate)]
    shared.check_size(len(requests) * len(inputs) * len(answers) * len(loads))
    slo = service.Promise(ttft, tpot)
    records = service.serve(
        requests,
        inputs,
        answers,
        loads,
        cache_hit,
        slo,
        speculation,
        price.usd_per_hour,
        price.basis,
        price.utilisation,
    )
    emit("serve", records, **options)


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
