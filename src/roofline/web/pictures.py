"""The charts of the page: around its state, on the chips that hold its point, drawn once while nothing changes them."""

from __future__ import annotations

import json
from functools import lru_cache
from threading import Lock
from typing import Literal

from roofline import ceilings, evaluate
from roofline.report import charts
from roofline.report.comparison import BATCHES, Held, Money, curves, held
from roofline.report.record import Record
from roofline.resolve import Loaded
from roofline.web.ask import MOST_RECORDS, Point

Kind = Literal["frontier", "dollars", "fit", "roofline"]
#: Both frontiers come from one evaluation; they are asked for at once.
_ONCE = Lock()


def drawn(kind: Kind, asked: Point) -> str:
    """Return the specification of a chart as JSON."""
    sizes, lengths = asked.sizes(MOST_RECORDS)
    batch, context = sizes[0], lengths[0]
    requests = asked.requests()
    if kind == "roofline":
        # A closed model has no shape of its own: its first proxy's, by name.
        shape = evaluate.opened(requests[:1])[0]
        return _text(kind, ceilings.records(shape, "decode", batch, context), asked.width)
    deployments = tuple(held(requests if kind != "fit" else requests[:1], batch, context))
    # A file that changed since is another key.
    specs = tuple(request.load() for _, request, _ in deployments)
    if kind == "fit":
        return _room(deployments, specs, asked.width)
    batches = tuple(sorted({*BATCHES, batch}))
    return _frontier(kind, deployments, specs, batches, context, asked.money(), asked.width)


def _text(kind: Kind, records: list[Record], width: int) -> str:
    return json.dumps(charts.spec(kind, records, width=width, height=260, caption=False))


@lru_cache(maxsize=64)
def _room(deployments: tuple[Held, ...], _: tuple[Loaded, ...], width: int) -> str:
    sizes, lengths = [2**k for k in range(11)], [2**k for k in range(10, 18)]
    records = [
        evaluate.marked(record, one, end)
        for one, request, end in deployments
        for record in evaluate.fit([request], sizes, lengths, fixed=True)
    ]
    return _text("fit", records, width)


@lru_cache(maxsize=64)
def _frontier(
    kind: Kind,
    deployments: tuple[Held, ...],
    specs: tuple[Loaded, ...],
    batches: tuple[int, ...],
    context: int,
    money: Money,
    width: int,
) -> str:
    with _ONCE:
        records = _curves(deployments, specs, batches, context, money)
    return _text(kind, records, width)


@lru_cache(maxsize=64)
def _curves(
    deployments: tuple[Held, ...], _: tuple[Loaded, ...], batches: tuple[int, ...], context: int, money: Money
) -> list[Record]:
    return curves(deployments, batches, context, money)
