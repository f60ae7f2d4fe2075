"""Requests that come on their own: a steady state, the one of a given rate, and the busiest that keeps a promise.

References
----------
.. [1] J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9(3), 1961.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from roofline import admission, serving
from roofline.workload import Service, batch_limit, mean_decode

if TYPE_CHECKING:
    from roofline.system import System
    from roofline.workload import Speculation


def steady(
    system: System, n: float, isl: float, osl: float, past: float = 0.0, speculation: Speculation | None = None
) -> Service:
    """Return the service while `n` requests decode together and new ones arrive one by one.

    By Little's law [1]_ n = rate x time in decode, and decode steps share the machine with prefill: a share
    ``busy = rate x work`` of the time is gone, so ``rate = n / (n work + (osl - 1) step)`` and
    ``TPOT = step / (1 - busy)``. A prompt waits for the prefills before it, as in a queue with one server, and for the
    step under way.
    """
    new = max(1.0, isl - past)
    alone = serving.prefill_seconds(system, 1.0, new, past)
    # Attention-DP ranks prefill side by side; prompts come whole, also where the mean number of requests is not.
    whole = math.ceil(n - 1e-9)
    work = admission.each_prefill(lambda k: serving.prefill_seconds(system, k, new, past), system, whole, osl)
    step = mean_decode(system, n, isl, osl, speculation)
    steps = max(1.0, osl - 1.0)
    rate = n / (n * work + steps * step)
    busy = rate * work
    wait = 0.5 * busy / (1.0 - busy) * work
    first = alone + admission.turn_seconds(system, n, new, osl, step, work) + admission.request_overhead(system, isl)
    return Service(first + wait, step / (1.0 - busy), rate, n, isl, osl, wait, busy=busy)


def at_rate(
    system: System, rate: float, isl: float, osl: float, past: float = 0.0, speculation: Speculation | None = None
) -> Service | None:
    """Return the service at `rate` requests per second, or None where the machine cannot keep up.

    The batch is the one whose steady state has this rate.
    """
    low, high = 1.0, batch_limit(system, isl, osl)

    def at(n: float) -> Service:
        return steady(system, n, isl, osl, past, speculation)

    if at(high).requests_per_second < rate:
        return None
    first = at(low)
    if first.requests_per_second >= rate:
        # Less than one request at a time: it decodes alone, and prefill takes its share of the time.
        busy = rate * serving.prefill_seconds(system, 1.0, max(1.0, isl - past), past)
        step = mean_decode(system, 1.0, isl, osl, speculation)
        return replace(first, tpot=step / (1.0 - busy), requests_per_second=rate)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at(middle).requests_per_second < rate else (low, middle)
    return replace(at(high), requests_per_second=rate)


def within(system: System, isl: float, osl: float, ttft: float, tpot: float, share: float = 0.99) -> Service | None:
    """Return the busiest open loop whose first tokens come in time, all but 1 - `share` of them, and later tokens too.

    Parameters
    ----------
    isl, osl : float
        [tokens].
    ttft, tpot : float
        What is promised [s].
    share : float
        Share of the requests that must keep the promise of the first token.

    Returns
    -------
    Service or None
        None where even one request at a time is too slow.
    """

    def kept(one: Service) -> bool:
        return one.tpot <= tpot and one.ttft_within(ttft) >= share

    low, high = 1.0, batch_limit(system, isl, osl)
    if kept(full := steady(system, high, isl, osl)):
        return full
    best = steady(system, low, isl, osl)
    if not kept(best):
        return None
    for _ in range(30):
        middle = 0.5 * (low + high)
        one = steady(system, middle, isl, osl)
        if kept(one):
            low, best = middle, one
        else:
            high = middle
    return best
