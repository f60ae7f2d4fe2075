"""A chip: what it computes with, where it stores, how it is linked, what it draws and costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from roofline.specs.figure import (
    STRICT,
    ByteRate,
    Bytes,
    Factor,
    FlopRate,
    Fraction,
    Hertz,
    Number,
    Positive,
    Seconds,
    Share,
    Sourced,
    Usd,
    UsdPerHour,
    Watts,
)


@dataclass(frozen=True, kw_only=True)
class MemoryTier:
    """One level of storage that software can address."""

    __pydantic_config__ = STRICT

    name: str
    """For example HBM3, SRAM, DDR5."""
    capacity: Bytes
    """Bytes per chip [B]."""
    bandwidth: ByteRate | None = None
    """Peak bytes per second to the compute units, one chip [B/s]."""
    on_chip: bool = False
    """True where the storage is on the die or wafer."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """How a chip reaches its neighbours."""

    __pydantic_config__ = STRICT

    name: str
    """For example NVLink 4."""
    bandwidth: ByteRate
    """Per chip, one direction, all links together [B/s]."""
    domain: Positive
    """Chips that reach one another at this rate."""
    topology: Literal["switched", "full-mesh", "torus", "ring", "tree", "pcie", "network"]
    """Shape of the fabric: a full mesh gives one pair bandwidth / (domain - 1)."""
    latency: Seconds | None = None
    """One hop between two chips [s]."""


@dataclass(frozen=True, kw_only=True)
class Spatial:
    """What a chip adds whose layers stay pinned to regions of on-chip memory."""

    __pydantic_config__ = STRICT

    cores: Number | None = None
    """Processing elements that kernels can use, one chip."""
    clock: Hertz | None = None
    """Clock of the cores and of the mesh between them [Hz]."""
    usable_memory: Fraction
    """Share of the on-chip memory that weights and KV cache can use."""
    weights: str = "fp16"
    """Format that services on this chip store weights and KV cache in, as far as is known."""


@dataclass(frozen=True, kw_only=True)
class Power:
    """Watts."""

    __pydantic_config__ = STRICT

    chip: Watts | None = None
    """Thermal design power of one chip [W]."""
    system: Watts | None = None
    """All-in share of one chip: host, network, cooling as the source counts them [W]."""


@dataclass(frozen=True, kw_only=True)
class Rental:
    """Rent per chip and hour."""

    __pydantic_config__ = STRICT

    low: UsdPerHour | None = None
    """Cheapest dated public offer [USD/h]."""
    median: UsdPerHour | None = None
    """Typical dated public offer [USD/h]."""
    high: UsdPerHour | None = None
    """List price of an expensive cloud [USD/h]."""
    date: str | None = None
    """When the offers were seen (YYYY-MM or YYYY-MM-DD)."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A published figure of what a chip costs its owner per hour, power and space included."""

    __pydantic_config__ = STRICT

    hyperscaler: UsdPerHour | None = None
    """Large owner [USD/h]."""
    neocloud: UsdPerHour | None = None
    """Mid-size cloud as owner [USD/h]."""
    contract: UsdPerHour | None = None
    """Long-contract rent in the same survey [USD/h]."""
    date: str | None = None
    """Vintage of the survey."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a chip costs, on each basis that somebody has published."""

    __pydantic_config__ = STRICT

    purchase: Usd | None = None
    """One chip, without server [USD]."""
    server: Usd | None = None
    """A whole server of `chips_per_server` chips [USD]."""
    rental: Rental | None = None
    """On-demand and reserved offers."""
    owner: Owner | None = None
    """Published owner cost."""


