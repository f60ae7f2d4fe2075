"""`roofline plot KIND`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from roofline import axes, catalog, evaluate
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.errors import RooflineError

_OUTPUT = click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="File: .svg, .png, .html or .json."
)
#: Chips side by side that a page has room for.
MOST_PANELS = 6
_PANEL = (400, 300)


def _output(command: shared.Command) -> shared.Command:
    return _OUTPUT(shared.overwrite_option(command))


@click.group("plot")
def plot_command() -> None:
    """Draw a chart: roofline, frontier, dollars, fit, step, validate, tornado.

    Files end in .svg, .png, .html (a page of its own that fetches nothing) or .json (Vega-Lite).

    \b
    roofline plot roofline --hw h100 --model deepseek-v3 --batch 32 -o roofline.svg
    roofline plot frontier --hw wse3,h100,b200 --model llama4-maverick -o frontier.png
    """


@plot_command.command("roofline")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl", "--past")
@click.option("--phase", type=click.Choice(["decode", "prefill"]), default="decode", show_default=True)
@_output
def roofline_command(output: Path, overwrite: bool, **options: Any) -> None:
    """A chip's memory tiers and peaks, log-log, with a model's operations placed on them.

    \b
    roofline plot roofline --hw h100 --chips 8 --model deepseek-v3 --weights fp8 --batch 32 -o roofline.svg
    """
    from roofline import ceilings

    _point("roofline", ceilings.records, output, overwrite, options)


@plot_command.command("step")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl", "--past")
@click.option("--phase", type=click.Choice(["decode", "prefill"]), default="decode", show_default=True)
@_output
def step_command(output: Path, overwrite: bool, **options: Any) -> None:
    """Time of a step split by operation, and what bounds each.

    \b
    roofline plot step --hw b200 --model gpt-oss-120b --batch 64 -o step.svg
    """
    _point("step", evaluate.explain, output, overwrite, options)


def _point(kind: str, read: Callable[..., list[Any]], output: Path, overwrite: bool, options: dict[str, Any]) -> None:
    chart.ready(output, overwrite=overwrite)
    phase, isl, context = options.pop("phase"), options.pop("isl"), options.pop("context")
    batch = _one(axes.counts(options.pop("batch"), "--batch"), kind)
    tokens = axes.counts(context, "--context") if phase == "decode" else axes.counts(isl, "--isl")
    past = _one(shared.whole(options.pop("past"), "--past"), kind)
    requests = _panels(evaluate.opened(shared.requests(options)))
    records = [r for request in requests for r in read(request, phase, batch, _one(tokens, kind), past)]
    chart.draw(kind, records, output, requests, *([] if len(requests) == 1 else [_PANEL]))


def _one(values: list[int], kind: str) -> int:
    if len(values) != 1:
        raise RooflineError(f"plot {kind} takes one batch and one length; plot frontier takes sets")
    return values[0]


def _panels(requests: list[Any]) -> list[Any]:
    if len(requests) > MOST_PANELS:
        raise RooflineError(f"{len(requests)} deployments asked for; a chart has room for {MOST_PANELS} side by side")
    return requests


def _curves(kind: str, output: Path, overwrite: bool, batch: str, context: str, options: dict[str, Any]) -> None:
    chart.ready(output, overwrite=overwrite)
    price = shared.money(options)
    requests = list(shared.requests(options))
    batches, contexts = axes.counts(batch, "--batch"), axes.counts(context, "--context")
    shared.check_size(len(requests) * len(batches) * len(contexts))
    records = evaluate.decode(requests, batches, contexts, price.usd_per_hour, price.basis, price.utilisation)
    chart.draw(kind, records, output, requests)


@plot_command.command("frontier")
@shared.where_options
@shared.point_options("--batch", "--context", batch="1:256:x2")
@shared.money_options
@_output
def frontier_command(output: Path, overwrite: bool, batch: str, context: str, **options: Any) -> None:
    """Throughput per chip against speed per user, a line per deployment, batch along it.

    \b
    roofline plot frontier --hw h100,b200 --model llama-3.3-70b --weights fp8 --tp 4,8 -o frontier.svg
    """
    _curves("frontier", output, overwrite, batch, context, options)


@plot_command.command("dollars")
@shared.where_options
@shared.point_options("--batch", "--context", batch="1:256:x2")
@shared.money_options
@_output
def dollars_command(output: Path, overwrite: bool, batch: str, context: str, **options: Any) -> None:
    """Dollars per million output tokens against speed per user.

    \b
    roofline plot dollars --hw wse3,h100,b200 --model llama4-maverick --utilisation 0.5 -o dollars.svg
    """
    _curves("dollars", output, overwrite, batch, context, options)


@plot_command.command("fit")
@shared.where_options
@shared.point_options("--batch", "--context", batch="1:256:x2", context="1k:128k:x2")
@_output
def fit_command(output: Path, overwrite: bool, batch: str, context: str, **options: Any) -> None:
    """Room for the KV cache over batch and context: what fits, and what stays on chip.

    Without --chips each deployment is the smallest that holds the smallest point.

    \b
    roofline plot fit --hw wse3 --model llama4-maverick -o fit.svg
    """
    chart.ready(output, overwrite=overwrite)
    requests = _panels(list(shared.requests(options)))
    batches, contexts = axes.counts(batch, "--batch"), axes.counts(context, "--context")
    shared.check_size(len(requests) * len(batches) * len(contexts))
    records = evaluate.fit(requests, batches, contexts, fixed=True)
    chart.draw("fit", records, output, requests, *([] if len(requests) == 1 else [_PANEL]))


@plot_command.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_output
def validate_command(file: Path | None, output: Path, overwrite: bool) -> None:
    """Predicted against measured, with the interval of each prediction; FILE as in `roofline validate`.

    \b
    roofline plot validate -o accuracy.png
    """
    from roofline import validate
    from roofline.measurements import read_csv

    chart.ready(output, overwrite=overwrite)
    checked = validate.check_all(read_csv(file) if file is not None else validate.shipped())
    chart.draw("validate", [validate.with_results(one) for one in checked], output, size=(400, 400))


@plot_command.command("tornado")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@_output
def tornado_command(file: Path, output: Path, overwrite: bool) -> None:
    """How far each input moves an answer; FILE has the JSON of `sensitivity` or of `cost --samples` (- reads stdin).

    \b
    roofline cost --hw h100 --model llama-3.1-8b --isl 4k --osl 1k --samples 10000 --format json > cost.json
    roofline plot tornado cost.json -o tornado.svg
    """
    chart.ready(output, overwrite=overwrite)
    text = sys.stdin.read() if str(file) == "-" else catalog.read_text(file)
    chart.draw("tornado", read_records(text, str(file)), output)


def read_records(text: str, where: str) -> list[Any]:
    """Return the records of a JSON document that a command printed.

    Raises
    ------
    RooflineError
        If it is not JSON, or not a list of records.
    """
    try:
        records = json.loads(text)
    except (ValueError, RecursionError):
        raise RooflineError(f"{where}: not JSON; give what a command prints with --format json") from None
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise RooflineError(f"{where}: not a list of records; give what a command prints with --format json")
    return records
