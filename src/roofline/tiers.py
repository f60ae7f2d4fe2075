"""Memory tiers beyond the nearest: how fast what they hold comes in."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from roofline.errors import RooflineError

if TYPE_CHECKING:
    from roofline.system import System


def cache_in(system: System, tier: int) -> System:
    """Return the same deployment with its KV cache in another tier.

    Raises
    ------
    RooflineError
        If the chip has no such tier, or its bandwidth is not known.
    """
    load_rate(system, tier, "--spill-tier")
    deployment = replace(system.deployment, kv_tier=tier)
    return replace(system, rates=replace(system.rates, deployment=deployment))


def load_rate(system: System, tier: int, option: str = "--hit-tier") -> float:
    """Return how fast a cache comes into the nearest memory of all chips [B/s]; infinite if it is there.

    Raises
    ------
    RooflineError
        If the chip has no such tier, or its bandwidth is not known.
    """
    tiers = system.hardware.memory
    if not 0 <= tier < len(tiers):
        names = ", ".join(f"{number} {one.name}" for number, one in enumerate(tiers))
        raise RooflineError(f"{option}: {system.hardware.name} has no memory tier {tier} (it has: {names})")
    if tier == system.deployment.kv_tier:
        return math.inf
    bandwidth = tiers[tier].bandwidth
    if bandwidth is None:
        raise RooflineError(f"{option}: no bandwidth is known of {tiers[tier].name} of {system.hardware.name}")
    return bandwidth.value * system.deployment.chips
