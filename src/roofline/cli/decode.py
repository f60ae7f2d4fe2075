"""`roofline decode`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes, evaluate
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit


@click.command("decode")
@shared.where_options
@shared.point_options("--batch", "--context")
@shared.money_options
@shared.plot_option
@shared.overwrite_option
@shared.output_options
def decode_command(batch: str, context: str, plot: Path | None, overwrite: bool, **options: Any) -> None:
    """Tokens per second of generating, what binds, power and dollars.

    \b
    roofline decode --hw wse3 --model llama4-maverick
    roofline decode --hw h100 --model llama-3.3-70b --batch 1,2,4..64 --format csv
    """
    chart.ready(plot, overwrite=overwrite)
    price = shared.money(options)
    requests = list(shared.requests(options))
    batches, contexts = axes.counts(batch, "--batch"), axes.counts(context, "--context")
    shared.check_size(len(requests) * len(batches) * len(contexts))
    records = evaluate.decode(requests, batches, contexts, price.usd_per_hour, price.basis, price.utilisation)
    if plot is not None:
        if len(requests) * len(batches) * len(contexts) == 1:
            # One point has no frontier; where its time goes is what there is to see.
            steps = [evaluate.explain(one, "decode", batches[0], contexts[0], 0) for one in evaluate.opened(requests)]
            chart.draw("step", [record for step in steps for record in step], plot, requests)
        else:
            chart.draw("frontier", records, plot, requests)
    emit("decode", records, **options)
