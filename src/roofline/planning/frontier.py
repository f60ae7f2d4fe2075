"""What no other option beats, and what comes nearest where nothing keeps the promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline.planning.option import Goal, Option, Prices
from roofline.planning.pools import Half, compatible, pair, prefill_halves, unqueued
from roofline.planning.shared import keeps, option_of

if TYPE_CHECKING:
    from roofline.planning.points import Curve


#: Every so many batches of each deployment make a first frontier, which spares most other points a look.
COARSE = 16


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
    first = min((unqueued(c, t, goal, 0.0) for c in curves for _, t in c.prefills), default=math.inf)
    for one in curves:
        ttft = np.full(len(one.batch), first) if separate else one.ttft
        tpot = one.step if separate else one.tpot
        over_ttft = ttft * goal.margin / goal.ttft if goal.ttft else np.zeros(len(one.batch))
        over_tpot = tpot * goal.margin / goal.tpot if goal.tpot else np.zeros(len(one.batch))
        worst = np.maximum(over_ttft, over_tpot)
        index = int(np.argmin(worst))
        if best is None or worst[index] < best.factor - 1e-12:
            option = option_of(one, index, goal, one.system.deployment.chips * prices[one.system.names[0]])
            option = replace(option, ttft=float(ttft[index]), tpot=float(tpot[index]))
            limit = "TTFT" if over_ttft[index] >= over_tpot[index] else "TPOT"
            best = Miss(option, limit, float(worst[index]))
    return best


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
    halves = sorted((h for one in curves for h in prefill_halves(one, free, weigh)), key=lambda half: half.order)

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
        fed = next((k for k, half in enumerate(halves) if compatible(half.one.system, one.system)), None)
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
            found.append(option_of(one, int(at), goal, usd))
            continue
        rate = float(one.batch[at] / (goal.load.steps * one.step[at]))
        first = halves[fed]
        first = replace(first, usd=first.one.system.deployment.chips * prices[first.one.system.names[0]])
        second = Half(one, float(one.batch[at]), rate, usd, float(one.step[at]))
        found += pair(first, second, free)
    # Whole copies of both pools take a little more than the shares that they were compared by.
    kept: list[Option] = []
    lowest = math.inf
    for option in found:
        cost = option.usd_per_request if per == "dollar" else option.chips / option.carried
        if cost < lowest * (1 - 1e-9):
            kept.append(option)
            lowest = cost
    return kept
