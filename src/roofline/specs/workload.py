"""A workload profile: how long requests are, how much of them is cached, how their load varies."""

from __future__ import annotations

from dataclasses import dataclass

from roofline.specs.figure import STRICT, Fraction, Number, Share, Sourced


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens of a prompt or an answer."""

    __pydantic_config__ = STRICT

    mean: Number
    """Mean over requests [tokens]; costs follow it."""
    p50: Number | None = None
    """Median [tokens]; lengths are skewed, it lies below the mean."""
    p90: Number | None = None
    """Nine in ten requests are no longer [tokens]."""


@dataclass(frozen=True, kw_only=True)
class Workload(Sourced):
    """What users ask for, as its file describes it. Lengths are per model call."""

    isl: Lengths
    """Input tokens of a call, cached ones included."""
    osl: Lengths
    """Output tokens of a call, reasoning included."""
    cache_hit: Share
    """Share of the input tokens that a prefix cache serves."""
    turns: Number | None = None
    """Calls of one session."""
    average_to_peak: Fraction | None = None
    """Mean over peak load; a fleet is sized for its peak."""
    offline: bool = False
    """True where nobody waits: work for batch interfaces and idle hours."""
