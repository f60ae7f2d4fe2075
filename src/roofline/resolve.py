"""Names and options to a system: load the specs, apply overrides, choose formats and the deployment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

from roofline import catalog, formats, interval, overrides
from roofline.errors import RooflineError
from roofline.lower.cache import recurrent_bytes
from roofline.lower.rates import Rates, newness
from roofline.memory import chips_needed, context_parallel_limit, indivisible, tp_degrees
from roofline.specs.deployment import Deployment
from roofline.specs.engine import Engine
from roofline.specs.hardware import Achieved, Hardware
from roofline.specs.layers import Moe
from roofline.specs.model import Model
from roofline.system import System
from roofline.units import check_count


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; None leaves the choice to the tool.

    Attributes
    ----------
    hw, model, engine : str
        Names, aliases or paths.
    chips, tp, pp, dp, ep, dcp, cores : int or None
    weights, experts, kv, activations : str or None
        Formats.
    kv_tier : int
        Memory tier that holds the KV cache.
    set : tuple of str
        Overrides such as ``hw.memory.0.bandwidth=4TB/s``.
    as_measured : bool
        True for a deployment that somebody ran: heads that TP does not divide were padded.
    specs : Loaded or None
        Specs that are in no catalogue, and kept in no cache; the names then only say what they are.
    """

    hw: str
    model: str
    engine: str | None = None
    chips: int | None = None
    tp: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: int | None = None
    dcp: int | None = None
    cores: int | None = None
    weights: str | None = None
    experts: str | None = None
    kv: str | None = None
    activations: str | None = None
    kv_tier: int = 0
    set: tuple[str, ...] = ()
    as_measured: bool = False
    specs: Loaded | None = None

    def load(self) -> Loaded:
        """Return the specs that the names mean."""
        return self.specs or load(self.hw, self.model, self.engine, self.set)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """The specs behind a request."""

    names: tuple[str, str, str]
    hardware: Hardware
    achieved: Achieved
    model: Model
    engine: Engine


def load(hw: str, model: str, engine: str | None, sets: tuple[str, ...]) -> Loaded:
    """Load chip, model and engine with `sets` applied; the chip's usual engine where none is named."""
    paths = [catalog.find("hardware", hw), catalog.find("models", model)]
    if engine is not None:
        paths.append(catalog.find("engines", engine.partition("@")[0]))
    # A file that was edited since the last call is read again: notebooks live long.
    return _load(hw, model, engine, sets, tuple((str(path), *catalog.stamp(path)) for path in paths))


@lru_cache(maxsize=256)
def _load(hw: str, model: str, engine: str | None, sets: tuple[str, ...], stamps: object) -> Loaded:
    parts = overrides.parse(sets)
    chip = overrides.hardware(hw, parts["hw"])
    chosen = catalog.port(engine or chip.default_engine, chip.hardware_class)
    achieved = catalog.merge_achieved(chip.achieved, catalog.class_defaults(chip.hardware_class))
    names = (catalog.label("hardware", hw), catalog.label("models", model), catalog.label("engines", chosen))
    software = _on_chip(overrides.engine(chosen, parts["engine"]), chip, names[0], {p[0] for p, _ in parts["engine"]})
    return Loaded(names, chip, achieved, overrides.model(model, parts["model"]), software)


def _on_chip(engine: Engine, chip: Hardware, name: str, kept: set[str]) -> Engine:
    """Return an engine with the limits that it chooses on such a chip; what the user set is kept."""
    small = engine.small
    memory = next((tier for tier in chip.memory if not tier.on_chip), chip.memory[0])
    if small is None or (memory.capacity.value >= small.below.value and name not in small.chips):
        return engine
    batch, chunk = engine.max_batch, engine.prefill_tokens
    return replace(
        engine,
        max_batch=batch if "max_batch" in kept else small.max_batch or batch,
        prefill_tokens=chunk if "prefill_tokens" in kept else small.prefill_tokens or chunk,
    )


def resolve(request: Request, batch: float = 1.0, context: float = 8192.0) -> System:
    """Return the system for a request; the fewest chips that hold `batch` sequences of `context` where none are given.

    Raises
    ------
    RooflineError
        For unknown names, formats, or a deployment that cannot be.
    """
    if request.specs is not None:
        return deploy(request, request.specs, batch, context)
    return _resolve(request, request.load(), batch, context)


@lru_cache(maxsize=1024)
def _resolve(request: Request, specs: Loaded, batch: float, context: float) -> System:
    return deploy(request, specs, batch, context)


#: A new model is slower by so much before a warning says so.
WORTH_SAYING = 1.05


def deploy(request: Request, specs: Loaded, batch: float, context: float) -> System:
    """Return the system of specs that are loaded already: formats, tiers and shape chosen as for `resolve`."""
    if specs.model.scenario is not None:
        proxies = ", ".join(specs.model.scenario.proxies)
        raise RooflineError(f"{specs.model.name} is closed: its shape is not known; evaluate its proxies ({proxies})")
    base, warnings = formats.chosen(request, specs)
    base = _tiers(request, specs, base)
    new = newness(specs.model.release, specs.names[2].partition("@")[2])
    rates = Rates(specs.hardware, specs.achieved, specs.engine, base, new)
    if rates.slowness > WORTH_SAYING:
        slower = f"its kernels are taken to be {rates.slowness - 1.0:.0%} slower than tuned ones (engine.untuned)"
        warnings.append(f"{specs.model.name} is of {specs.model.release}: {slower}")
    apart, slots = specs.engine.state_memory, specs.engine.state_slots
    if apart and specs.hardware.execution != "spatial" and recurrent_bytes(specs.model):
        each = f"{slots.value:g} a sequence" if slots else "one a sequence"
        share = f"{apart.value:.0%} of what weights leave"
        keys = "engine.state_memory, engine.state_slots"
        warnings.append(f"{specs.engine.name} sets {share} apart for recurrent states, {each} ({keys})")
    if interval.is_young(specs.names[2], specs.hardware):
        told = "no fit has seen this engine on such chips, or not as early; the interval is that of new ports"
        warnings.append(f"{specs.names[2]} on {specs.names[0]}: {told}")
    deployment = _shape(request, specs, rates, batch, context)
    return System(specs.names, specs.model, replace(rates, deployment=deployment), tuple(warnings))


