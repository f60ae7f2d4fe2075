"""A service of requests of many lengths, from the same loops as that of requests of one length.

Requests of one batch share its steps, so that all have the same time per token. What their lengths change: long answers
stay longer in the batch, so that its mean context and its room follow means weighted by output; a prompt waits for
prefills that differ, and the wait in a queue with one server grows with their variance [1]_; and each request has a
prefill, and an end, of its own.

References
----------
.. [1] F. Pollaczek, "Über eine Aufgabe der Wahrscheinlichkeitstheorie", Mathematische Zeitschrift 32, 1930.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roofline import admission, open_loop, serving, workload
from roofline.tiers import cache_in, load_rate

if TYPE_CHECKING:
    from roofline.lengths import Item, Lengths
    from roofline.system import System
    from roofline.workload import Service, Speculation


@dataclass(frozen=True, slots=True)
class Mixed:
    """What requests of many lengths see.

    Attributes
    ----------
    service : Service
        Of a request alike all of them, its queue that of prefills that differ.
    parts : tuple of (float, Service)
        Share of the requests, and what those of one length see.
    """

    service: Service
    parts: tuple[tuple[float, Service], ...]

    @property
    def ttft(self) -> float:
        """Mean time to the first token [s]."""
        return sum(share * part.ttft for share, part in self.parts)

    @property
    def latency(self) -> float:
        """Mean time of a whole request [s]."""
        return sum(share * part.latency for share, part in self.parts)

    def ttft_percentile(self, share: float) -> float:
        """Return the time within which a share of requests has its first token [s]."""
        return self._percentile(share, lambda part, seconds: part.ttft_within(seconds))

    def request_percentile(self, share: float) -> float:
        """Return the time within which a share of requests is answered [s]."""
        return self._percentile(share, lambda part, t: part.ttft_within(t - (part.osl - 1.0) * part.tpot))

    def _percentile(self, share: float, within: Callable[[Service, float], float]) -> float:
        high = max(part.latency + part.wave + 60.0 * part.queue for _, part in self.parts)
        low = 0.0
        for _ in range(50):
            middle = 0.5 * (low + high)
            reached = sum(weight * within(part, middle) for weight, part in self.parts)
            low, high = (middle, high) if reached < share else (low, middle)
        return high

    def goodput(self, ttft: float | None, tpot: float | None) -> float:
        """Return the requests per second that keep their promises."""
        kept = sum(share * part.goodput(ttft, tpot) for share, part in self.parts)
        return min(kept, self.service.requests_per_second)


def mixed(
    system: System,
    kind: str,
    size: float | None,
    lengths: Lengths,
    speculation: Speculation | None = None,
    hit_tier: int | None = None,
    spill_tier: int | None = None,
) -> Mixed | None:
    """Return the service of requests of many lengths; None where the machine cannot keep up with a rate.

    Parameters
    ----------
    kind : {"concurrency", "rate", "static_batch", "saturated"}
    size : float
        Users, requests per second or batch; a saturated machine takes none.
    hit_tier : int, optional
        Memory tier that holds cached prefixes, which are loaded before prefill; by default that of the KV cache.
    spill_tier : int, optional
        Memory tier of the cache of sequences that the nearest memory has no room for; by default they wait.
    """
    one = lengths.alike
    spill = None if spill_tier is None else cache_in(system, spill_tier)
    found: Service | None
    if kind == "rate":
        assert size is not None
        found = open_loop.at_rate(system, size, one.isl, one.osl, one.past, speculation)
    elif kind == "concurrency":
        found = workload.closed_loop(
            system, size or 1.0, one.isl, one.osl, one.past, speculation, spill, lengths.alike_all
        )
    elif kind == "static_batch":
        found = workload.static_batch(system, size or 1.0, one.isl, one.osl, speculation)
    else:
        found = workload.saturated(system, one.isl, one.osl, None, speculation, one.past)
    if found is None:
        return None
    rate = math.inf if hit_tier is None else load_rate(system, hit_tier)
    prompts = {(item.isl, item.past) for item in lengths.items}
    prefill = {prompt: _prefill(system, *prompt) for prompt in prompts}
    first = {(isl, past): prefill[isl, past] + _before(system, isl, past, rate) for isl, past in prompts}
    own = _prefill(system, one.isl, one.past) + _before(system, one.isl, one.past, math.inf)
    wait = 0.0
    if kind in ("rate", "concurrency"):
        mean = lengths.mean(lambda item: prefill[item.isl, item.past])
        square = lengths.mean(lambda item: prefill[item.isl, item.past] ** 2) / mean**2 - 1.0
        wait = _variance_wait(system, found, one, max(0.0, square))
    service = replace(found, queue=found.queue + wait)
    parts = tuple(
        (
            item.weight,
            replace(service, ttft=found.ttft - own + first[item.isl, item.past] + wait, isl=item.isl, osl=item.osl),
        )
        for item in lengths.items
    )
    return Mixed(service, parts)


def _prefill(system: System, isl: float, past: float) -> float:
    """Return the prefill of one prompt alone [s]."""
    return serving.prefill_seconds(system, 1.0, max(1.0, isl - past), past)


def _before(system: System, isl: float, past: float, rate: float) -> float:
    """Return what comes before prefill: transport, tokenisation, and the cached prefix on its way in [s]."""
    return admission.request_overhead(system, isl) + past * system.memory.kv_bytes(isl) / isl / rate


def _variance_wait(system: System, service: Service, one: Item, square: float) -> float:
    """Return what prefills of different lengths add to the mean wait: cv²/2 · busy/(1 − busy) · work [1]_."""
    n = math.ceil(service.batch - 1e-9)
    work = serving.prefill_seconds(system, n, max(1.0, one.isl - one.past), one.past) / n
    busy = min(service.requests_per_second * work, 0.98)
    wait = 0.5 * square * busy / (1.0 - busy) * work
    # In a closed loop nobody waits longer than for everybody else.
    return min(wait, 0.5 * service.wave) if service.wave > 0 else wait