@dataclass(frozen=True, kw_only=True)
class Achieved:
    """How much of the peaks real kernels reach. Every field left out comes from the chip's class."""

    __pydantic_config__ = STRICT

    gemm: dict[str, Fraction] = field(default_factory=dict)
    """Large matrix products, share of the dense peak, by compute unit."""
    weights: dict[str, Fraction] = field(default_factory=dict)
    """Streaming weights of a format at batch 1, share of memory bandwidth, by compute unit (fp4, fp8, bf16)."""
    moe_gemm: dict[str, Fraction] = field(default_factory=dict)
    """Grouped expert products relative to `gemm`, by compute unit."""
    moe_widening: Fraction | None = None
    """Narrow weights that a grouped product widens to 16 bits, elements per FLOP of the 16-bit peak: where memory is
    faster, streaming experts waits for this. `moe_weights` is then for formats that the chip multiplies."""
    moe_weights: Factor | None = None
    """Streaming expert weights relative to `weights`; together they never exceed the bandwidth."""
    moe_width: Number | None = None
    """Width of an expert's slice at which half of a grouped product is padding [elements]."""
    moe_slice: Number | None = None
    """Size of a rank's slice of an expert at which half of the time to stream it is start-up [B]."""
    moe_floor: Seconds | None = None
    """What a grouped expert product costs besides its work, over an ordinary one [s]."""
    attention_decode_bytes: Fraction | None = None
    """Reading the KV cache in decode, share of memory bandwidth."""
    attention_decode_flops: Fraction | None = None
    """Attention arithmetic in decode, share of the 16-bit peak."""
    attention_decode_floor: Seconds | None = None
    """Shortest decode attention call [s]."""
    attention_prefill_flops: Fraction | None = None
    """Attention arithmetic in prefill, share of the 16-bit peak."""
    attention_prefill_floor: Seconds | None = None
    """Shortest prefill attention call [s]."""
    attention_prefill_padding: Number | None = None
    """Pairs that a query pays for beside those it attends to: tiles that the causal edge cuts, rescaled sums."""
    elementwise: Fraction | None = None
    """Norms, residuals, rotary and activation functions, share of memory bandwidth."""
    overlap: Share | None = None
    """κ: 0 hides the shorter of compute and memory time behind the longer, 1 adds them."""
    kernel: Seconds | None = None
    """Shortest kernel when launched from a graph [s]."""
    link: Fraction | None = None
    """Large collectives, share of the link's one-direction bandwidth."""
    link_small: Fraction | None = None
    """Small collectives by the low-latency kernel, share of the link's one-direction bandwidth."""
    collective: Seconds | None = None
    """Latency of a small all-reduce between two chips of a domain [s]."""
    collective_per_doubling: Seconds | None = None
    """What each doubling of the group adds [s]."""
    collective_large: Seconds | None = None
    """Latency of the bandwidth-bound collective that takes over for large messages [s]."""


@dataclass(frozen=True, kw_only=True)
class HardwareClass(Sourced):
    """Defaults of a vendor's generation, for every chip of it that nobody has measured."""

    parent: str | None = None
    """Class whose figures hold where this one is silent."""
    achieved: Achieved = Achieved()
    """Class defaults."""


@dataclass(frozen=True, kw_only=True)
class Hardware(Sourced):
    """One chip, as its file describes it. Peaks are dense; figures are per chip."""

    vendor: str
    """Who designs it."""
    year: Positive
    """Year of first availability or announcement."""
    status: str = "shipping"
    """shipping, cloud-only, announced, ..."""
    unit: str = "1 GPU"
    """What one chip of this file is: a GPU, a wafer, a package of two dies."""
    execution: Literal["temporal", "spatial"] = "temporal"
    """temporal: each operation uses the whole chip; spatial: layers are pinned to regions."""
    hardware_class: str = "generic"
    """Written `class` in the file: the file in hardware/classes/ whose achieved fractions are the defaults."""
    default_engine: str = "vllm"
    """Engine that this chip is usually served with."""
    peak: dict[str, FlopRate]
    """Dense peak by unit: fp4, fp8, int8, bf16, fp16, tf32, fp32; fp16_half where sums in FP16 are faster [FLOP/s]."""
    memory: tuple[MemoryTier, ...]
    """Tiers that software addresses, nearest first."""
    cache: MemoryTier | None = None
    """On-chip cache that hardware manages (L2, Infinity Cache, scratchpad beside HBM)."""
    scale_up: Link | None = None
    """Fast fabric inside a server or rack."""
    scale_out: Link | None = None
    """Network between servers."""
    chips_per_server: Positive | None = None
    """Chips in one server."""
    spatial: Spatial | None = None
    """Only for execution = "spatial"."""
    power: Power = Power()
    """Watts."""
    price: Price = Price()
    """Dollars."""
    achieved: Achieved = Achieved()
    """Measured fractions of this very chip, before its class defaults."""
