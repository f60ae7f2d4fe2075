"""From all points to answers: the cheapest, the fastest, the best of every chip, the frontier, and the nearest miss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import workload
from roofline.dtypes import BYTES

if TYPE_CHECKING:
    from roofline.planning.points import Curve, Load
    from roofline.system import System
    from roofline.workload import Speculation

#: Copies of each pool that are tried where no request rate says how many, and pools of a kind that are paired.
MOST_COPIES, PAIRED = 8, 2
#: How busy a prefill pool may be where no first token is promised: requests then wait for ten others in the mean.
BUSIEST = 0.95
#: How much cheaper a request must be for more copies of both pools to be worth while.
TIGHTER = 0.03


@dataclass(frozen=True, slots=True)
class Goal:
    """What a deployment must keep.

    Attributes
    ----------
    load : Load
    ttft, tpot : float or None
        Promises [s].
    margin : float
        How many times the mean must fit into the promise.
    rate : float or None
        Requests to carry at the peak [1/s]; None fills the machines.
    most_chips : float
        In all.
    most_usd_per_hour : float
        In all [USD/h].
    most_batch : float
        Sequences that a copy decodes together.
    """

    load: Load
    ttft: float | None = None
    tpot: float | None = None
    margin: float = 1.0
    rate: float | None = None
    most_chips: float = math.inf
    most_usd_per_hour: float = math.inf
    most_batch: float = math.inf

    def within(self, value: float, promise: float | None) -> bool:
        """Return whether a mean keeps a promise with the margin."""
        return promise is None or value * self.margin <= promise


@dataclass(frozen=True, slots=True)
class Pool:
    """Copies of one deployment at one batch."""

    system: System
    batch: float
    copies: int
    speculation: Speculation | None = None

    @property
    def chips(self) -> int:
        """Chips of all copies."""
        return self.copies * self.system.deployment.chips


@dataclass(frozen=True, slots=True)
class Option:
    """One way to serve the load.

    Attributes
    ----------
    decode : Pool
        The only pool where prefill and decode share their chips.
    prefill : Pool or None
    ttft, tpot : float
        Means [s].
    capacity : float
        Requests that it can carry [1/s].
    usd_per_hour : float
        Of all its chips.
    goal : Goal
    """

    decode: Pool
    prefill: Pool | None
    ttft: float
    tpot: float
    capacity: float
    usd_per_hour: float
    goal: Goal

    @property
    def chips(self) -> int:
        """Chips in all."""
        return self.decode.chips + (self.prefill.chips if self.prefill else 0)

    @property
    def carried(self) -> float:
        """Requests that it carries [1/s]: those asked for, or all it can."""
        return self.capacity if self.goal.rate is None else self.goal.rate

    @property
    def usd_per_request(self) -> float:
        """[USD]."""
        return self.usd_per_hour / 3600.0 / self.carried

    @property
    def speed(self) -> float:
        """Tokens per second of one user."""
        return 1.0 / self.tpot

    @property
    def label(self) -> tuple[str, ...]:
        """Chips by name: what runner-ups are told apart by."""
        pools = (self.prefill, self.decode) if self.prefill else (self.decode,)
        return tuple(pool.system.names[0] for pool in pools)

    @property
    def order(self) -> tuple[object, ...]:
        """Cheapest first; ties to fewer chips, then to the simpler, then by name, so that answers never vary."""
        d = self.decode.system.deployment
        pools = 1 if self.prefill is None else 2
        drafted = self.decode.speculation.drafted if self.decode.speculation else 0
        shape = (drafted, d.pp, d.dp, d.dcp, d.ep, d.tp, d.weights, d.kv, self.decode.batch)
        return (float(f"{self.usd_per_request:.9g}"), self.chips, pools, self.label, self.decode.system.names, *shape)


Prices = dict[str, float]  # chip -> USD per hour


def shared(curves: Sequence[Curve], goal: Goal, prices: Prices) -> Iterator[Option]:
    """Yield the cheapest batch of every deployment that keeps the promises, prefill and decode on the same chips."""
    for one in curves:
        kept = keeps(one, goal)
        if not kept.any():
            continue
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        # More requests per copy is cheaper in either case; of equal rates the smaller batch, which is faster.
        best = int(np.argmax(np.where(kept, one.rate, -1.0)))
        option = _option(one, best, goal, usd)
        if affordable(option):
            yield option


def fastest(curves: Sequence[Curve], goal: Goal, prices: Prices) -> Iterator[Option]:
    """Yield the quickest batch of every deployment that keeps the promises within the budget."""
    for one in curves:
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        for index in np.flatnonzero(keeps(one, goal)):
            option = _option(one, int(index), goal, usd)
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


def _option(one: Curve, index: int, goal: Goal, usd: float) -> Option:
    rate = float(one.rate[index])
    copies = 1 if goal.rate is None else math.ceil(goal.rate / rate * (1 - 1e-12))
    pool = Pool(one.system, float(one.batch[index]), copies, one.speculation)
    return Option(pool, None, float(one.ttft[index]), float(one.tpot[index]), copies * rate, copies * usd, goal)


@dataclass(frozen=True, slots=True)
class _Half:
    """One pool of a pair: its curve, its batch, requests of one copy [1/s], USD per hour, and seconds of a batch."""

    one: Curve
    batch: float
    rate: float
    usd: float
    seconds: float

    @property
    def order(self) -> tuple[object, ...]:
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
    first = _best([h for one in curves for h in _prefill_half(one, goal, prices)])
    second = _best([h for one in curves for h in _decode_half(one, goal, prices, quick)], quick)
    for decode in second:
        for prefill in first:
            ours, theirs = decode.one.system, prefill.one.system
            if _compatible(ours, theirs):
                yield from _pair(prefill, decode, goal)


def _compatible(prefill: System, decode: System) -> bool:
    """Return whether one pool can read the cache that the other writes: the same model, and as many bytes."""
    return prefill.names[1] == decode.names[1] and BYTES[prefill.deployment.kv] == BYTES[decode.deployment.kv]


def _prefill_half(one: Curve, goal: Goal, prices: Prices) -> Iterator[_Half]:
    usd = one.system.deployment.chips * prices[one.system.names[0]]
    for size, seconds in one.prefills:
        share = _busy(one, seconds, goal, 0.0)
        if share > 0:
            yield _Half(one, size, share * size / seconds, usd, seconds)


def _busy(one: Curve, seconds: float, goal: Goal, transfer: float) -> float:
    """Return how busy a prefill pool may be for the first token to come in time: a queue with one server.

    The mean wait is ``u / (2 (1 - u))`` prefills; a slack of s prefills allows ``u = 2 s / (1 + 2 s)``.
    """
    if goal.ttft is None:
        return BUSIEST
    slack = goal.ttft / goal.margin - _unqueued(one, seconds, goal, transfer)
    return max(0.0, 2.0 * slack / (seconds + 2.0 * slack)) if slack > 0 else 0.0


def _unqueued(one: Curve, seconds: float, goal: Goal, transfer: float) -> float:
    return seconds + workload.request_overhead(one.system, goal.load.isl) + transfer


def _decode_half(one: Curve, goal: Goal, prices: Prices, quick: bool) -> Iterator[_Half]:
    kept = np.flatnonzero(one.step * goal.margin <= (math.inf if goal.tpot is None else goal.tpot))
    if len(kept):
        rate = one.batch / (goal.load.steps * one.step)
        index = int(kept[0]) if quick else int(kept[np.argmax(rate[kept])])
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        yield _Half(one, float(one.batch[index]), float(rate[index]), usd, float(one.step[index]))


def _best(halves: list[_Half], quick: bool = False) -> list[_Half]:
    """Return the best few of every chip, model and cache format."""

    def order(half: _Half) -> tuple[object, ...]:
        return (half.one.step[0], *half.order) if quick else half.order

    groups: dict[tuple[object, ...], list[_Half]] = {}
    for half in sorted(halves, key=order):
        system = half.one.system
        members = groups.setdefault((system.names[0], system.names[1], BYTES[system.deployment.kv]), [])
        if len(members) < PAIRED:
            members.append(half)
    return [half for members in groups.values() for half in members]


def _pair(prefill: _Half, decode: _Half, goal: Goal) -> Iterator[Option]:
    """Yield the numbers of copies that serve a request for the least."""
    transfer = workload.transfer_seconds(decode.one.system, goal.load.isl)
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
        wait = 0.5 * busy / max(1e-9, 1.0 - busy) * prefill.seconds
        first = Pool(prefill.one.system, prefill.batch, counts[0])
        then = Pool(decode.one.system, decode.batch, counts[1], decode.one.speculation)
        usd = counts[0] * prefill.usd + counts[1] * decode.usd
        ttft = _unqueued(prefill.one, prefill.seconds, goal, transfer) + wait
        option = Option(then, first, ttft, decode.seconds, capacity, usd, goal)
        # A few more copies that fit together a little better are not worth their number.
        if affordable(option) and (best is None or option.usd_per_request < best.usd_per_request * (1 - TIGHTER)):
            best = option
    if best is not None:
        yield best


def _affordable_copies(half: _Half, goal: Goal, others: int, other: _Half) -> float:
    """Return the copies of one pool that the budget leaves beside `others` of the other."""
    chips = goal.most_chips - others * other.one.system.deployment.chips
    dollars = goal.most_usd_per_hour - others * other.usd
    by_chips = chips // half.one.system.deployment.chips if math.isfinite(chips) else math.inf
    by_dollars = dollars // half.usd if math.isfinite(dollars) and half.usd else math.inf
    return max(0.0, min(by_chips, by_dollars))


@dataclass(frozen=True, slots=True)
class Miss:
    """The point that comes nearest to the promises, and by how much it breaks which."""

    option: Option
    limit: str
    factor: float


def nearest(curves: Sequence[Curve], goal: Goal, prices: Prices, separate: bool = False) -> Miss | None:
    """Return the nearest miss; None where there are no points.

    Parameters
    ----------
    separate : bool
        Of pools of their own: the prefill pool that is nearest to one promise, the decode pool to the other.
    """
    best: Miss | None = None
    first = min((_unqueued(c, t, goal, 0.0) for c in curves for _, t in c.prefills), default=math.inf)
    for one in curves:
        ttft = np.full(len(one.batch), first) if separate else one.ttft
        tpot = one.step if separate else one.tpot
        over_ttft = ttft * goal.margin / goal.ttft if goal.ttft else np.zeros(len(one.batch))
        over_tpot = tpot * goal.margin / goal.tpot if goal.tpot else np.zeros(len(one.batch))
        worst = np.maximum(over_ttft, over_tpot)
        index = int(np.argmin(worst))
        if best is None or worst[index] < best.factor - 1e-12:
            option = _option(one, index, goal, one.system.deployment.chips * prices[one.system.names[0]])
            option = replace(option, ttft=float(ttft[index]), tpot=float(tpot[index]))
            limit = "TTFT" if over_ttft[index] >= over_tpot[index] else "TPOT"
            best = Miss(option, limit, float(worst[index]))
    return best


#: Every so many batches of each deployment make a first frontier, which spares most other points a look.
COARSE = 16


def frontier(
    curves: Sequence[Curve], goal: Goal, prices: Prices, pools: str = "any", per: str = "dollar", most: int = 40
) -> list[Option]:
    """Return the options that no other beats in both speed per user and requests per dollar or chip, fastest first.

    The promised time per token does not bind here: the frontier shows what it costs. At most `most` of them, evenly
    spread over the frontier. Pools of their own enter with the best prefill pool that can feed them.

    Parameters
    ----------
    pools : {"any", "shared", "separate"}
    per : {"dollar", "chip"}
    """
    free = replace(goal, tpot=None)
    weigh = prices if per == "dollar" else dict.fromkeys(prices, 1.0)
    halves = sorted((h for one in curves for h in _prefill_half(one, free, weigh)), key=lambda half: half.order)

    def takes_per_request(unit: float, rate: Any) -> Any:
        """Return what a request takes of copies of `unit` each that turn over `rate`: whole copies for a load."""
        if goal.rate is None:
            return unit / rate
        return unit * np.ceil(goal.rate / rate * (1 - 1e-12)) / goal.rate

    lines = []  # curve, its prefill pool or -1, its batches, their speed and what a request takes
    for number, one in enumerate(curves):
        name, chips = one.system.names[0], one.system.deployment.chips
        if chips > goal.most_chips or chips * prices[name] > goal.most_usd_per_hour:
            continue
        unit = chips * weigh[name]
        if pools != "separate":
            index = np.flatnonzero(keeps(one, free))
            lines.append((number, -1, index, one.tpot[index], takes_per_request(unit, one.rate[index])))
        fed = next((k for k, half in enumerate(halves) if _compatible(half.one.system, one.system)), None)
        if pools != "shared" and fed is not None:
            half = halves[fed]
            each = takes_per_request(unit, one.batch / (goal.load.steps * one.step))
            each = each + takes_per_request(half.usd, half.rate)
            lines.append((number, fed, np.arange(len(one.batch)), one.step, each))
    lines = [line for line in lines if len(line[2])]
    if not lines:
        return []
    times = np.concatenate([line[3][::COARSE] for line in lines])
    takes = np.concatenate([line[4][::COARSE] for line in lines])
    order = np.lexsort((takes, times))
    times, least = times[order], np.minimum.accumulate(takes[order])
    falls = np.concatenate([[True], least[1:] < least[:-1]])
    times, least = times[falls], least[falls]
    points = []
    for number, fed, index, time, take in lines:
        at = np.searchsorted(times, time, side="right") - 1
        good = np.flatnonzero(take <= np.where(at < 0, np.inf, least[at]) * (1 + 1e-12))
        chips = curves[number].system.deployment.chips
        points += [(time[i], take[i], chips, number, fed, index[i]) for i in good]
    points.sort()
    best = [points[0]]
    for point in points:
        if point[1] < best[-1][1] * (1 - 1e-9):
            best.append(point)
    chosen = np.unique(np.linspace(0, len(best) - 1, min(most, len(best))).round().astype(int))
    found: list[Option] = []
    for _, _, _, number, fed, at in (best[i] for i in chosen):
        one = curves[number]
        usd = one.system.deployment.chips * prices[one.system.names[0]]
        if fed < 0:
            found.append(_option(one, int(at), goal, usd))
            continue
        rate = float(one.batch[at] / (goal.load.steps * one.step[at]))
        first = halves[fed]
        first = replace(first, usd=first.one.system.deployment.chips * prices[first.one.system.names[0]])
        second = _Half(one, float(one.batch[at]), rate, usd, float(one.step[at]))
        found += _pair(first, second, free)
    # Whole copies of both pools take a little more than the shares that they were compared by.
    kept: list[Option] = []
    lowest = math.inf
    for option in found:
        cost = option.usd_per_request if per == "dollar" else option.chips / option.carried
        if cost < lowest * (1 - 1e-9):
            kept.append(option)
            lowest = cost
    return kept
