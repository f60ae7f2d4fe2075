"""A model: layers as a repeated pattern of (mixer, ffn), with every dimension that costs FLOPs or bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from roofline.specs.figure import STRICT, Positive, Sourced, Whole
from roofline.specs.layers import Ffn, Mixer


@dataclass(frozen=True, kw_only=True)
class Block:
    """One layer: the names of its mixer and of its FFN."""

    __pydantic_config__ = STRICT

    mixer: str
    ffn: str


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """Blocks in order, the whole run repeated."""

    __pydantic_config__ = STRICT

    repeat: Positive = 1
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Formats in which the checkpoint ships its parts."""

    __pydantic_config__ = STRICT

    weights: str = "bf16"
    experts: str | None = None
    """Routed experts, where they differ."""
    embeddings: str | None = None
    """Embedding table and LM head, where they differ."""
    kv: str | None = None
    """KV cache, where the checkpoint prescribes one."""
    beside: str | None = None
    """What is beside the routed experts in the maker's own 4-bit copies, where that is not as shipped."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Small parameters outside mixers and FFNs."""

    __pydantic_config__ = STRICT

    norms_per_layer: Whole = 2
    norm_bias: bool = False
    norms_extra_per_moe_layer: Whole = 0
    mhc: Positive | None = None
    """Residual streams of manifold-constrained hyper-connections."""
    attn_res: bool = False
    learned_pos: Whole = 0
    """Learned position embeddings."""


@dataclass(frozen=True, kw_only=True)
class Mtp:
    """Multi-token prediction modules that ship with the model."""

    __pydantic_config__ = STRICT

    modules: Positive
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Lower and upper bound of a scenario."""

    __pydantic_config__ = STRICT

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order."""
        if not 0 < self.low <= self.high:
            raise ValueError(f"low {self.low:g} and high {self.high:g} must be above 0 and in order")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a closed model may be: bounds, never a point."""

    __pydantic_config__ = STRICT

    total_parameters: Range
    active_parameters: Range
    proxies: tuple[str, ...]
    """Open models of the catalogue whose shapes stand for the low and the high end."""


@dataclass(frozen=True, kw_only=True)
class Model(Sourced):
    """One architecture, or, for a closed model, a range of scenarios."""

    developer: str
    """Who trained it."""
    hf_id: str | None = None
    """Hugging Face repository of the checkpoint."""
    release: str | None = None
    """YYYY or YYYY-MM."""
    status: Literal["open_weights", "published", "closed_estimate"] = "open_weights"
    """closed_estimate: only a scenario is known."""
    confidence: str | None = None
    """How sure the dimensions are."""
    scenario: Scenario | None = None
    """Only for closed models."""
    d_model: Positive | None = None
    """Width of the residual stream."""
    vocab_size: Positive | None = None
    """Rows of the embedding table."""
    tied_embeddings: bool = False
    """True where the LM head is the embedding table."""
    max_context: Positive | None = None
    """Longest context the model card allows [tokens]."""
    precision: Precision = Precision()
    """Formats as shipped."""
    extras: Extras = Extras()
    """Small parameters."""
    mixers: dict[str, Mixer] = field(default_factory=dict)
    """Mixers by name."""
    ffns: dict[str, Ffn] = field(default_factory=dict)
    """FFNs by name."""
    layers: tuple[LayerRun, ...] = ()
    """The layers in order, run-length coded."""
    mtp: Mtp | None = None
    """Multi-token prediction modules."""

    def __post_init__(self) -> None:
        """Check what only the whole can be checked for."""
        if self.status == "closed_estimate":
            if self.scenario is None:
                raise ValueError("a closed model needs a [scenario]")
            if self.layers:
                raise ValueError("a closed model has a [scenario] and no layers")
            if len(self.scenario.proxies) < 2:
                raise ValueError("a [scenario] needs at least two proxies, for its low and its high end")
            return
        for key in ("d_model", "vocab_size", "layers"):
            if not getattr(self, key):
                raise ValueError(f"{key} is missing")
        runs = [*self.layers] + ([LayerRun(blocks=self.mtp.blocks)] if self.mtp else [])
        for block in (block for run in runs for block in run.blocks):
            if block.mixer not in self.mixers:
                raise ValueError(f"layers name the mixer {block.mixer!r}, which is not under [mixers]")
            if block.ffn not in self.ffns:
                raise ValueError(f"layers name the ffn {block.ffn!r}, which is not under [ffns]")

    @cached_property
    def kinds(self) -> dict[tuple[str, str], int]:
        """Number of layers of each (mixer, ffn) kind, in order of first appearance."""
        counts: dict[tuple[str, str], int] = {}
        for run in self.layers:
            for block in run.blocks:
                key = (block.mixer, block.ffn)
                counts[key] = counts.get(key, 0) + run.repeat
        return counts

    @property
    def n_layers(self) -> int:
        """Layers that have a mixer; sub-layers with only an FFN belong to the one before them."""
        return sum(n for (mixer, _), n in self.kinds.items() if self.mixers[mixer].kind != "none")
