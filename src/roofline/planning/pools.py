"""Prefill and decode in pools of their own, of one chip or of two: halves that are paired."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roofline import admission, pools
from roofline.dtypes import BYTES
from roofline.planning.option import Goal, Option, Pool, Prices
from roofline.planning.shared import affordable

if TYPE_CHECKING:
    from roofline.planning.points import Curve
    from roofline.system import System


#: Copies of each pool that are tried where no request rate says how many, and pools of a kind that are paired.
MOST_COPIES, PAIRED = 8, 2
#: How busy a prefill pool may be where no first token is promised: requests then wait for ten others in the mean.
BUSIEST = 0.95
#: How much cheaper a request must be for more copies of both pools to be worth while.
TIGHTER = 0.03


@dataclass(frozen=True, slots=True)
class Half:
    """One pool of a pair: its curve, its batch, requests of one copy [1/s], USD per hour, and seconds of a batch."""

    one: Curve
    batch: float
    rate: float
    usd: float
    seconds: float

    @property
    def order(self) -> tuple[object, ...]:
        """Cheapest requests first, then as of options."""
        d = self.one.system.deployment
        return (self.usd / self.rate, d.chips, self.one.system.names, d.pp, d.dp, d.ep, d.dcp, d.weights, d.kv)


def separate(curves: Sequence[Curve], goal: Goal, prices: Prices, quick: bool = False) -> Iterator[Option]:
    """Yield pairs of a prefill and a decode pool; each on its own chip, the cache travels between them.

    Cost of a request adds up over the pools, the first token waits for one and the later ones for the other: so the
    cheapest pair is made of the cheapest pools, and only the best of every chip and cache format are paired.

    Parameters
    ----------
    quick : bool
        Pair the decode pools that are fastest instead of those that are cheapest.
    """
    first = _best([h for one in curves for h in prefill_halves(one, goal, prices)])
    second = _best([h for one in curves for h in _decode_half(one, goal, prices, quick)], quick)
    for decode in second:
        for prefill in first:
            ours, theirs = decode.one.system, prefill.one.system
            if compatible(ours, theirs):
                yield from pair(prefill, decode, goal)


def compatible(prefill: System, decode: System) -> bool:
    """Return whether one pool can read the cache that the other writes: the same model, and as many bytes."""
    return prefill.names[1] == decode.names[1] and BYTES[prefill.deployment.kv] == BYTES[decode.deployment.kv]


def prefill_halves(one: Curve, goal: Goal, prices: Prices) -> Iterator[Half]:
    """Yield the ways to read prompts with a deployment that keep the promised first token."""
    usd = one.system.deployment.chips * prices[one.system.names[0]]
    for size, seconds in one.prefills:
        share = _busy(one, seconds, goal, 0.0)
        if share > 0:
            yield Half(one, size, share * size / seconds, usd, seconds)


def _busy(one: Curve, seconds: float, goal: Goal, transfer: float) -> float:
    """Return how busy a prefill pool may be for the first token to come in time: a queue with one server.

    The mean wait is ``u / (2 (1 - u))`` prefills; a slack of s prefills allows ``u = 2 s / (1 + 2 s)``.
    """
    if goal.ttft is None:
        return BUSIEST
    slack = goal.ttft / goal.margin - unqueued(one, seconds, goal, transfer)
    return max(0.0, 2.0 * slack / (seconds + 2.0 * slack)) if slack > 0 else 0.0


def unqueued(one: Curve, seconds: float, goal: Goal, transfer: float) -> float:
    """Return the first token where no request waits for another [s]."""
    return seconds + admission.request_overhead(one.system, goal.load.isl) + transfer


def _decode_half(one: Curve, goal: Goal, prices: Prices, quick: bool) -> Iterator[Half]:
    kept = np.flatnonzero(one.step * goal.margin <= (math.inf if goal.tpot is None else goal.tpot))
    if len(kept):
        rate = one.batch / (goal.load.steps * one.step)
        index = int(kept[0]) if quick else int(kept[np.argmax(rate[kept])])
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        yield Half(one, float(one.batch[index]), float(rate[index]), usd, float(one.step[index]))


def _best(halves: list[Half], quick: bool = False) -> list[Half]:
    """Return the best few of every chip, model and cache format, and the best of fewer chips."""

    def order(half: Half) -> tuple[object, ...]:
        return (half.one.step[0], *half.order) if quick else half.order

    groups: dict[tuple[object, ...], list[Half]] = {}
    for half in sorted(halves, key=order):
        system = half.one.system
        members = groups.setdefault((system.names[0], system.names[1], BYTES[system.deployment.kv]), [])
        # The best may leave no chips for its other half: so whatever is smaller than all that is better, too.
        smaller = all(system.deployment.chips < other.one.system.deployment.chips for other in members)
        if len(members) < PAIRED or smaller:
            members.append(half)
    return [half for members in groups.values() for half in members]


def pair(prefill: Half, decode: Half, goal: Goal) -> Iterator[Option]:
    """Yield the numbers of copies that serve a request for the least."""
    transfer = pools.transfer_seconds(decode.one.system, goal.load.isl)
    share = _busy(prefill.one, prefill.seconds, goal, transfer)
    if share <= 0:
        return
    full = prefill.batch / prefill.seconds
    best: Option | None = None
    for many in [0] if goal.rate is not None else range(1, MOST_COPIES + 1):
        if goal.rate is not None:
            counts = (math.ceil(goal.rate / (share * full)), math.ceil(goal.rate / decode.rate))
        else:
            # As many as feed the decode pool, or as the budget leaves: then prefill is what limits.
            needed = math.ceil(many * decode.rate / (share * full) - 1e-9)
            counts = (int(max(1, min(needed, _affordable_copies(prefill, goal, many, decode)))), many)
        capacity = min(counts[0] * share * full, counts[1] * decode.rate)
        carried = capacity if goal.rate is None else goal.rate
        busy = carried / (counts[0] * full)
        wait = pools.queue_seconds(busy, prefill.seconds)
        first = Pool(prefill.one.system, prefill.batch, counts[0])
        then = Pool(decode.one.system, decode.batch, counts[1], decode.one.speculation)
        usd = counts[0] * prefill.usd + counts[1] * decode.usd
        ttft = unqueued(prefill.one, prefill.seconds, goal, transfer) + wait
        option = Option(then, first, ttft, decode.seconds, capacity, usd, goal)
        # A few more copies that fit together a little better are not worth their number.
        if affordable(option) and (best is None or option.usd_per_request < best.usd_per_request * (1 - TIGHTER)):
            best = option
    if best is not None:
        yield best


def _affordable_copies(half: Half, goal: Goal, others: int, other: Half) -> float:
    """Return the copies of one pool that the budget leaves beside `others` of the other."""
    chips = goal.most_chips - others * other.one.system.deployment.chips
    dollars = goal.most_usd_per_hour - others * other.usd
    by_chips = chips // half.one.system.deployment.chips if math.isfinite(chips) else math.inf
    by_dollars = dollars // half.usd if math.isfinite(dollars) and half.usd else math.inf
    return max(0.0, min(by_chips, by_dollars))
