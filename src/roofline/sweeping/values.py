"""One deployment, named and priced, and a value of it on a batch x length grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import evaluate, serving
from roofline.cost.tokens import usd_per_million
from roofline.errors import RooflineError
from roofline.report.record import Pricing, Record, inputs
from roofline.resolve import Request, resolve
from roofline.result import decode_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.system import System

#: Values that a dataset can hold, and their units.
VALUES = {
    "step_seconds": "s",
    "tokens_per_second_per_user": "token/s",
    "tokens_per_second": "token/s",
    "tokens_per_second_per_chip": "token/s",
    "usd_per_million_tokens": "USD per million tokens",
}


@dataclass(frozen=True, eq=False)
class Prepared:
    """A system with its price, and what every record of it says; all that another process needs to evaluate it."""

    system: System
    price: Pricing
    constants: Record


def prepare(
    asked: Request, batch: float, length: float, usd_per_hour: float | None, basis: str | None, utilisation: float
) -> list[Prepared]:
    """Resolve a request for its smallest point: one system, or those behind a closed model.

    Raises
    ------
    RooflineError
        For unknown names, or a deployment that cannot be.
    """
    found = []
    for request, end in evaluate.open_requests(asked):
        system = resolve(request, batch, length)
        price = evaluate.pricing(system, usd_per_hour, basis, utilisation)
        constants = inputs(system, "no_speculation" if system.spatial else "predicted")
        found.append(Prepared(system, price, evaluate.marked(constants, asked, end)))
    return found


def evaluated(
    prepared: Prepared, phase: str, value: str, batches: Sequence[int], lengths: Sequence[int]
) -> NDArray[np.float32]:
    """Return a value, shape (batches, lengths) [VALUES]; NaN where the deployment does not hold the point."""
    system = prepared.system
    seconds = step_seconds(system, phase, batches, lengths)
    outside = unfit(system, batches, lengths)
    if outside is not None:
        seconds[outside] = np.nan
    if value == "step_seconds":
        return seconds.astype(np.float32)
    if value == "tokens_per_second_per_user":
        return np.reciprocal(seconds).astype(np.float32)
    b = np.asarray(batches, dtype=np.float64)[:, None]
    rate = (b if phase == "decode" else b * np.asarray(lengths, dtype=np.float64)[None, :]) / seconds
    if value == "tokens_per_second":
        return rate.astype(np.float32)
    if value == "tokens_per_second_per_chip":
        return (rate / system.deployment.chips).astype(np.float32)
    return (dollars(prepared) / rate).astype(np.float32)


def dollars(prepared: Prepared) -> float:
    """Return what a rate of one token per second costs [USD per million tokens].

    Raises
    ------
    RooflineError
        If nobody publishes a price of the chip.
    """
    price = prepared.price
    if price.hourly is None:
        raise RooflineError(f"{prepared.system.hardware.name} has no published price; give --usd-per-hour")
    return usd_per_million(price.hourly.usd * prepared.system.deployment.chips, 1.0, price.utilisation)


def step_seconds(system: System, phase: str, batches: Sequence[int], lengths: Sequence[int]) -> NDArray[np.float64]:
    """Return steps through the compiled kernels, shape (batches, lengths) [s]."""
    if phase == "decode":
        return decode_times(system, batches, lengths)
    if len(batches) * len(lengths) < 64 or system.spatial:
        return np.array([[serving.prefill_seconds(system, x, y) for y in lengths] for x in batches])
    from roofline.compiled import prefill_gufunc, table_array

    stages, chunk = float(system.deployment.pp), serving.prefill_chunk(system)
    b = np.asarray(batches, dtype=np.float64)[:, None]
    n = np.asarray(lengths, dtype=np.float64)[None, :]
    # The bound has stages that are never empty.
    inside, outside = (1.0, stages) if system.engine.ideal else (stages, 1.0)
    values = table_array(system.prefill)
    found: NDArray[Any] = prefill_gufunc()(values, b, system.prefill.ranks, n, 0.0, chunk, inside, 0.0) / outside
    return found


def unfit(system: System, batches: Sequence[int], lengths: Sequence[int]) -> NDArray[np.bool_] | None:
    """Return where weights and cache do not fit, shape (batches, lengths), or None where every point fits.

    A cache never shrinks as its context grows: a batch that has room at the longest has room everywhere.
    """
    sizes, tokens, memory = np.asarray(batches), np.asarray(lengths), system.memory
    tight = np.flatnonzero(sizes > memory.max_batch(float(tokens.max())))
    if not tight.size:
        return None
    outside = np.zeros((len(sizes), len(tokens)), dtype=np.bool_)
    # The longest context of a batch takes about 40 looks at the memory, the largest batch of a context one.
    if 40 * len(tight) < len(tokens):
        for row in tight:
            outside[row] = tokens > memory.max_context(float(sizes[row]))
    else:
        room = np.array([memory.max_batch(float(length)) for length in lengths])
        outside[tight] = sizes[tight, None] > room[None, :]
    return outside
