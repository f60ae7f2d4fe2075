"""`roofline sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roofline import axes
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError

if TYPE_CHECKING:
    from roofline.sweeping.cube import Cube

#: Rows that a table for people may have.
MOST_ROWS = 200
#: Points that a chart may have.
MOST_POINTS = 5_000


@click.command("sweep")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl")
@click.option("--phase", type=click.Choice(["decode", "prefill"]), default="decode", show_default=True)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="File; its ending is the format (.csv .parquet .zarr .nc ...).",
)
@click.option("--value", help="The one value to hold; datasets (.zarr .nc) have step_seconds by default, tables all.")
@click.option(
    "--vary", multiple=True, metavar="PATH=V1,V2", help="An axis of any figure, e.g. hw.power.chip=500W,700W."
)
@click.option("--scheduler", metavar="ADDRESS", help="With -o: a Dask scheduler, tcp://host:8786, or `local`.")
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

    Commas make an axis of most options, prices and figures (--vary) too; a Zarr or NetCDF dataset has all of them
    named. A sweep to a file that was stopped goes on where it was.
    """
    chart.ready(plot, overwrite=overwrite)
    if plot is not None and phase == "prefill":
        raise RooflineError("--plot draws throughput per user, which prefill has none of; leave out --phase prefill")
    from roofline.report import stream
    from roofline.sweeping import run

    dataset = output is not None and stream.kind_of(output, run.DATASETS) in run.DATASETS
    if plot is not None and (dataset or value):
        raise RooflineError("--plot draws whole records; give a dataset's command and the chart's apart")
    if scheduler and output is None:
        raise RooflineError("--scheduler goes with a file: give --output NAME.zarr, .nc, .parquet or .csv")
    cube = _cube(batch, context, isl, phase, value or ("step_seconds" if dataset else None), vary, options)
    if output is None and format in ("table", "md") and cube.points > MOST_ROWS:
        raise RooflineError(f"{cube.points:,} points are too many for a table; give --output FILE or --format csv")
    if plot is not None:
        if cube.points > MOST_POINTS:
            raise RooflineError(f"{cube.points:,} points are too many for a chart; at most {MOST_POINTS:,}")
        requests = [cube.request(outer) for outer in range(cube.deployments)]
        chart.draw("frontier", list(stream.rows(run.blocks(cube))), plot, requests)
    if output is not None:
        seen = run.to_file(cube, output, overwrite=overwrite, scheduler=scheduler)
        before = f", {seen['resumed']:,} of {seen['chunks']:,} chunks were there" if seen["resumed"] else ""
        times = f"evaluated in {seen['evaluation_seconds']:.1f} s, written in {seen['writing_seconds']:.1f} s"
        click.echo(f"{cube.points:,} points in {output}: {times}{before}", err=True)
    elif format in ("table", "md"):
        emit(phase, list(stream.rows(run.blocks(cube))), format=format, strict=strict)
    else:
        stream.to_stdout(run.blocks(cube), format, cube.check().columns)


def _cube(
    batch: str, context: str, isl: str, phase: str, value: str | None, vary: tuple[str, ...], options: dict[str, Any]
) -> Cube:
    from roofline.sweeping.cube import Cube

    prices = options.pop("usd_per_hour")
    usd = (
        [shared.dollars_per_hour(one, "--usd-per-hour") for one in axes.names(prices, "--usd-per-hour")]
        if prices
        else []
    )
    money = shared.money(options | {"usd_per_hour": None})
    outer = shared.axes_of(options)
    for text in vary:
        path, equals, values = text.partition("=")
        if not equals or "." not in path:
            raise RooflineError(f"--vary {text!r}: write hw.KEY=VALUE,VALUE, model.KEY=... or engine.KEY=...")
        outer[path.strip()] = axes.names(values, "--vary")
    if len(usd) > 1:
        outer["usd_per_hour"] = usd
    given = {name: ",".join(map(str, values)) for name, values in outer.items()}
    return Cube(
        phase,
        outer,
        axes.counts(batch, "--batch"),
        axes.counts(context, "--context") if phase == "decode" else axes.counts(isl, "--isl"),
        value,
        tuple(options["set"]),
        options["kv_tier"],
        usd[0] if len(usd) == 1 else None,
        money.basis,
        money.utilisation,
        given | {"basis": money.basis or "default"},
    )
