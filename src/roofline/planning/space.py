"""The space of deployments: every chip, engine, format and parallel shape that holds the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roofline import dtypes
from roofline.memory import chips_needed, context_parallel_limit, tp_degrees
from roofline.resolve import Request, load, resolve
from roofline.specs.layers import Moe

if TYPE_CHECKING:
    from roofline.specs.deployment import Deployment
    from roofline.specs.hardware import Hardware
    from roofline.specs.model import Model
    from roofline.system import System

#: Degrees that a space may fix.
DEGREES = ("tp", "pp", "dp", "ep", "dcp")
#: Most chips of one copy, where the caller names no number: eight servers of eight.
MOST_CHIPS = 64
#: Pipeline stages, and attention-DP ranks, that are tried.
STAGES = (1, 2, 3, 4, 6, 8, 12, 16)
RANKS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Space:
    """What may be deployed; an empty tuple leaves a choice to the tool.

    Attributes
    ----------
    chips, models, engines : tuple of str
    weights, kv : tuple of str
        Formats; by default what the checkpoint ships and FP8 where the chip computes in it.
    tp, pp, dp, ep, dcp : tuple of int
        Degrees; by default every one that divides the model and keeps inside a chip's fabric.
    sizes : tuple of int
        Chips of one copy.
    most_chips : int
        Of one copy.
    sets : tuple of str
        Overrides.
    """

    chips: tuple[str, ...]
    models: tuple[str, ...]
    engines: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    kv: tuple[str, ...] = ()
    tp: tuple[int, ...] = ()
    pp: tuple[int, ...] = ()
    dp: tuple[int, ...] = ()
    ep: tuple[int, ...] = ()
    dcp: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    most_chips: int = MOST_CHIPS
    sets: tuple[str, ...] = ()


def engines(hardware: Hardware) -> tuple[str, ...]:
    """Return the engines that are tried on a chip: its usual one, and the open ones that its vendor supports."""
    also = {"NVIDIA": ("tensorrt-llm", "vllm", "sglang"), "AMD": ("vllm", "sglang")}.get(hardware.vendor, ())
    usual = hardware.default_engine
    return (usual, *(name for name in also if name != usual)) if usual in also else (usual,)


def systems(space: Space, context: float) -> Iterator[System]:
    """Yield every deployment of the space that holds the model and one sequence of `context` tokens.

    Raises
    ------
    RooflineError
        For unknown names or formats, or a degree that suits no deployment at all.
    """
    for model in space.models:
        for chip in space.chips:
            hardware = load(chip, model, None, space.sets).hardware
            for engine in space.engines or engines(hardware):
                seen: set[Deployment] = set()
                shipped = resolve(Request(chip, model, engine, chips=1, set=space.sets))
                for weights, kv in _formats(space, hardware, shipped):
                    base = resolve(Request(chip, model, engine, chips=1, weights=weights, kv=kv, set=space.sets))
                    for deployment in _shapes(space, base, context):
                        if deployment not in seen and (not space.sizes or deployment.chips in space.sizes):
                            seen.add(deployment)
                            system = replace(base, rates=replace(base.rates, deployment=deployment))
                            if system.memory.fits(1.0, context):
                                yield system


def _formats(space: Space, hardware: Hardware, shipped: System) -> list[tuple[str | None, str | None]]:
    """Return (weights, KV) formats to try; None is what the checkpoint ships, which no engine makes wider."""
    if hardware.execution == "spatial":
        return [(w, k) for w in space.weights or (None,) for k in space.kv or (None,)]
    fp8 = (None, "fp8") if "fp8" in hardware.peak else (None,)
    narrow = dtypes.BYTES[shipped.deployment.experts] < dtypes.BYTES["fp8"]
    return [(w, k) for w in space.weights or (fp8[:1] if narrow else fp8) for k in space.kv or fp8]


def _shapes(space: Space, base: System, context: float) -> Iterator[Deployment]:
    first, model, hardware = base.deployment, base.model, base.hardware
    if base.spatial:
        yield from _wafers(space, base, context)
        return
    domain = hardware.scale_up.domain if hardware.scale_up else 1
    experts = _experts(model)
    for tp in space.tp or [t for t in tp_degrees(model, min(domain, space.most_chips)) if t & (t - 1) == 0]:
        if tp not in tp_degrees(model, tp):
            continue
        limit = context_parallel_limit(model, tp)
        for pp in space.pp or STAGES:
            for dp in space.dp or (RANKS if experts else (1,)):
                chips = tp * pp * dp
                if chips > space.most_chips or pp > model.n_layers:
                    continue
                group = tp * dp
                for ep in space.ep or ((1, group) if dp == 1 else (group,)):
                    if group % ep or (ep > 1 and ep > experts):
                        continue
                    for dcp in space.dcp or [d for d in (1, 2, 4, 8, 16) if tp % d == 0 and d <= limit]:
                        if tp % dcp == 0 and dcp <= limit:
                            yield replace(first, chips=chips, tp=tp, pp=pp, dp=dp, ep=ep, dcp=dcp)


def _wafers(space: Space, base: System, context: float) -> Iterator[Deployment]:
    """Yield the fewest chips that hold 1, 2, 4 ... sequences, up to one per region."""
    batch = 1.0
    while batch <= 2.0 * base.stages:
        deployment = chips_needed(base.model, base.rates, batch, context)
        if deployment.chips > space.most_chips:
            return
        yield deployment
        batch *= 2.0


def _experts(model: Model) -> int:
    found = [ffn.experts for ffn in model.ffns.values() if isinstance(ffn, Moe)]
    return int(min(found)) if found else 0


def check(space: Space) -> None:
    """Refuse formats that do not exist, before any work."""
    for name, values in (("--weights", space.weights), ("--kv", space.kv)):
        for value in values:
            dtypes.normalise(value, name)
