"""Prefill and decode on the same chips: the cheapest and the quickest batch of every deployment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from roofline.planning.option import Goal, Option, Pool, Prices

if TYPE_CHECKING:
    from roofline.planning.points import Curve


def cheapest(curves: Sequence[Curve], goal: Goal, prices: Prices) -> Iterator[Option]:
    """Yield the cheapest batch of every deployment that keeps the promises, prefill and decode on the same chips."""
    for one in curves:
        kept = keeps(one, goal)
        if not kept.any():
            continue
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        # More requests per copy is cheaper in either case; of equal rates the smaller batch, which is faster.
        best = int(np.argmax(np.where(kept, one.rate, -1.0)))
        option = option_of(one, best, goal, usd)
        if affordable(option):
            yield option


def fastest(curves: Sequence[Curve], goal: Goal, prices: Prices) -> Iterator[Option]:
    """Yield the quickest batch of every deployment that keeps the promises within the budget."""
    for one in curves:
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        for index in np.flatnonzero(keeps(one, goal)):
            option = option_of(one, int(index), goal, usd)
            if affordable(option):
                yield option
                break


def keeps(one: Curve, goal: Goal) -> np.ndarray:
    """Return which batches keep both promises, shape (n,)."""
    kept = np.ones(len(one.batch), dtype=bool)
    for values, promise in ((one.ttft, goal.ttft), (one.tpot, goal.tpot)):
        if promise is not None:
            kept &= values * goal.margin <= promise
    return kept


def affordable(option: Option) -> bool:
    """Return whether an option keeps to the chips and dollars that there are."""
    return option.chips <= option.goal.most_chips and option.usd_per_hour <= option.goal.most_usd_per_hour


def option_of(one: Curve, index: int, goal: Goal, usd: float) -> Option:
    """Return a deployment at one of its batches, in as many copies as the load takes; `usd` is of one [USD/h]."""
    rate = float(one.rate[index])
    copies = 1 if goal.rate is None else math.ceil(goal.rate / rate * (1 - 1e-12))
    pool = Pool(one.system, float(one.batch[index]), copies, one.speculation)
    return Option(pool, None, float(one.ttft[index]), float(one.tpot[index]), copies * rate, copies * usd, goal)
