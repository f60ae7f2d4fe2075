"""Blocks of a sweep as flat records: what all points share, and columns of what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import serving
from roofline.report.stream import Block
from roofline.sweeping.values import Prepared, dollars, step_seconds, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.system import System


def blocks(prepared: Prepared, phase: str, batches: Sequence[int], lengths: Sequence[int]) -> Iterator[Block]:
    """Yield what every point of the block shares, and a column per output; a second one for a wafer as it is served.

    Rates are NaN where the deployment cannot hold the point.
    """
    system = prepared.system
    outside = unfit(system, batches, lengths)
    fits = np.ones((len(batches), len(lengths)), dtype=np.bool_) if outside is None else ~outside
    seconds = step_seconds(system, phase, batches, lengths)
    yield prepared.constants, _columns(prepared, phase, batches, lengths, seconds, fits)
    if phase == "decode" and serving.as_served(system, 1.0) is not None:
        served = np.array([[_served(system, b)] for b in batches])
        columns = _columns(prepared, phase, batches, lengths, served, fits)
        yield prepared.constants | {"estimate": "as_served"}, columns


def _served(system: System, batch: float) -> float:
    served = serving.as_served(system, batch)
    assert served is not None
    return served.seconds


def columns(phase: str, priced: bool) -> dict[str, str]:
    """Return the names of the columns and their kinds."""
    decode = phase == "decode"
    found = {"batch": "int", "context_tokens" if decode else "isl": "int", "fits": "bool", "step_seconds": "float"}
    found |= {"tokens_per_second": "float", "tokens_per_second_per_chip": "float"}
    found |= {"tokens_per_second_per_user" if decode else "ttft_seconds": "float"}
    return found | ({dollar_key(phase): "float"} if priced else {})


def dollar_key(phase: str) -> str:
    """Return the key of dollars per million tokens of a phase."""
    return f"usd_per_million_{'output' if phase == 'decode' else 'input'}_tokens"


def _columns(
    prepared: Prepared,
    phase: str,
    batches: Sequence[int],
    lengths: Sequence[int],
    seconds: NDArray[Any],
    fits: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    b, n = np.meshgrid(np.asarray(batches), np.asarray(lengths), indexing="ij")
    seconds = np.where(fits, seconds, np.nan)
    rate = (b if phase == "decode" else b * n) / seconds
    found = [b, n, fits, seconds, rate, rate / prepared.system.deployment.chips]
    found.append(1.0 / seconds if phase == "decode" else seconds)
    priced = prepared.price.hourly is not None
    if priced:
        found.append(dollars(prepared) / rate)
    return dict(zip(columns(phase, priced), map(np.ravel, found), strict=True))
