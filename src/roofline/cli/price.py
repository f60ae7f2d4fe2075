"""`roofline price list|show|compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes, catalog
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.cost import prices as price_file
from roofline.cost import quotes, retail
from roofline.cost.breakeven import ApiPrice
from roofline.cost.owner import USD_PER_KWH
from roofline.errors import RooflineError

_WHEN = (
    click.option(
        "--at", metavar="INSTANT", help="When, e.g. 2026-11-23T02:00Z; by default noon of the snapshot's day."
    ),
    click.option("--as-of", metavar="DATE", help="As of a day; a table printed on that day stands for it."),
    click.option(
        "--prices", type=click.Path(path_type=Path), help="Your own price file (columns of prices/README.md)."
    ),
)


def when_options(command: shared.Command) -> shared.Command:
    """Add the options that say which prices hold."""
    for option in reversed(_WHEN):
        command = option(command)
    return command


def snapshot_and_when(
    prices: Path | None, at: str | None, as_of: str | None
) -> tuple[price_file.Snapshot, quotes.When]:
    """Return the price file and the instant that the options name."""
    if at is not None and as_of is not None:
        raise RooflineError("--at and --as-of both name a day; give one of them")
    snapshot = price_file.snapshot(prices)
    if as_of is not None:
        instant = quotes.parse_instant(as_of, "--as-of")
        return snapshot, quotes.When(instant, printed=True)
    instant = quotes.noon(snapshot.date) if at is None else quotes.parse_instant(at, "--at")
    return snapshot, quotes.When(instant)


def late(snapshot: price_file.Snapshot, when: quotes.When) -> list[str]:
    """Return the warning that an instant lies after the snapshot."""
    days = (when.day - snapshot.date).days
    return [f"{when.day} is {days:,} days after the snapshot; these are the newest known prices"] if days > 0 else []


@click.group("price")
def price_command() -> None:
    """List prices of API providers: list, show, compare with the predicted cost.

    \b
    roofline price list --as-of 2026-05-11
    roofline price show deepseek-v4-flash --at 2026-11-23T02:00Z
    roofline price compare --hw b200 --model gpt-oss-120b --batch 64
    """


@price_command.command("list")
@click.option("--model", help="Only these models; commas between names.")
@click.option("--provider", help="Only this provider.")
@click.option("--source", help="Only sources whose name contains this text, e.g. article.")
@click.option("--rows", is_flag=True, help="Every price instead of one line per model.")
@when_options
@shared.output_options
def list_command(
    model: str | None,
    provider: str | None,
    source: str | None,
    rows: bool,
    at: str | None,
    as_of: str | None,
    prices: Path | None,
    **options: Any,
) -> None:
    """List what every model sells for: median and range of its providers.

    Rows with a flag (outlier, other service tier) or a status (deprecated) are shown by --rows but are in no median.
    """
    snapshot, when = snapshot_and_when(prices, at, as_of)
    names: list[str | None] = [*axes.names(model, "--model")] if model else [None]
    found = [row for name in names for row in quotes.quotes(snapshot, when, name, provider, source)]
    warnings = late(snapshot, when)
    if rows:
        emit("price-show", [quotes.record(row, when) | {"warnings": warnings} for row in found], **options)
        return
    emit("price-list", retail.by_model(found, when, warnings), **options)


@price_command.command("show")
@click.argument("model")
@click.option("--provider", help="Only this provider.")
@click.option("--source", help="Only sources whose name contains this text.")
@click.option("--isl", default="1", help="Input tokens of a request, for prices that rise with its length.")
@click.option("--live", is_flag=True, help="Ask the genai-prices package instead of the snapshot.")
@when_options
@shared.output_options
def show_command(
    model: str,
    provider: str | None,
    source: str | None,
    isl: str,
    live: bool,
    at: str | None,
    as_of: str | None,
    prices: Path | None,
    **options: Any,
) -> None:
    """Show every provider's price of a model at an instant, with source and date.

    \b
    roofline price show deepseek-v4-flash --at 2026-11-23T02:00Z --provider deepseek
    roofline price show gpt-5.5 --isl 300k
    """
    tokens = axes.counts(isl, "--isl")
    if len(tokens) != 1:
        raise RooflineError("--isl: price show takes one prompt length")
    snapshot, when = snapshot_and_when(prices, at, as_of)
    if live:
        from datetime import UTC, datetime

        from roofline.cost.live import live as ask

        now = when if at or as_of else quotes.When(datetime.now(UTC))
        emit("price-show", ask(snapshot, model, provider, now, tokens[0]), **options)
        return
    found = quotes.quotes(snapshot, when, model, provider, source)
    warnings = late(snapshot, when)
    emit("price-show", [quotes.record(row, when, tokens[0]) | {"warnings": warnings} for row in found], **options)


@price_command.command("compare")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl")
@shared.money_options
@click.option("--provider", help="Only this provider's retail price.")
@click.option("--list-price", metavar="IN,OUT", help="Your own retail price in $/M instead, e.g. 0.15,0.60.")
@click.option(
    "--usd-per-kwh",
    type=float,
    default=USD_PER_KWH,
    show_default=True,
    help=f"Price of electricity ({retail.KWH_SOURCE}).",
)
@when_options
@shared.output_options
def compare_command(
    batch: str,
    context: str,
    isl: str,
    provider: str | None,
    list_price: str | None,
    usd_per_kwh: float,
    at: str | None,
    as_of: str | None,
    prices: Path | None,
    **options: Any,
) -> None:
    """Retail price beside predicted cost beside electricity, with gross margin and break-even.

    \b
    roofline price compare --hw b200 --model gpt-oss-120b --batch 64 --utilisation 0.4
    roofline price compare --hw h100,gb200 --model deepseek-v4-flash --batch 128 --at 2026-11-23T02:00Z
    """
    from roofline import evaluate

    snapshot, when = snapshot_and_when(prices, at, as_of)
    if list_price is not None and provider is not None:
        raise RooflineError("--list-price and --provider are different prices; give one of them")
    given = ApiPrice.read(list_price, "--list-price") if list_price is not None else None
    money = shared.money(options)
    requests = list(shared.requests(options))
    points = [axes.counts(text, flag) for text, flag in ((batch, "--batch"), (context, "--context"), (isl, "--isl"))]
    shared.check_size(len(requests) * len(points[0]) * len(points[1]) * len(points[2]))
    records = []
    for request in requests:
        for length in points[2]:
            if given is not None:
                sold = retail.own(given, catalog.label("models", request.model))
            else:
                sold = retail.retail(snapshot, request.model, when, length, provider)
            for size in points[0]:
                for tokens in points[1]:
                    costs = evaluate.compare(
                        [request], size, tokens, length, money.usd_per_hour, money.basis, money.utilisation
                    )
                    records += [retail.beside(cost, sold, usd_per_kwh, money.utilisation) for cost in costs]
    for record in records:
        record["warnings"] = [*record.get("warnings", ()), *late(snapshot, when)]
    emit("price-compare", records, **options)
