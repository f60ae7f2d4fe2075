"""One copy of a deployment under a load: what it serves, how its time divides, and what it draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline import admission, pools, serving, workload
from roofline.cost import energy
from roofline.cost.accounting import Tokens
from roofline.cost.fleet import AVERAGE_TO_PEAK
from roofline.cost.power import busy_shares
from roofline.lengths import fixed
from roofline.tiers import load_rate

if TYPE_CHECKING:
    from roofline.lengths import Item, Lengths
    from roofline.system import System
    from roofline.workload import Service, Speculation


@dataclass(frozen=True, slots=True)
class Load:
    """What users ask for.

    Attributes
    ----------
    isl, osl : float
        Mean input, cached tokens included, and output of a request [tokens].
    hit : float
        Share of the input that a prefix cache serves.
    average_to_peak : float
        Mean over peak load.
    rate : float or None
        Mean load [requests/s]; None where only the cost of a busy machine is asked for.
    batch_share : float
        Share of the requests that may wait for idle hours.
    profile, source : str or None
        Name of the lengths, and where they come from.
    lengths : Lengths or None
        How they vary from request to request; None: not at all.
    """

    isl: float
    osl: float
    hit: float = 0.0
    average_to_peak: float = AVERAGE_TO_PEAK
    rate: float | None = None
    batch_share: float = 0.0
    profile: str | None = None
    source: str | None = None
    lengths: Lengths | None = None

    @property
    def mix(self) -> Lengths:
        """The lengths of all requests."""
        return self.lengths or fixed(self.isl, self.osl, self.hit)

    @property
    def tokens(self) -> Tokens:
        """Tokens of one request."""
        return Tokens.of_request(self.isl, self.osl, self.hit)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a copy is run.

    Attributes
    ----------
    batch : float or None
        Sequences that decode together at the rated load; None for the most that keep the promises.
    ttft, tpot : float or None
        Promises [s].
    hit_tier : int
        Memory tier that holds cached prefixes; 0 is the nearest, where they need no loading.
    residence : float
        From one use of a prefix to the next [s].
    speculation : Speculation or None
    """

    batch: float | None = None
    ttft: float | None = None
    tpot: float | None = None
    hit_tier: int = 0
    residence: float = 300.0
    speculation: Speculation | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """Machine time of one request in one phase, and the power of one chip while it lasts.

    Attributes
    ----------
    seconds : float
        [s per request], all sequences of the batch sharing the step.
    watts : float or None
        [W per chip].
    """

    seconds: float
    watts: float | None


@dataclass(frozen=True, slots=True)
class Rated:
    """One copy at its rated load.

    Attributes
    ----------
    system : System
    service : Service
        What its users see.
    fresh, cached, decode : Phase
        Where its time goes.
    kept : bool
        Whether the promises are kept.
    """

    system: System
    service: Service
    fresh: Phase
    cached: Phase
    decode: Phase
    kept: bool

    @property
    def seconds(self) -> float:
        """Machine time of one request [s]."""
        return self.fresh.seconds + self.cached.seconds + self.decode.seconds

    @property
    def capacity(self) -> float:
        """Requests that one copy serves [1/s]."""
        return 1.0 / self.seconds

    def watts(self, utilisation: float) -> float | None:
        """Return the mean power of the whole copy [W]."""
        return draw((self.fresh, self.cached, self.decode), self.system, utilisation)


def draw(phases: tuple[Phase, ...], system: System, utilisation: float) -> float | None:
    """Return the mean power of a copy that spends its busy time on some phases [W]."""
    known = energy.watts(system.hardware)
    seconds = sum(phase.seconds for phase in phases)
    if known is None or seconds == 0:
        return None
    busy = sum(phase.seconds * (phase.watts or 0.0) for phase in phases) / seconds
    return system.deployment.chips * energy.mean_watts(busy, known.idle, utilisation)


