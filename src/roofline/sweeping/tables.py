"""Grids over any axes, one system's block at a time, through the compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import evaluate, serving
from roofline.api import decode_times
from roofline.cost.tokens import usd_per_million
from roofline.report.record import Pricing, Record, inputs
from roofline.resolve import Request, resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.system import System

#: Points of one block that are held at a time.
BLOCK_POINTS = 1_000_000


def blocks(
    requests: Sequence[Request],
    phase: str,
    batches: Sequence[int],
    lengths: Sequence[int],
    usd_per_hour: float | None = None,
    basis: str | None = None,
    utilisation: float = 1.0,
) -> Iterator[tuple[Record, dict[str, NDArray[Any]]]]:
    """Yield blocks of a sweep in the order of the axes.

    Parameters
    ----------
    requests : sequence of Request
        Every combination of the axes other than batch and length.
    phase : {"decode", "prefill"}
    batches, lengths : sequence of int
        Sequences; contexts in decode, prompt lengths in prefill [tokens].
    usd_per_hour, basis, utilisation
        As in ``evaluate.pricing``.

    Yields
    ------
    constants : dict
        What every point of the block shares, with the keys of the flat records.
    columns : dict of str to ndarray, shape (points,)
        What differs from point to point. Rates are NaN where the deployment cannot hold the point.
    """
    step = max(1, BLOCK_POINTS // max(1, len(lengths)))
    for asked in requests:
        for request, end in evaluate.open_requests(asked):
            system = resolve(request, float(min(batches)), float(min(lengths)))
            price = evaluate.pricing(system, usd_per_hour, basis, utilisation)
            constants = inputs(system, "predicted" if not system.spatial else "no_speculation")
            constants = evaluate.marked(constants, asked, end)
            for first in range(0, len(batches), step):
                part = batches[first : first + step]
                columns = _block(system, phase, part, lengths, _seconds(system, phase, part, lengths))
                yield constants, _priced(columns, system, phase, price)
                served = serving.as_served(system, 1.0) if phase == "decode" else None
                if served is not None:
                    each = [[_served(system, b)] * len(lengths) for b in part]
                    columns = _block(system, phase, part, lengths, np.array(each))
                    yield constants | {"estimate": "as_served"}, _priced(columns, system, phase, price)


def _served(system: System, batch: float) -> float:
    served = serving.as_served(system, batch)
    assert served is not None
    return served.seconds


def _seconds(system: System, phase: str, batches: Sequence[int], lengths: Sequence[int]) -> NDArray[Any]:
    if phase == "decode":
        return decode_times(system, batches, lengths)
    return np.array([[serving.prefill_seconds(system, x, y) for y in lengths] for x in batches])


def _priced(columns: dict[str, NDArray[Any]], system: System, phase: str, price: Pricing) -> dict[str, NDArray[Any]]:
    if price.hourly is None:
        return columns
    rent = price.hourly.usd * system.deployment.chips
    key = f"usd_per_million_{'output' if phase == 'decode' else 'input'}_tokens"
    return columns | {key: usd_per_million(rent, 1.0, price.utilisation) / columns["tokens_per_second"]}


def _block(
    system: System, phase: str, batches: Sequence[int], lengths: Sequence[int], seconds: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    b, n = np.meshgrid(np.asarray(batches), np.asarray(lengths), indexing="ij")
    tokens: NDArray[Any] = (b if phase == "decode" else b * n).astype(np.float64)
    room = np.array([system.memory.max_batch(length) for length in lengths])
    fits = np.broadcast_to(room, b.shape) >= b
    seconds = np.where(fits, seconds, np.nan)
    columns: dict[str, NDArray[Any]] = {"batch": b}
    columns["context_tokens" if phase == "decode" else "isl"] = n
    columns |= {"fits": fits, "step_seconds": seconds, "tokens_per_second": tokens / seconds}
    columns["tokens_per_second_per_chip"] = columns["tokens_per_second"] / system.deployment.chips
    if phase == "decode":
        columns["tokens_per_second_per_user"] = 1.0 / seconds
    else:
        columns["ttft_seconds"] = seconds
    return {name: np.ascontiguousarray(values).ravel() for name, values in columns.items()}
