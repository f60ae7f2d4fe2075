"""A question in the user's words to a search, and its answer as records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roofline import catalog, dtypes
from roofline.errors import RooflineError
from roofline.planning.option import Goal
from roofline.planning.points import Load
from roofline.planning.records import records
from roofline.planning.search import none_meets, search
from roofline.planning.space import MOST_CHIPS, Space

if TYPE_CHECKING:
    from roofline.report.record import Record


def ask(
    hw: Sequence[str],
    model: Sequence[str],
    engine: Sequence[str] = (),
    weights: Sequence[str] = (),
    kv: Sequence[str] = (),
    chips: Sequence[int] = (),
    tp: Sequence[int] = (),
    pp: Sequence[int] = (),
    dp: Sequence[int] = (),
    ep: Sequence[int] = (),
    dcp: Sequence[int] = (),
    profile: str | None = None,
    isl: float | None = None,
    osl: float | None = None,
    cache_hit: float | None = None,
    ttft: float | None = None,
    tpot: float | None = None,
    speed: float | None = None,
    margin: float = 1.0,
    rate: float | None = None,
    max_chips: int | None = None,
    max_usd_per_hour: float | None = None,
    max_batch: int | None = None,
    pools: str = "any",
    drafted: int | None = None,
    accepted: float | None = None,
    usd_per_hour: float | None = None,
    basis: str | None = None,
    set: Sequence[str] = (),
    scheduler: str | None = None,
) -> list[Record]:
    """Return the cheapest, the fastest, the runners-up and the frontier of a space of deployments.

    Parameters
    ----------
    hw, model, engine, weights, kv : sequence of str
        What may be used; engines and formats that are not named are chosen from what the chip supports.
    chips, tp, pp, dp, ep, dcp : sequence of int
        Chips of one copy and parallel degrees that may be used; all by default.
    profile : str, optional
        Workload profile that gives lengths and cache hits where they are not given.
    isl, osl : float, optional
        Prompt and answer [tokens]; 8,192 and 1,024 by default.
    cache_hit : float, optional
        Share of the prompt that a prefix cache holds.
    ttft, tpot : float, optional
        Promises [s].
    speed : float, optional
        Promised speed of a user [tok/s], instead of `tpot`.
    margin : float
        Means must be so many times better than the promise.
    rate : float, optional
        Load at the peak [requests/s]; the machines are full without it.
    max_chips, max_usd_per_hour : int and float, optional
        Budget in all [chips], [USD/h].
    max_batch : int, optional
        Sequences that a copy decodes together, at most.
    pools : {"any", "shared", "separate"}
    drafted, accepted : int and float, optional
        Speculation, tried beside plain decode.
    usd_per_hour, basis : float and str, optional
        One's own price of every chip [USD/h], or the price basis.
    set : sequence of str
        Overrides.
    scheduler : str, optional
        Dask scheduler that evaluates the deployments, or ``local`` for a cluster on this machine.

    Returns
    -------
    list of dict
        Flat records with the key ``role``: cheapest, fastest, runner-up, near-miss, frontier (of dollars against
        speed), chip-frontier (of output per chip against speed).

    Raises
    ------
    RooflineError
        If a value is out of range, the space is empty, or no deployment keeps the promises (the message names the
        nearest and the limit it breaks).
    """
    from roofline.workload import Speculation

    if speed is not None and tpot is not None:
        raise RooflineError("--speed and --tpot promise the same thing; give one of them")
    for name, value, low in (
        ("--speed", speed, 0),
        ("--rate", rate, 0),
        ("--margin", margin, 0),
        ("--tpot", tpot, 0),
        ("--max-batch", max_batch, 0),
    ):
        if value is not None and not low < value < 1e9:
            raise RooflineError(f"{name}: {value:g} is out of range; it must be above {low}")
    if (drafted is None) != (accepted is None):
        raise RooflineError("--drafted and --accepted go together")
    speculations: list[Speculation | None] = [None]
    if drafted is not None and accepted is not None:
        if not 1 <= drafted <= 64 or not 1 <= accepted <= drafted + 1:
            raise RooflineError(f"--accepted: {accepted:g} is out of range; it must be from 1 to --drafted + 1")
        speculations.append(Speculation(drafted, accepted))
    for flag, formats in (("--weights", weights), ("--kv", kv)):
        for one in formats:
            dtypes.normalise(one, flag)
    most = max_chips if max_chips is not None else (MOST_CHIPS if rate is None else None)
    space = Space(
        tuple(hw),
        tuple(model),
        tuple(engine),
        tuple(weights),
        tuple(kv),
        tuple(tp),
        tuple(pp),
        tuple(dp),
        tuple(ep),
        tuple(dcp),
        tuple(chips),
        min(most or MOST_CHIPS, max([MOST_CHIPS, *chips])),
        tuple(set),
    )
    goal = Goal(
        _load(profile, isl, osl, cache_hit),
        ttft,
        1.0 / speed if speed is not None else tpot,
        margin,
        rate,
        math.inf if most is None else float(most),
        math.inf if max_usd_per_hour is None else max_usd_per_hour,
        math.inf if max_batch is None else float(max_batch),
    )
    answer = search(space, goal, speculations, pools, usd_per_hour, basis, scheduler)
    if answer.cheapest is None:
        raise RooflineError(none_meets(answer, goal))
    found = records(answer, goal)
    found[0]["warnings"] = [*found[0]["warnings"], *answer.absent]
    return found


def _load(profile: str | None, isl: float | None, osl: float | None, cache_hit: float | None) -> Load:
    spec = catalog.workload(profile) if profile else None
    tokens = isl if isl is not None else spec.isl.mean.value if spec else 8192.0
    answer = osl if osl is not None else spec.osl.mean.value if spec else 1024.0
    hits = cache_hit if cache_hit is not None else spec.cache_hit.value if spec else 0.0
    if not 0 <= hits < 1:
        raise RooflineError(f"--cache-hit: {hits:g} is out of range; it must be at least 0 and below 1")
    return Load(float(tokens), float(answer), hits * tokens)
