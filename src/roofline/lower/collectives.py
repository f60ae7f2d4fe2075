"""Collectives as table rows: latency plus bytes over the bandwidth that the fabric's shape gives a group.

References
----------
.. [1] R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH",
   IJHPCA 19(1), 2005: a ring all-reduce of S bytes over n ranks moves 2 (n - 1) / n S per rank.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from roofline.lower.table import LINK, Row

if TYPE_CHECKING:
    from roofline.lower.rates import Rates
    from roofline.specs.hardware import Link

Pattern = Literal["all-reduce", "all-gather", "all-to-all", "p2p"]

#: Latency of one network crossing between servers where the chip's file gives none [s]: NVIDIA's own configurator
#: takes 5 us between racks and 10 us for a point-to-point message.
NETWORK_LATENCY = 10e-6


def reachable_share(link: Link, group: int) -> float:
    """Return the share of a chip's link bandwidth that a group of `group` chips can use."""
    if link.topology == "full-mesh":
        # Each pair has one link of its own; a small group leaves the links to the others idle.
        return min(1.0, (group - 1) / max(1, link.domain - 1))
    if link.topology == "torus":
        # Four neighbours in two dimensions: two chips share one link, a ring two, a plane all.
        return min(1.0, math.log2(group) / 4.0) if group > 1 else 1.0
    return 1.0


def share_moved(pattern: Pattern, group: int) -> float:
    """Return the bytes a rank sends per byte of payload."""
    if pattern == "all-reduce":
        return 2.0 * (group - 1) / group
    if pattern == "p2p":
        return 1.0
    return (group - 1) / group


def collective(
    rates: Rates,
    op: str,
    layer: str,
    pattern: Pattern,
    group: int,
    *,
    count: float,
    bytes_token: float = 0.0,
    bytes_sampled: float = 0.0,
    beside: bool = False,
) -> list[Row]:
    """Return the row of a collective over `group` chips; none for a group of one or for the ideal engine.

    Parameters
    ----------
    bytes_token, bytes_sampled : float
        Payload of one rank per token, and per sampled position [B].
    beside : bool
        Whether it runs beside the computation of the other half of the batch.
    """
    if group <= 1 or rates.ideal:
        return []
    link = rates.link(group)
    if link is None:
        return []
    moved = share_moved(pattern, group)
    bandwidth = link.bandwidth.value * reachable_share(link, group)
    crosses = link is not rates.hardware.scale_up
    latency, large_latency = _latency(rates, group, pattern)
    if crosses:
        hop = link.latency.value if link.latency else NETWORK_LATENCY
        if pattern in ("all-reduce", "all-gather"):
            # Kernels of one step read their peers' memory, which ends at the server: the library's serve beyond it.
            latency = large_latency
        # A sum goes to its root and back.
        crossings = 2.0 if pattern == "all-reduce" else 1.0
        latency, large_latency = latency + crossings * hop, large_latency + crossings * hop
    achieved = rates.achieved
    assert achieved.link is not None
    small = achieved.link if achieved.link_small is None or pattern == "p2p" else achieved.link_small
    return [
        Row(
            op,
            layer,
            LINK,
            pattern,
            count=count,
            bytes_token=bytes_token,
            bytes_sampled=bytes_sampled,
            beside=1.0 if beside else 0.0,
            seconds_per_byte=moved / (bandwidth * small.value),
            overhead=latency,
            seconds_per_byte_alt=moved / (bandwidth * achieved.link.value),
            overhead_alt=large_latency,
        )
    ]


def _latency(rates: Rates, group: int, pattern: Pattern) -> tuple[float, float]:
    achieved = rates.achieved
    assert achieved.collective and achieved.collective_per_doubling and achieved.collective_large
    doublings = math.log2(group) - 1.0
    small = achieved.collective.value + achieved.collective_per_doubling.value * max(0.0, doublings)
    launch = rates.launch - rates.kernel
    if pattern == "p2p":
        return achieved.collective.value + launch, achieved.collective.value + launch
    return small + launch, max(small, achieved.collective_large.value) + launch
