"""`roofline plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError
from roofline.resolve import Request

_DEGREES = ("--chips", "--tp", "--pp", "--dp", "--ep", "--dcp")
_SPACE = ("--hw", "--model", "--engine", *_DEGREES, "--weights", "--kv", "--set")


@click.command("plan")
@shared.where(*_SPACE)
@click.option("--profile", help="Lengths and cache hits of a workload profile.")
@click.option("--isl", help="Prompt tokens.  [default: 8k]")
@click.option("--osl", help="Answer tokens.  [default: 1k]")
@click.option("--cache-hit", type=float, help="Share of the prompt that a prefix cache holds.")
@shared.promise_options
@click.option("--speed", type=float, metavar="TOK/S", help="Promise: tokens per second of a user, instead of --tpot.")
@click.option("--margin", type=float, default=1.0, show_default=True, help="Means must be so many times better.")
@click.option("--rate", type=float, help="Requests per second at the peak; without it machines are full.")
@click.option("--max-chips", help="Chips in all.  [default: 64, with --rate none]")
@click.option("--max-batch", help="Sequences that a copy decodes together, at most.")
@click.option("--max-usd-per-hour", metavar="USD", help="Dollars per hour in all.")
@click.option(
    "--pools",
    type=click.Choice(["any", "shared", "separate"]),
    default="any",
    show_default=True,
    help="Prefill and decode on the same chips or on their own.",
)
@click.option("--drafted", type=int, help="Try speculation too: tokens drafted per step.")
@click.option("--accepted", type=float, help="Speculation: tokens a step yields in the mean.")
@click.option("--usd-per-hour", metavar="USD", help="Your own price of one chip and hour, for every chip.")
@click.option("--basis", help="Price basis: rental-median, owner-neocloud, owner-hyperscaler, contract ...")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler that shares the work, or `local`.")
@shared.plot_option
@shared.overwrite_option
@shared.output_options
def plan_command(plot: Path | None, overwrite: bool, **options: Any) -> None:
    """The cheapest and the fastest deployment that keeps a promise, of every way to split, and why others lost.

    \b
    roofline plan --hw h100,b200,mi355x,wse3 --model llama-3.3-70b --isl 8k --osl 1k --ttft 2s --tpot 20ms
    roofline plan --hw h200 --model deepseek-v3 --profile coding-agent --speed 40 --rate 3
    roofline plan --hw trainium2,wse3 --model llama-3.3-70b --pools separate --max-chips 64
    """
    from roofline.planning.ask import ask

    chart.ready(plot, overwrite=overwrite)
    for flag in _DEGREES:
        options[flag[2:]] = _numbers(options[flag[2:]], flag)
    for flag in ("--hw", "--model", "--engine", "--weights", "--kv"):
        options[flag[2:]] = _names(options[flag[2:]], flag)
    output = {name: options.pop(name) for name in ("format", "strict")}
    for name in ("isl", "osl", "max_chips", "max_batch"):
        text = options[name]
        if text is not None:
            values = axes.counts(text, f"--{name.replace('_', '-')}")
            if len(values) != 1:
                raise RooflineError(f"--{name.replace('_', '-')}: a plan takes one value")
            options[name] = values[0]
    for name in ("max_usd_per_hour", "usd_per_hour"):
        options[name] = shared.dollars_per_hour(options[name], f"--{name.replace('_', '-')}")
    records = ask(**options)
    if plot is not None:
        asked = [Request(hw, model) for model in options["model"] for hw in options["hw"]]
        chart.draw("dollars", records, plot, asked)
    emit("plan", records, **output)


def _numbers(text: str | None, what: str) -> tuple[int, ...]:
    return () if text is None else tuple(axes.counts(text, what))


def _names(text: str | None, what: str) -> tuple[str, ...]:
    return () if text is None else tuple(axes.names(text, what))
