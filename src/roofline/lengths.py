"""Requests of many lengths: what a service of them looks like, from the same loops as requests of one length.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

from roofline import serving, workload
from roofline.errors import RooflineError
from roofline.tiers import cache_in, load_rate

if TYPE_CHECKING:
    from roofline.specs.workload import Workload
    from roofline.system import System
    from roofline.workload import Service, Speculation

#: Points that stand for a distribution of prompts, and as many for one of answers; the last is its 98th percentile.
POINTS = 25
#: Most requests of a trace that are looked at one by one.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """Requests of one length.

    Attributes
    ----------
    isl, osl : float
        Input, cached tokens included, and output [tokens].
    past : float
        Cached input [tokens].
    weight : float
        Share of all requests.
    """

    isl: float
    osl: float
    past: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of all requests.

    Attributes
    ----------
    items : tuple of Item
    words : str
        What they are, for people: ``fixed``, ``lognormal``, ...
    """

    items: tuple[Item, ...]
    words: str = "fixed"

    def mean(self, of: Callable[[Item], float]) -> float:
        """Return the mean over requests."""
        return sum(item.weight * of(item) for item in self.items)

    @property
    def isl(self) -> float:
        """Mean input [tokens]."""
        return self.mean(lambda item: item.isl)

    @property
    def osl(self) -> float:
        """Mean output [tokens]."""
        return self.mean(lambda item: item.osl)

    @property
    def alike(self) -> Item:
        """One length that loads a service like all of these: fresh input, output, and the context of a step.

        A step sees each request as often as it has output tokens, half of them behind it on average.
        """
        osl = self.osl
        context = self.mean(lambda item: item.osl * (item.isl + 0.5 * item.osl)) / osl
        fresh = self.mean(lambda item: item.isl - item.past)
        isl = max(context - 0.5 * osl, fresh)
        return Item(isl, osl, isl - fresh)

    @property
    def prompt(self) -> Item:
        """One prompt of the mean fresh input that attends to as many pairs as these do on average.

        A fresh token attends to what is cached and, on average, to half of the fresh ones: fresh·past + fresh²/2 pairs
        a prompt, so that a few long prompts cost more than many short ones.
        """
        fresh = max(1.0, self.mean(lambda item: item.isl - item.past))
        pairs = self.mean(lambda item: (item.isl - item.past) * (item.past + 0.5 * (item.isl - item.past)))
        past = max(0.0, pairs / fresh - 0.5 * fresh)
        return Item(fresh + past, 1.0, past)

    @property
    def uncached(self) -> Lengths:
        """The same fresh input with nothing before it."""
        return replace(self, items=tuple(replace(item, isl=item.isl - item.past, past=0.0) for item in self.items))


def fixed(isl: float, osl: float, hit: float = 0.0) -> Lengths:
    """Return requests that are all of one length."""
    return Lengths((Item(isl, osl, hit * isl),))


def uniform(isl: float, osl: float, ratio: float, hit: float = 0.0) -> Lengths:
    """Return independent lengths anywhere within `ratio` of their means, 0 to 1."""

    def draw(mean: float, share: float) -> float:
        return mean * (1.0 + ratio * (2.0 * share - 1.0))

    return _independent(isl, osl, hit, draw, draw, f"uniform, ±{ratio:.0%}")


def lognormal(isl: float, osl: float, sigma_in: float, sigma_out: float, hit: float = 0.0) -> Lengths:
    """Return independent lognormal lengths of these means; `sigma` is the standard deviation of their logarithm.

    A lognormal of median m and mean M has sigma² = 2 ln(M / m).
    """

    def draw(sigma: float) -> Callable[[float, float], float]:
        return lambda mean, share: mean * math.exp(sigma * NormalDist().inv_cdf(share) - 0.5 * sigma * sigma)

    words = f"lognormal, σ {sigma_in:.2g} and {sigma_out:.2g}"
    return _independent(isl, osl, hit, draw(sigma_in), draw(sigma_out), words)


