"""The deployment that a measured row names, and the lengths and batch it states."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from roofline import dtypes, unstated
from roofline.errors import RooflineError
from roofline.resolve import Request, resolve
from roofline.specs.figure import Figure

if TYPE_CHECKING:
    from roofline.system import System


#: Tokens that were in the cache before the prompt of a row, as its notes say: "pp2048 at depth 4096".
_DEPTH = re.compile(r"\bat depth (\d+)")


class SkippedError(RooflineError):
    """A row that no prediction is given for, with its reason."""


def request_of(m: Any) -> Request:
    """Return the request of a row: its deployment, formats, and the engine as of its date."""
    tp, pp, dp = int(m.tp or 1), int(m.pp or 1), int(m.dp or 1)
    if dp > 1 and not unstated.attention_dp(m):
        tp, dp = tp * dp, 1
    chips = int(m.n_chips or tp * pp * dp)
    if dp > 1 and tp * pp * dp % chips == 0:
        # A wider group than the chips that the figure is for: it is told per server.
        chips = tp * pp * dp
    if m.tp is None and m.dp is None:
        tp, pp, dp = max(1, chips // pp), pp, 1
    if tp * pp * dp != chips:
        # Sources that count cores, or name only some degrees: the chips are what is sure.
        dp = max(1, chips // (tp * pp)) if tp * pp <= chips and chips % (tp * pp) == 0 and dp == 1 else 1
        if tp * pp * dp != chips:
            tp, pp, dp = chips, 1, 1
    ep = int(m.ep or 1)
    if (tp * dp) % ep:
        ep = 1
    weights, engine = dtype(m.weight_precision) or unstated.weights(m), unstated.engine(m)
    month = unstated.month(m, engine) if engine else ""
    return Request(
        m.hardware,
        m.model,
        f"{engine}@{month}" if month else engine or None,
        chips=chips,
        tp=tp,
        pp=pp,
        dp=dp,
        ep=ep,
        weights=weights,
        experts=dtype(getattr(m, "moe_precision", "") or ""),
        kv=dtype(m.kv_precision) or unstated.cache(m, weights),
        cores=_cores(m.cores),
        as_measured=True,
    )


def splits(m: Any) -> list[Request]:
    """Return the requests that a row may mean: its own, or replicas of 1, 2, 4 ... chips where it states no split."""
    one = request_of(m)
    if m.tp is not None or m.dp is not None or m.pp is not None or not m.n_chips:
        return [one]
    degrees = [1 << i for i in range(m.n_chips.bit_length()) if m.n_chips % (1 << i) == 0]
    found = [replace(one, tp=tp, dp=m.n_chips // tp) for tp in degrees]
    return [asked for asked in found if _holds(asked)] or found


@lru_cache(maxsize=4096)
def _holds(asked: Request) -> bool:
    """Return whether a deployment holds its model and a few requests."""
    try:
        system = resolve(asked, 1.0, 1024.0)
    except RooflineError:
        return False
    return system.spatial or system.memory.max_batch(1024.0) >= 4.0 * system.deployment.dp


def dtype(text: str | None) -> str | None:
    """Return the canonical format of a row's cell; None where it says nothing."""
    if not text:
        return None
    return dtypes.normalise(text.strip("?").split("/")[0].replace("-g32", "_g32"), "precision")


def _cores(text: str | None) -> int | None:
    if not text:
        return None
    width, _, height = text.partition("x")
    return int(width) * int(height or 1)


@lru_cache(maxsize=4096)
def system_of(asked: Request) -> System:
    """Resolve a row's request; degrees that a source states for a model or chip that has none are dropped."""
    try:
        return _that_ran(resolve(asked, 1.0, 1024.0))
    except RooflineError as error:
        if "has no experts" in str(error) or "experts of" in str(error):
            return system_of(replace(asked, ep=1))
        if "give --chips instead" in str(error):
            return resolve(replace(asked, tp=None, pp=None, dp=None, ep=None), 1.0, 1024.0)
        raise SkippedError(str(error)) from None


def _that_ran(system: System) -> System:
    """Return a system whose memory holds what the row says it held.

    Engines keep a share of memory free that a benchmark may use, and some keep parts of a model in narrower formats
    than the row names; where our count leaves no room, room is not what limits the batch.
    """
    if system.spatial or system.memory.max_batch(1024.0) >= 4:
        return system
    engine = replace(system.engine, kv_memory=Figure(1.0), kv_of_free=False, max_batch=Figure(256.0))
    wider = replace(system, rates=replace(system.rates, engine=engine))
    if wider.memory.max_batch(1024.0) >= 4:
        return wider
    return replace(system, rates=replace(system.rates, engine=replace(engine, kv_memory=Figure(1e3))))


def as_scheduled(system: System, figures: dict[str, float]) -> System:
    """Return a system whose engine has these figures of its scheduler."""
    if not figures:
        return system
    changes: dict[str, Any] = {name: Figure(value) for name, value in figures.items()}
    engine = replace(system.engine, **changes)
    return replace(system, rates=replace(system.rates, engine=engine))


def lengths(m: Any) -> tuple[float, float]:
    """Return prompt and answer length of a row [tokens]."""
    if m.isl is None or m.osl is None:
        raise SkippedError("the row states no lengths")
    return unstated.lengths(m)


def past_of(m: Any) -> float:
    """Return the tokens that the cache held before the prompt [tokens]."""
    found = _DEPTH.search(m.notes or "")
    return float(found[1]) if found else 0.0


def batch_of(m: Any) -> float:
    """Return the batch or concurrency of a row."""
    if m.batch is None:
        raise SkippedError("the row states no batch or concurrency")
    return float(m.batch)