def rated(system: System, load: Load, rules: Rules) -> Rated:
    """Return one copy at the largest batch that keeps the promises, or at the batch asked for."""
    one = load.mix.alike
    limit = workload.batch_limit(system, one.isl, one.osl)

    def at(n: float) -> Service:
        return workload.closed_loop(system, n, one.isl, one.osl, one.past, rules.speculation, alike=load.mix.alike_all)

    def keeps(service: Service) -> bool:
        fast = rules.tpot is None or service.tpot <= rules.tpot
        return fast and (rules.ttft is None or service.ttft <= rules.ttft)

    if rules.batch is not None:
        service = at(min(rules.batch, limit))
    else:
        service = at(limit)
        if not keeps(service):
            # Both times grow with the batch: halve the interval until whole sequences decide.
            low, high = 1.0, limit
            while high - low > 1.0:
                middle = math.floor(0.5 * (low + high))
                low, high = (middle, high) if keeps(at(middle)) else (low, middle)
            service = at(low)
    return _divided(system, load, rules, service, keeps(service))


def _divided(system: System, load: Load, rules: Rules, service: Service, kept: bool) -> Rated:
    n, past = service.batch, load.hit * load.isl
    one, prompt, bare = load.mix.alike, load.mix.prompt, load.mix.uncached.prompt

    def each(item: Item) -> float:
        return serving.prefill_seconds(system, n, max(1.0, item.isl - item.past), item.past) / n

    every = each(prompt)
    alone = min(every, each(bare))
    # What the cached prefix costs in prefill is being attended to; where it lies further away, it is loaded first.
    loading = past * system.memory.kv_bytes(load.isl) / load.isl / load_rate(system, rules.hit_tier)
    decode = max(1.0 / service.requests_per_second - each(one), 0.0)
    watts = energy.watts(system.hardware)
    reading = writing = waiting = None
    if watts is not None:
        reading = watts.busy(*busy_shares(system, "prefill", n, max(1.0, prompt.isl - prompt.past), prompt.past))
        writing = watts.busy(*busy_shares(system, "decode", n, 1.0, one.isl + 0.5 * one.osl))
        waiting = watts.idle
    cached = every - alone + loading
    mixed = None if reading is None or waiting is None or cached == 0 else reading
    if mixed is not None and waiting is not None and loading:
        mixed = (mixed * (every - alone) + waiting * loading) / cached
    return Rated(system, service, Phase(alone, reading), Phase(cached, mixed), Phase(decode, writing), kept)


def decode_only(system: System, load: Load, rules: Rules) -> Rated:
    """Return one copy of a decode pool: the largest batch whose own steps keep the promised time per token."""
    one = load.mix.alike
    limit = workload.batch_limit(system, one.isl, one.osl)
    steps = max(1.0, one.osl - 1.0)

    def step(n: float) -> float:
        return workload.mean_decode(system, n, one.isl, one.osl, rules.speculation)

    n = min(rules.batch or limit, limit)
    if rules.batch is None and rules.tpot is not None and step(n) > rules.tpot:
        low, high = 1.0, n
        while high - low > 1.0:
            middle = math.floor(0.5 * (low + high))
            low, high = (middle, high) if step(middle) <= rules.tpot else (low, middle)
        n = low
    tpot = step(n)
    service = workload.Service(0.0, tpot, n / (steps * tpot), n, load.isl, load.osl)
    watts = energy.watts(system.hardware)
    drawn = watts.busy(*busy_shares(system, "decode", n, 1.0, one.isl + 0.5 * one.osl)) if watts else None
    kept = rules.tpot is None or tpot <= rules.tpot
    return Rated(system, service, Phase(0.0, drawn), Phase(0.0, drawn), Phase(steps * tpot / n, drawn), kept)


def prefill_only(system: System, load: Load, rules: Rules) -> Rated:
    """Return one copy of a prefill pool: every rank's chunk full."""
    prompt = load.mix.prompt
    new = max(1.0, prompt.isl - prompt.past)
    each_rank = max(1.0, math.floor(serving.prefill_chunk(system) / new))
    n = min(system.deployment.dp * min(each_rank, 64.0), workload.batch_limit(system, load.isl, 1.0))
    every = serving.prefill_seconds(system, n, new, prompt.past)
    ttft = every + admission.request_overhead(system, load.isl) + pools.transfer_seconds(system, load.isl)
    service = workload.Service(ttft, ttft, n / every, n, load.isl, 1.0)
    kept = rules.ttft is None or ttft <= rules.ttft
    copy = _divided(system, load, rules, service, kept)
    return Rated(system, service, copy.fresh, copy.cached, Phase(0.0, copy.fresh.watts), kept)
