"""`roofline sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError

#: Rows that a table for people may have.
MOST_ROWS = 200
#: Points that a chart may have.
MOST_POINTS = 5_000


@click.command("sweep")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl")
@click.option("--phase", type=click.Choice(["decode", "prefill"]), default="decode", show_default=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File; its ending is the format (.csv .parquet ...)."
)
@click.option("--value", help="Datasets (.zarr .nc): the value to hold.  [default: step_seconds]")
@click.option(
    "--vary", multiple=True, metavar="PATH=V1,V2", help="An axis of any figure, e.g. hw.power.chip=500W,700W."
)
@click.option("--scheduler", metavar="ADDRESS", help="Datasets: a Dask scheduler, tcp://host:8786, or `local`.")
@click.option("--overwrite", is_flag=True, help="Replace an output file that exists.")
@shared.plot_option
@shared.money_options
@shared.output_options
def sweep_command(
    batch: str,
    context: str,
    isl: str,
    phase: str,
    output: Path | None,
    value: str | None,
    vary: tuple[str, ...],
    scheduler: str | None,
    overwrite: bool,
    plot: Path | None,
    strict: bool,
    format: str,
    **options: Any,
) -> None:
    """A grid over any axes, to a table or file.

    \b
    roofline sweep --hw h100,b200 --model llama-3.3-70b --tp 2,4,8 --batch 1:256:x2 --context 1k:128k:x2
    roofline sweep --hw h200 --model deepseek-v3 --batch 1:512:1 --context 1k:128k:1k -o grid.parquet
    roofline sweep --hw h100,b200 --model llama-3.3-70b --tp 8 --batch 1:1000:1 --context 1:1000000:1 -o grid.zarr

    A Zarr or NetCDF dataset has an axis per option; a sweep that was stopped goes on where it was.
    """
    chart.ready(plot, overwrite=overwrite)
    if plot is not None and phase == "prefill":
        raise RooflineError("--plot draws throughput per user, which prefill has none of; leave out --phase prefill")
    if output is not None and output.suffix.lower() in (".zarr", ".nc"):
        if plot is not None:
            raise RooflineError("--plot draws points; give a dataset's command and the chart's apart")
        _dataset(batch, context, isl, phase, output, overwrite, value, vary, scheduler, options)
        return
    if value or vary or scheduler:
        raise RooflineError("--value, --vary and --scheduler go with a dataset: give --output NAME.zarr or NAME.nc")
    price = shared.money(options)
    requests = list(shared.requests(options))
    batches = axes.counts(batch, "--batch")
    lengths = axes.counts(context, "--context") if phase == "decode" else axes.counts(isl, "--isl")
    points = len(requests) * len(batches) * len(lengths)
    from roofline.report import stream
    from roofline.sweeping import tables

    given = (requests, phase, batches, lengths, price.usd_per_hour, price.basis, price.utilisation)
    if plot is not None:
        if points > MOST_POINTS:
            raise RooflineError(f"{points:,} points are too many for a chart; at most {MOST_POINTS:,}")
        chart.draw("frontier", [record for _, record in stream.rows(tables.blocks(*given))], plot, requests)
    blocks = tables.blocks(*given)
    if output is not None:
        count = stream.to_file(blocks, output, overwrite=overwrite)
        click.echo(f"{count:,} points in {output}", err=True)
    elif format == "table":
        if points > MOST_ROWS:
            raise RooflineError(f"{points:,} points are too many for a table; give --output FILE or --format csv")
        records = [record for _, record in stream.rows(blocks)]
        emit(phase, records, format="table", strict=strict)
    elif format == "md":
        emit(phase, [record for _, record in stream.rows(blocks)], format="md", strict=strict)
    else:
        stream.to_stdout(blocks, format)


def _dataset(
    batch: str,
    context: str,
    isl: str,
    phase: str,
    output: Path,
    overwrite: bool,
    value: str | None,
    vary: tuple[str, ...],
    scheduler: str | None,
    options: dict[str, Any],
) -> None:
    from roofline.sweeping.cube import Cube, outer_axes
    from roofline.sweeping.run import to_dataset

    prices = options.pop("usd_per_hour")
    money = shared.money(options | {"usd_per_hour": None})
    outer = outer_axes(shared.axes_of(options))
    for text in vary:
        path, equals, values = text.partition("=")
        if not equals or "." not in path:
            raise RooflineError(f"--vary {text!r}: write hw.KEY=VALUE,VALUE, model.KEY=... or engine.KEY=...")
        outer[path] = axes.names(values, "--vary")
    if prices is not None:
        outer["usd_per_hour"] = [
            shared.dollars_per_hour(one, "--usd-per-hour") for one in axes.names(prices, "--usd-per-hour")
        ]
    given = {name: ",".join(map(str, values)) for name, values in outer.items()}
    cube = Cube(
        phase,
        outer,
        axes.counts(batch, "--batch"),
        axes.counts(context, "--context") if phase == "decode" else axes.counts(isl, "--isl"),
        value or "step_seconds",
        tuple(options["set"]),
        options["kv_tier"],
        None,
        money.basis,
        money.utilisation,
        given | {"basis": money.basis or "default"},
    )
    seen = to_dataset(cube, output, overwrite=overwrite, scheduler=scheduler)
    times = f"evaluated in {seen['evaluation_seconds']:.1f} s, encoded and written in {seen['writing_seconds']:.1f} s"
    click.echo(f"{cube.points:,} points in {output}: {times}", err=True)
