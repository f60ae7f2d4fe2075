"""The constants of chips, classes and engines that a fit may move, within their bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from roofline.formats import GGML
from roofline.specs.figure import Figure

if TYPE_CHECKING:
    from roofline.system import System

Scope = Literal["class", "siblings", "chip", "engine"]
#: Bounds by field: (low, high). Fields not named are fractions.
BOUNDS: dict[str, tuple[float, float]] = {
    "attention_decode_floor": (1e-6, 60e-6),
    "attention_prefill_floor": (1e-6, 200e-6),
    "attention_prefill_padding": (20.0, 4000.0),
    "kernel": (0.5e-6, 10e-6),
    "collective": (1e-6, 60e-6),
    "collective_per_doubling": (0.05e-6, 40e-6),
    "collective_large": (5e-6, 200e-6),
    "launch": (0.01e-6, 60e-6),
    "launches_per_layer": (0.3, 60.0),
    "launches_moe": (0.3, 60.0),
    "launches_latent": (0.3, 60.0),
    "launches_index": (0.3, 60.0),
    "launches_state": (0.3, 60.0),
    "launches_fp4": (0.05, 6.0),
    "moe_floor": (0.3e-6, 60e-6),
    "untuned": (0.005, 1.0),
    "elementwise_passes": (1.0, 80.0),
    "host_per_step": (0.02e-3, 40e-3),
    "host_per_sequence": (0.02e-6, 300e-6),
    "prefill_launch": (0.2e-6, 400e-6),
    "steps_ahead": (0.1, 30.0),
    "request": (0.3e-3, 400e-3),
    "request_per_token": (0.02e-6, 60e-6),
    "expert_imbalance": (1.0, 2.0),
    "isolated_gap": (0.02e-6, 12e-6),
    "isolated_prefill": (0.6, 1.6),
    "isolated_experts": (0.3, 4.0),
    "isolated_quantise": (0.05e-6, 30e-6),
    "moe_weights": (0.3, 1.6),
    "moe_width": (10.0, 2000.0),
    "moe_slice": (1e4, 2e7),
    "moe_widening": (0.001, 0.2),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One constant that a fit may move.

    Attributes
    ----------
    scope : {"class", "siblings", "chip", "engine"}
        Whose constant it is. ``siblings``: a factor on the figures that chips of a class have of their own: how far
        serving lies from the micro-benchmarks of all of them, so that it holds for a sibling that nobody served with.
    name : str
        Class, chip or engine; an engine's earlier releases are ``vllm<=2024-12``.
    field, key : str
        Field of Achieved or Engine, and the unit for a dictionary field.
    """

    scope: Scope
    name: str
    field: str
    key: str = ""

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest value."""
        if self.scope == "siblings":
            return (0.5, 2.0)
        return BOUNDS.get(self.field, (0.02, 1.0))

    @property
    def spread(self) -> float:
        """How far the constant may drift from its start for one unit of loss, in log units."""
        if self.field == "moe_widening":
            return 0.2  # instructions a weight can be counted; few models speak of it
        if self.field == "untuned":
            return 0.3  # a model's first weeks are few rows of many
        if self.field in ("gemm", "weights"):
            return 0.1 if self.scope == "chip" else 0.2
        return 0.6 if self.scope == "engine" else 0.4

    @property
    def kin(self) -> tuple[str, ...]:
        """What constants that may drift together have in common.

        Chips share a factor already, and engines with kernels of their own for each chip (GGML) are like no other.
        """
        alone = self.scope in ("chip", "siblings") or self.name.partition("<=")[0] in GGML
        return (self.scope, self.field, self.key, self.name if alone else "")

    def touches(self, system: System) -> bool:
        """Return whether the constant matters to a system."""
        if self.scope == "engine":
            return engine_key(system) == self.name
        if self.scope == "chip":
            return system.names[0] == self.name
        chip = system.hardware
        if chip.hardware_class != self.name:
            return False
        own = getattr(chip.achieved, self.field)
        has_own = self.key in own if self.key else own is not None
        return bool(has_own) == (self.scope == "siblings")

    def value(self, system: System) -> float | None:
        """Return the constant as a system has it now."""
        if self.scope == "siblings":
            return 1.0
        if self.scope == "engine":
            figure = getattr(system.engine, self.field)
        else:
            figure = getattr(system.rates.achieved, self.field)
        if self.key:
            figure = (figure or {}).get(self.key)
        return float(figure.value) if figure is not None and figure.value else None


def engine_key(system: System) -> str:
    """Return the engine and, for earlier releases, the epoch: ``vllm`` or ``vllm<=2024-12``."""
    name, _, date = system.names[2].partition("@")
    epoch = system.engine.epoch(date) if date else None
    return f"{name}<={epoch.until}" if epoch and not epoch.as_fast else name


def apply(system: System, values: dict[Parameter, float]) -> System:
    """Return a system with other constants."""
    achieved, engine = system.rates.achieved, system.engine
    fields: dict[str, Any] = {}
    software: dict[str, Any] = {}
    factors: list[tuple[Parameter, float]] = []
    for parameter, value in values.items():
        if not parameter.touches(system):
            continue
        if parameter.scope == "siblings":
            factors.append((parameter, value))
            continue
        place, found = (engine, software) if parameter.scope == "engine" else (achieved, fields)
        field = parameter.field
        figure: Any = Figure(value)
        if parameter.key:
            figure = {**found.get(field, getattr(place, field) or {}), parameter.key: figure}
        found[field] = figure
    for parameter, factor in factors:
        now = fields.get(parameter.field, getattr(achieved, parameter.field))
        fields[parameter.field] = {**now, parameter.key: Figure(min(1.0, factor * now[parameter.key].value))}
    if not fields and not software:
        return system
    rates = replace(system.rates, achieved=replace(achieved, **fields), engine=replace(engine, **software))
    return replace(system, rates=rates)