def profile(spec: Workload, hit: float, isl: float | None = None, osl: float | None = None) -> Lengths:
    """Return the lognormal lengths of a workload profile, around its own means or others."""
    first, second = spec.isl.mean.value, spec.osl.mean.value
    sigma_in = sigma(first, spec.isl.p50.value if spec.isl.p50 else None)
    sigma_out = sigma(second, spec.osl.p50.value if spec.osl.p50 else None)
    return lognormal(first if isl is None else isl, second if osl is None else osl, sigma_in, sigma_out, hit)


def sigma(mean: float, median: float | None) -> float:
    """Return the standard deviation of the logarithm of lognormal lengths; 0 where the median is not known."""
    return 0.0 if not median or median >= mean else math.sqrt(2.0 * math.log(mean / median))


def spread(text: str) -> Callable[[float, float, float], Lengths]:
    """Return the lengths around means that ``uniform:R`` or ``lognormal:S`` asks for, as a function (isl, osl, hit).

    Raises
    ------
    RooflineError
        If the text is neither.
    """
    shape, _, number = text.partition(":")
    try:
        width = float(number)
    except ValueError:
        width = math.nan
    if shape == "uniform" and 0 <= width <= 1:
        return lambda isl, osl, hit: uniform(isl, osl, width, hit)
    if shape == "lognormal" and 0 <= width <= 3:
        return lambda isl, osl, hit: lognormal(isl, osl, width, width, hit)
    raise RooflineError(f"--spread {text!r}: write uniform:R with R from 0 to 1, or lognormal:S with S from 0 to 3")


def observed(requests: Sequence[tuple[float, float, float]], words: str) -> Lengths:
    """Return the lengths of a trace of (isl, osl, cached); of a long one, every n-th request in order of length."""
    ordered = sorted(requests)
    step = math.ceil(len(ordered) / MOST)
    chosen = ordered[step // 2 :: step]
    return Lengths(tuple(Item(max(1.0, i), max(1.0, o), min(c, i), 1.0 / len(chosen)) for i, o, c in chosen), words)


def _independent(
    isl: float,
    osl: float,
    hit: float,
    prompt: Callable[[float, float], float],
    answer: Callable[[float, float], float],
    words: str,
) -> Lengths:
    shares = [(k + 0.5) / POINTS for k in range(POINTS)]
    # The points' mean is made the distribution's, whose tail they cut.
    prompts, answers = ([draw(mean, share) for share in shares] for mean, draw in ((isl, prompt), (osl, answer)))
    up, out = isl * POINTS / sum(prompts), osl * POINTS / sum(answers)
    weight = 1.0 / POINTS**2
    items = (
        Item(max(1.0, i * up), max(1.0, o * out), hit * max(1.0, i * up), weight) for i in prompts for o in answers
    )
    return Lengths(tuple(items), words)


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
        found = workload.open_loop(system, size, one.isl, one.osl, one.past, speculation)
    elif kind == "concurrency":
        found = workload.closed_loop(system, size or 1.0, one.isl, one.osl, one.past, speculation, spill)
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
    return workload.request_overhead(system, isl) + past * system.memory.kv_bytes(isl) / isl / rate


def _variance_wait(system: System, service: Service, one: Item, square: float) -> float:
    """Return what prefills of different lengths add to the mean wait: cv²/2 · busy/(1 − busy) · work [1]_."""
    n = math.ceil(service.batch - 1e-9)
    work = serving.prefill_seconds(system, n, max(1.0, one.isl - one.past), one.past) / n
    busy = min(service.requests_per_second * work, 0.98)
    wait = 0.5 * square * busy / (1.0 - busy) * work
    # In a closed loop nobody waits longer than for everybody else.
    return min(wait, 0.5 * service.wave) if service.wave > 0 else wait
