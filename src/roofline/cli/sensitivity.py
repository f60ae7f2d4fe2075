"""`roofline sensitivity`."""

from __future__ import annotations

from typing import Any

import click

from roofline import axes
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError
from roofline.units import parse_quantity


@click.command("sensitivity")
@shared.where_options
@click.option("--phase", type=click.Choice(["decode", "prefill", "serve"]), default="decode", show_default=True)
@shared.point_options("--batch", "--context", "--isl", "--past")
@click.option("--osl", default="1k", show_default=True, help="Answer tokens per request, for --phase serve.")
@click.option("--concurrency", help="Users of --phase serve; without it the queue is never empty.")
@click.option("--output", help="What to explain: tok/s/user, tpot, ttft, $/M, or any key of --format json.")
@click.option("--step", default="10%", show_default=True, help="How far each figure is moved, down and up.")
@click.option("--target", metavar="OUTPUT=VALUE", help="The inverse: bring an output to a value, with --vary.")
@click.option("--vary", metavar="PATH", help="The figure that has to reach the target, e.g. hw.memory.0.bandwidth.")
@click.option("--estimate", type=click.Choice(["no_speculation", "as_served"]), help="Wafers: which estimate.")
@shared.money_options
@shared.output_options
def sensitivity_command(
    phase: str,
    output: str | None,
    step: str,
    target: str | None,
    vary: str | None,
    estimate: str | None,
    **options: Any,
) -> None:
    """What each figure of chip, model, engine and price is worth, and the value that reaches a target.

    The elasticity is by how many per cent the output moves when the figure moves by one per cent; chips and parallel
    degrees stay as they are.

    \b
    roofline sensitivity --hw h100 --model llama-3.1-8b
    roofline sensitivity --hw h100 --model llama-3.3-70b --chips 4 --output '$/M' --batch 64
    roofline sensitivity --hw h100 --model llama-3.1-8b --target tpot=4ms --vary hw.memory.0.bandwidth
    """
    from roofline.whatif.elasticity import sensitivity
    from roofline.whatif.question import Question
    from roofline.whatif.target import reach

    price, load = shared.money(options), _load(phase, options)
    requests = list(shared.requests(options))
    questions = [
        Question(request, phase, load, price.usd_per_hour, price.basis, price.utilisation, estimate)
        for request in requests
    ]
    if (target is None) != (vary is None):
        raise RooflineError("--target and --vary go together: the output to reach, and the figure that has to do it")
    if target is not None and vary is not None:
        name, value = _target(target)
        emit("target", [r for question in questions for r in reach(question, name, value, vary)], **options)
        return
    moved = _step(step)
    emit("sensitivity", [r for question in questions for r in sensitivity(question, output, moved)], **options)


def _load(phase: str, options: dict[str, Any]) -> dict[str, float]:
    """Take the load out of the options: one value of each, no sets."""
    names = {"decode": ("batch", "context"), "prefill": ("batch", "isl", "past"), "serve": ("isl", "osl")}[phase]
    texts = {name: options.pop(name) for name in ("batch", "context", "isl", "past", "osl", "concurrency")}
    if phase == "serve" and texts["concurrency"] is not None:
        names += ("concurrency",)
    load = {}
    for name in names:
        read = shared.whole if name == "past" else axes.counts
        values = read(texts[name], f"--{name}")
        if len(values) != 1:
            raise RooflineError(f"--{name} {texts[name]}: sensitivity takes one value; run it once for each")
        load[name] = float(values[0])
    return load


def _step(text: str) -> float:
    try:
        return parse_quantity(text, "1")
    except RooflineError as error:
        raise RooflineError(f"--step: {error}") from None


def _target(text: str) -> tuple[str, float]:
    """Read ``tokens_per_second_per_user=200`` or ``tpot=20ms``."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name or not value:
        raise RooflineError(f"--target {text!r}: write OUTPUT=VALUE, for example tokens_per_second_per_user=200")
    timed = name in ("tpot", "ttft") or name.endswith("_seconds")
    try:
        return name, parse_quantity(value.removeprefix("$"), "s" if timed else "1")
    except RooflineError as error:
        raise RooflineError(f"--target {name}: {error}") from None