def _tiers(request: Request, specs: Loaded, base: Deployment) -> Deployment:
    tiers = specs.hardware.memory
    if not 0 <= request.kv_tier < len(tiers):
        names = ", ".join(f"{i} = {tier.name}" for i, tier in enumerate(tiers))
        raise RooflineError(f"--kv-tier {request.kv_tier}: {specs.hardware.name} has the memory tiers {names}")
    if tiers[request.kv_tier].bandwidth is None:
        raise RooflineError(f"--kv-tier {request.kv_tier}: the bandwidth of {tiers[request.kv_tier].name} is not known")
    return replace(base, kv_tier=request.kv_tier)


def _shape(request: Request, specs: Loaded, rates: Rates, batch: float, context: float) -> Deployment:
    """Choose or check chips and parallel degrees."""
    for field in fields(Request):
        value = getattr(request, field.name)
        if field.name in ("chips", "tp", "pp", "dp", "ep", "dcp", "cores") and value is not None:
            check_count(value, f"--{field.name}")
    base = replace(rates.deployment, dp=request.dp or 1, cores=request.cores)
    if specs.hardware.execution == "spatial":
        for name in ("tp", "pp", "dp", "ep", "dcp"):
            if (getattr(request, name) or 1) != 1:
                raise RooflineError(f"--{name}: {specs.hardware.name} splits a model by layers; give --chips instead")
        if request.chips is not None:
            return replace(base, chips=request.chips)
        return chips_needed(specs.model, replace(rates, deployment=base), batch, context)
    if request.chips is None and request.tp is None and request.pp is None:
        chosen = chips_needed(specs.model, replace(rates, deployment=base), batch, context)
    else:
        chosen = _given_shape(request, specs, base)
    return _expert_and_context_degrees(request, specs, chosen)


def _given_shape(request: Request, specs: Loaded, base: Deployment) -> Deployment:
    model, dp = specs.model, base.dp
    tp, pp = request.tp, request.pp
    if tp is None:
        chips = request.chips if request.chips is not None else (pp or 1) * dp
        rest = chips // (dp * (pp or 1))
        if rest * dp * (pp or 1) != chips:
            raise RooflineError(f"--chips {chips} is not a multiple of pp {pp or 1} x dp {dp}")
        domain = specs.hardware.scale_up.domain if specs.hardware.scale_up else 1
        valid = [t for t in tp_degrees(model, min(rest, domain)) if rest % t == 0] if pp is None else [rest]
        tp = valid[-1]
        pp = rest // tp if pp is None else pp
    if pp is None:
        pp, rest = divmod(request.chips, tp * dp) if request.chips else (1, 0)
        if rest or not pp:
            given = f"--chips {request.chips} is not a multiple of the {tp * dp} chips of tp {tp} x dp {dp}"
            raise RooflineError(f"{given}; drop one of them")
    total = tp * pp * dp
    if request.chips is not None and total != request.chips:
        raise RooflineError(f"--chips {request.chips} is not tp {tp} x pp {pp} x dp {dp} = {total}; drop one of them")
    trouble = indivisible(model, tp)
    if trouble and not specs.engine.pads_heads and not request.as_measured:
        valid = tp_degrees(model, 64)
        raise RooflineError(
            f"--tp {tp} does not divide the {trouble} of {model.name}; use one of {', '.join(map(str, valid))}, "
            "or split by layers with --pp"
        )
    layers = model.n_layers
    if pp > layers:
        raise RooflineError(f"--pp {pp} is more than the {layers} layers of {model.name}")
    return replace(base, chips=total, tp=tp, pp=pp)


def _expert_and_context_degrees(request: Request, specs: Loaded, base: Deployment) -> Deployment:
    ep, dcp = request.ep or 1, request.dcp or 1
    group = base.tp * base.dp
    experts = [ffn.experts for ffn in specs.model.ffns.values() if isinstance(ffn, Moe)]
    if ep > 1 and not experts:
        raise RooflineError(f"--ep {ep}: {specs.model.name} has no experts; leave --ep out")
    if group % ep:
        raise RooflineError(f"--ep {ep} does not divide tp {base.tp} x dp {base.dp} = {group} chips; use a divisor")
    if experts and min(experts) < ep:
        raise RooflineError(f"--ep {ep} is more than the {min(experts)} experts of {specs.model.name}")
    limit = context_parallel_limit(specs.model, base.tp)
    if base.tp % dcp or dcp > limit:
        raise RooflineError(f"--dcp {dcp}: only the copies of KV heads can be divided; at tp {base.tp} at most {limit}")
    return replace(base, ep=ep, dcp=dcp)


def what_fits(system: System, batch: float, context: float) -> System | None:
    """Return the smallest deployment of the same formats that would hold the batch, or None."""
    try:
        base = replace(system.deployment, dcp=1)
        deployment = chips_needed(system.model, replace(system.rates, deployment=base), batch, context)
    except RooflineError:
        return None
    return replace(system, rates=replace(system.rates, deployment=deployment))
