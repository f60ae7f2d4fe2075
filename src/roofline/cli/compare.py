"""`roofline compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes, evaluate
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError


@click.command("compare")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl")
@shared.money_options
@shared.plot_option
@shared.overwrite_option
@shared.output_options
def compare_command(batch: str, context: str, isl: str, plot: Path | None, overwrite: bool, **options: Any) -> None:
    """Chips or models side by side: storage, decode, prefill, power and dollars of each.

    \b
    roofline compare --hw wse3,h100,b200 --model llama4-maverick
    roofline compare --hw b200 --model llama-3.3-70b,deepseek-v3,gpt-oss-120b --batch 32
    """
    chart.ready(plot, overwrite=overwrite)
    price = shared.money(options)
    requests = list(shared.requests(options))
    batches, contexts, lengths = (
        axes.counts(batch, "--batch"),
        axes.counts(context, "--context"),
        axes.counts(isl, "--isl"),
    )
    if len(batches) != 1 or len(contexts) != 1 or len(lengths) != 1:
        raise RooflineError("compare takes one batch, one context and one prompt length; use decode or sweep for sets")
    shared.check_size(len(requests))
    records = evaluate.compare(
        requests, batches[0], contexts[0], lengths[0], price.usd_per_hour, price.basis, price.utilisation
    )
    if plot is not None:
        from roofline.report import comparison

        money = (price.usd_per_hour, price.basis, price.utilisation)
        point = comparison.Point(batches[0], contexts[0], lengths[0], *money)
        chart.draw("frontier", comparison.over_batches(requests, point), plot, requests)
    emit("compare", records, **options)
