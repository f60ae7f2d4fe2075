"""What the server answers: the records of the commands, by the functions behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roofline import catalog, evaluate
from roofline.catalog import plain_name
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.resolve import Request, load, resolve
from roofline.web.ask import MOST_POINTS, MOST_RECORDS, Point, Upload

#: Name of a file that was sent, in messages and where a name of the catalogue would stand.
OWN = "your file"


def names() -> dict[str, list[str]]:
    """Return what a request may name: chips, models and engines of the catalogue, formats, price bases."""
    from typing import get_args

    from roofline.cost.hourly import Basis
    from roofline.dtypes import BYTES

    families: tuple[tuple[str, catalog.Family], ...] = (("hw", "hardware"), ("model", "models"), ("engine", "engines"))
    found = {key: sorted({stem for _, stem, _ in catalog.files(family)}) for key, family in families}
    return found | {"format": list(BYTES), "basis": list(get_args(Basis))}


def decoded(asked: Point) -> list[Record]:
    """Return the records of `roofline decode`."""
    batches, contexts = asked.sizes(MOST_RECORDS)
    return evaluate.decode(asked.requests(), batches, contexts, *asked.money())


def fitted(asked: Point) -> list[Record]:
    """Return the records of `roofline fit`."""
    batches, contexts = asked.sizes(MOST_RECORDS)
    return evaluate.fit(asked.requests(), batches, contexts)


def served(asked: Point, requests: list[Request]) -> list[Record]:
    """Return the records of `roofline serve --concurrency`."""
    from roofline import service

    usd, basis, utilisation = asked.money()
    users = [("concurrency", float(asked.concurrency))]
    return service.serve(
        requests, [asked.isl], [asked.osl], users, usd_per_hour=usd, basis=basis, utilisation=utilisation
    )


def gridded(asked: Point) -> list[dict[str, Any]]:
    """Return step times on a dense grid, one entry per chip."""
    from roofline.result import decode_times

    batches, contexts = asked.sizes(MOST_POINTS)
    found = []
    for request in asked.requests():
        system = resolve(request, float(min(batches)), float(min(contexts)))
        room = [system.memory.max_batch(float(context)) for context in contexts]
        rows = decode_times(system, batches, contexts).tolist()
        seconds = [
            [value if batch <= most else None for value, most in zip(row, room, strict=True)]
            for batch, row in zip(batches, rows, strict=True)
        ]
        axis = {"batch": batches, "context_tokens": contexts}
        found.append({"hardware": system.names[0], "chips": system.deployment.chips, **axis, "step_seconds": seconds})
    return found


def compared(asked: Point, requests: list[Request]) -> list[Record]:
    """Return the records of `roofline compare`, list price and electricity beside as in `roofline price compare`."""
    from roofline.cost import retail

    batches, contexts = asked.sizes(MOST_RECORDS)
    records = evaluate.compare(requests, batches[0], contexts[0], asked.isl, *asked.money())
    sold = _sold(asked, requests[0])
    return [retail.beside(record, sold, asked.usd_per_kwh, asked.utilisation) for record in records]


def _sold(asked: Point, request: Request) -> Record:
    """Return what the model sells for: as given, at a provider's, or in the median; empty where nobody sells it."""
    from roofline.cost import prices, quotes, retail
    from roofline.cost.breakeven import ApiPrice

    if asked.list_price is not None and asked.provider is not None:
        raise RooflineError("list_price and provider are different prices; give one of them")
    if asked.list_price is not None:
        return retail.own(ApiPrice.read(asked.list_price, "list_price"), request.load().names[1])
    if request.model == OWN:
        return {}  # whatever its name
    snapshot = prices.snapshot()
    try:
        when = quotes.When(quotes.noon(snapshot.date))
        return retail.retail(snapshot, request.model, when, asked.isl, asked.provider)
    except RooflineError:
        if asked.provider is not None:
            raise
        return {}


def priced(model: str, isl: int) -> list[Record]:
    """Return the records of `roofline price show`."""
    from roofline.cost import prices, quotes

    snapshot = prices.snapshot()
    when = quotes.When(quotes.noon(snapshot.date))
    found = quotes.quotes(snapshot, when, plain_name(model, "model"), None, None)
    return [quotes.record(row, when, isl) for row in found]


def uploaded(given: Upload) -> dict[str, list[Record]]:
    """Return the records of `roofline compare` and of `roofline serve` for a file that was sent.

    A chip runs the state's model; a model runs on each of the state's chips.

    Raises
    ------
    RooflineError
        For what is wrong with the file; the message names the key.
    """
    where = OWN
    requests = given.requests()
    if given.kind == "chip":
        chip = catalog.hardware_from_table(catalog.parse_toml(given.text, where), where)
        # A file may name its class and engine, and those are names too, not paths.
        plain_name(chip.hardware_class, "class")
        engine = given.engine or plain_name(chip.default_engine, "engine")
        base = load("h100", requests[0].model, engine, ())
        achieved = catalog.merge_achieved(chip.achieved, catalog.class_defaults(chip.hardware_class))
        specs = replace(base, names=(chip.name, *base.names[1:]), hardware=chip, achieved=achieved)
        requests = [replace(requests[0], specs=specs)]
    else:
        model = catalog.model_from_table(_model_table(given, where), where)
        for i, request in enumerate(requests):
            base = request.load()
            specs = replace(base, names=(base.names[0], model.name, base.names[2]), model=model)
            requests[i] = replace(request, model=OWN, specs=specs)
    return {"compare": compared(given, requests), "serve": served(given, requests)}


def _model_table(given: Upload, where: str) -> dict[str, Any]:
    if given.kind == "model":
        return catalog.parse_toml(given.text, where)
    from roofline.huggingface import import_config

    try:
        return import_config(given.text, where)
    except RecursionError:
        raise RooflineError(f"{where}: nested too deeply") from None
