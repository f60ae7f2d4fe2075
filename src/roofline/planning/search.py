"""The search: enumerate, evaluate, choose, and say why the others lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from roofline.cost.hourly import PREFERRED, Hourly, bases, hourly
from roofline.errors import RooflineError
from roofline.planning import pools as separate_pools
from roofline.planning import shared
from roofline.planning.frontier import Miss, frontier, nearest
from roofline.planning.option import Goal, Option
from roofline.planning.points import Curve, Load, curves, up_to
from roofline.planning.space import DEGREES, Space, systems
from roofline.report.progress import Progress
from roofline.resolve import load

if TYPE_CHECKING:
    from roofline.workload import Speculation

#: Deployments that are evaluated together, here or as a task of a cluster.
TOGETHER = 64


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a search found.

    Attributes
    ----------
    points : int
        Deployments x batches that were evaluated.
    deployments : int
    cheapest, fastest : Option or None
        None where nothing keeps the promises; `miss` then says how near the best comes.
    others : list of (Option, str)
        The best of every other chip or pair of chips, cheapest first, with why it lost.
    misses : list of Miss
        Chips on which nothing keeps the promises, nearest first.
    absent : list of str
        Chips left out: they hold no copy of the model, or have no price.
    frontier, chip_frontier : list of Option
        Dollars, and chips, against speed; fastest first.
    prices : dict of str to Hourly
    over_budget : Option or None
        The cheapest that keeps the promises, where only the budget forbids it.
    """

    points: int
    deployments: int
    cheapest: Option | None
    fastest: Option | None
    others: list[tuple[Option, str]]
    misses: list[Miss]
    absent: list[str]
    frontier: list[Option]
    chip_frontier: list[Option]
    prices: dict[str, Hourly]
    over_budget: Option | None = None


def search(
    space: Space,
    goal: Goal,
    speculations: Sequence[Speculation | None] = (None,),
    pools: str = "any",
    usd_per_hour: float | None = None,
    basis: str | None = None,
    scheduler: str | None = None,
) -> Answer:
    """Evaluate every deployment of a space and choose.

    Parameters
    ----------
    space : Space
    goal : Goal
    speculations : sequence of Speculation or None
        Tried in turn with every deployment.
    pools : {"any", "shared", "separate"}
        Whether prefill and decode share their chips.
    usd_per_hour, basis : float, str or None
        One's own price of every chip [USD/h], or the basis of all.
    scheduler : str, optional
        Dask scheduler that evaluates the deployments, or ``local`` for a cluster on this machine.

    Raises
    ------
    RooflineError
        If the space is empty: nothing holds the model, or no chip has a price.
    """
    found = _evaluate(space, goal.load, tuple(speculations), scheduler, _stamp(space))
    prices, absent = _prices(space, usd_per_hour, basis)
    held = {one.system.names[0] for one in found}
    named = {load(chip, space.models[0], None, space.sets).names[0] for chip in space.chips}
    given = [f"{name} {' or '.join(map(str, getattr(space, name)))}" for name in DEGREES if getattr(space, name)]
    with_these = f" with {', '.join(given)}" if given else ""
    small = f"no deployment of at most {space.most_chips} chips{with_these} holds a request"
    absent += [f"{name} is left out: {small}" for name in sorted(named - held)]
    found = [up_to(one, goal.most_batch) for one in found if one.system.names[0] in prices]
    if not found:
        raise RooflineError(f"no deployment to choose from: {'; '.join(absent)}")
    usd = {name: price.usd for name, price in prices.items()}
    options: list[Option] = []
    quick: list[Option] = []
    if pools != "separate":
        options += shared.cheapest(found, goal, usd)
        quick += shared.fastest(found, goal, usd)
    if pools != "shared":
        options += separate_pools.separate(found, goal, usd)
        quick += separate_pools.separate(found, goal, usd, quick=True)
    options.sort(key=lambda option: option.order)
    fastest = min(quick, key=lambda option: (float(f"{option.tpot:.9g}"), option.order), default=None)
    best = options[0] if options else None
    by_label: dict[tuple[str, ...], Option] = {}
    for option in options:
        by_label.setdefault(option.label, option)
    others = [(option, why(option, best)) for option in by_label.values() if best is not None and option is not best]
    used = {name for option in options for name in option.label}
    misses = []
    for name in dict.fromkeys(one.system.names[0] for one in found):
        if name not in used:
            own = [one for one in found if one.system.names[0] == name]
            miss = nearest(own, goal, usd, pools == "separate")
            misses += [miss] if miss is not None and miss.factor > 1 else []
    misses.sort(key=lambda miss: miss.factor)
    over = None
    if not options:
        rich = replace(goal, most_chips=math.inf, most_usd_per_hour=math.inf)
        ways = [*shared.cheapest(found, rich, usd)] if pools != "separate" else []
        ways += separate_pools.separate(found, rich, usd) if pools != "shared" else []
        over = min(ways, key=lambda option: option.order, default=None)
    dear, dense = (frontier(found, goal, usd, pools, per) for per in ("dollar", "chip"))
    points = sum(len(one.batch) for one in found)
    return Answer(points, len(found), best, fastest, others, misses, absent, dear, dense, prices, over)


