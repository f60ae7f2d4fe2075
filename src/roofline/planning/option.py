"""What a deployment must keep, and one way to keep it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roofline.planning.points import Load
    from roofline.system import System
    from roofline.workload import Speculation


@dataclass(frozen=True, slots=True)
class Goal:
    """What a deployment must keep.

    Attributes
    ----------
    load : Load
    ttft, tpot : float or None
        Promises [s].
    margin : float
        How many times the mean must fit into the promise.
    rate : float or None
        Requests to carry at the peak [1/s]; None fills the machines.
    most_chips : float
        In all.
    most_usd_per_hour : float
        In all [USD/h].
    most_batch : float
        Sequences that a copy decodes together.
    """

    load: Load
    ttft: float | None = None
    tpot: float | None = None
    margin: float = 1.0
    rate: float | None = None
    most_chips: float = math.inf
    most_usd_per_hour: float = math.inf
    most_batch: float = math.inf

    def within(self, value: float, promise: float | None) -> bool:
        """Return whether a mean keeps a promise with the margin."""
        return promise is None or value * self.margin <= promise


@dataclass(frozen=True, slots=True)
class Pool:
    """Copies of one deployment at one batch."""

    system: System
    batch: float
    copies: int
    speculation: Speculation | None = None

    @property
    def chips(self) -> int:
        """Chips of all copies."""
        return self.copies * self.system.deployment.chips


@dataclass(frozen=True, slots=True)
class Option:
    """One way to serve the load.

    Attributes
    ----------
    decode : Pool
        The only pool where prefill and decode share their chips.
    prefill : Pool or None
    ttft, tpot : float
        Means [s].
    capacity : float
        Requests that it can carry [1/s].
    usd_per_hour : float
        Of all its chips.
    goal : Goal
    """

    decode: Pool
    prefill: Pool | None
    ttft: float
    tpot: float
    capacity: float
    usd_per_hour: float
    goal: Goal

    @property
    def chips(self) -> int:
        """Chips in all."""
        return self.decode.chips + (self.prefill.chips if self.prefill else 0)

    @property
    def carried(self) -> float:
        """Requests that it carries [1/s]: those asked for, or all it can."""
        return self.capacity if self.goal.rate is None else self.goal.rate

    @property
    def usd_per_request(self) -> float:
        """[USD]."""
        return self.usd_per_hour / 3600.0 / self.carried

    @property
    def speed(self) -> float:
        """Tokens per second of one user."""
        return 1.0 / self.tpot

    @property
    def label(self) -> tuple[str, ...]:
        """Chips by name: what runner-ups are told apart by."""
        pools = (self.prefill, self.decode) if self.prefill else (self.decode,)
        return tuple(pool.system.names[0] for pool in pools)

    @property
    def order(self) -> tuple[object, ...]:
        """Cheapest first; ties to fewer chips, then to the simpler, then by name, so that answers never vary."""
        d = self.decode.system.deployment
        pools = 1 if self.prefill is None else 2
        drafted = self.decode.speculation.drafted if self.decode.speculation else 0
        shape = (drafted, d.pp, d.dp, d.dcp, d.ep, d.tp, d.weights, d.kv, self.decode.batch)
        return (float(f"{self.usd_per_request:.9g}"), self.chips, pools, self.label, self.decode.system.names, *shape)


Prices = dict[str, float]  # chip -> USD per hour