def _stamp(space: Space) -> tuple[object, ...]:
    """Return what tells a changed file: the loaded specs, which are the same objects while their files are."""
    engines = space.engines or (None,)
    return tuple(load(c, m, e, space.sets) for c in space.chips for m in space.models for e in engines)


@lru_cache(maxsize=2)
def _evaluate(
    space: Space,
    asked: Load,
    speculations: tuple[Speculation | None, ...],
    scheduler: str | None,
    stamp: tuple[object, ...],
) -> list[Curve]:
    """Return the curves of the whole space; the last two spaces are kept, so that a second question is quick."""
    every = list(systems(space, asked.isl + asked.osl))
    tasks = [
        (every[first : first + TOGETHER], asked, speculation)
        for speculation in speculations
        for first in range(0, len(every), TOGETHER)
    ]
    found: list[list[Curve]] = [[] for _ in tasks]
    with Progress(len(every) * len(speculations), "deployments") as bar:
        for number, some in _computed(tasks, scheduler):
            # What a cluster sends back are copies; the search goes on with what it has resolved itself.
            found[number] = [replace(one, system=own) for one, own in zip(some, tasks[number][0], strict=True)]
            bar.step(len(some))
    return [one for some in found for one in some]


def _computed(tasks: Sequence[tuple[Any, ...]], scheduler: str | None) -> Iterator[tuple[int, list[Curve]]]:
    """Yield the numbers and curves of tasks as they are ready, here or on a cluster."""
    if scheduler is None:
        yield from ((number, curves(*task)) for number, task in enumerate(tasks))
        return
    from roofline.sweeping import cluster

    with cluster.client(scheduler) as dask:
        yield from cluster.run(dask, curves, enumerate(tasks), scheduler)


def _prices(space: Space, usd_per_hour: float | None, basis: str | None) -> tuple[dict[str, Hourly], list[str]]:
    """Return the hourly price of every chip, and what to know about them.

    Rent and owner's cost are not to be ranked against each other: the basis is the one that most chips have, and a chip
    without it takes its own and is named.
    """
    specs = [load(chip, space.models[0], None, space.sets) for chip in space.chips]
    chips = {one.names[0]: one.hardware for one in specs}
    if usd_per_hour is not None:
        return {name: Hourly(usd_per_hour, "given") for name in chips}, []
    known = {name: bases(hardware) for name, hardware in chips.items()}
    common = max(PREFERRED, key=lambda one: sum(one in found for found in known.values()))
    if basis is not None and all(basis not in found for found in known.values()):
        hourly(next(iter(chips.values())), None, basis)  # raises, and names what there is
    prices, notes = {}, []
    for name, hardware in chips.items():
        price = hourly(hardware) if basis is None else None
        price = next((one for one in known[name].values() if one.basis == (basis or common)), price)
        if price is None:
            what = f"no {basis} price" if basis is not None else "no published price"
            notes.append(f"{name} is left out: {what}; give --usd-per-hour")
            continue
        prices[name] = price
        if price.basis != (basis or common):
            notes.append(
                f"{name} has no {common} price and is ranked by its {price.basis}, ${price.usd:g}/h; "
                f"--basis {price.basis} ranks all that have one alike"
            )
    return prices, notes


def why(option: Option, best: Option) -> str:
    """Return why an option costs more than the best: dearer hours, or fewer tokens from each chip."""
    dearer = option.usd_per_request / best.usd_per_request
    hour = (option.usd_per_hour / option.chips) / (best.usd_per_hour / best.chips)
    output = (option.carried / option.chips) / (best.carried / best.chips)
    words = f"{dearer:.2f}x the cost: {output:.2f}x the tokens per chip at {hour:.2f}x the price per hour"
    return words if dearer > 1.0005 else f"as cheap, but {option.chips} chips instead of {best.chips}"


def none_meets(answer: Answer, goal: Goal) -> str:
    """Return the line that says that nothing keeps the promises, what comes nearest, and which limit it breaks."""
    given = (("TTFT", goal.ttft), ("TPOT", goal.tpot))
    promises = [f"{name} {value:g} s" for name, value in given if value is not None]
    margin = f" with a margin of {goal.margin:g}" if goal.margin != 1 else ""
    if answer.over_budget is not None:
        best = answer.over_budget
        kept = f" meets {' and '.join(promises)}" if promises else ""
        return (
            f"no deployment within {_budget(goal)}{kept}{margin}: the cheapest that would, {' + '.join(best.label)}, "
            f"takes {best.chips:,} chips at ${best.usd_per_hour:,.2f}/h"
        )
    miss = min(answer.misses, key=lambda one: one.factor)
    d, names = miss.option.decode.system.deployment, miss.option.decode.system.names
    value = miss.option.ttft if miss.limit == "TTFT" else miss.option.tpot
    where = f"{d.chips} x {names[0]} (tp {d.tp} x pp {d.pp}, {names[2]}, batch {miss.option.decode.batch:g})"
    return (
        f"no deployment meets {' and '.join(promises)}{margin}: the nearest, {where}, has a {miss.limit} of "
        f"{value:.4g} s, {miss.factor:.3g} times what it may be"
    )


def _budget(goal: Goal) -> str:
    parts = [f"{goal.most_chips:,.0f} chips"] if math.isfinite(goal.most_chips) else []
    parts += [f"${goal.most_usd_per_hour:,.2f}/h"] if math.isfinite(goal.most_usd_per_hour) else []
    return " and ".join(parts)
