"""Prefill and decode in pools of their own, side by side: what users of both see [1]_.

References
----------
.. [1] Y. Zhong et al., "DistServe: disaggregating prefill and decoding", OSDI 2024, arXiv:2401.09670.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline import serving
from roofline.admission import bunched, request_overhead
from roofline.workload import Service, batch_limit, mean_decode

if TYPE_CHECKING:
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Pool:
    """Copies of a system that do one phase."""

    system: System
    copies: int


def disaggregated(prefill: Pool, decode: Pool, users: float, isl: float, osl: float) -> Service:
    """Return a closed loop of users over a prefill and a decode pool; the cache travels between them.

    Users divide over decode and prefill by Little's law; where prefill is the bottleneck, they queue for it. A prompt
    waits for the step that is under way and, as in a queue with one server, for those before it; when all users start
    at once, for half of the others.
    """
    steps = max(1.0, osl - 1.0)
    each = serving.prefill_seconds(prefill.system, 1.0, isl)
    ranks = prefill.system.deployment.dp
    full = max(1.0, ranks * max(1.0, math.floor(serving.prefill_chunk(prefill.system) / isl)))
    batch = serving.prefill_seconds(prefill.system, full, isl)
    capacity = prefill.copies * full / batch
    before = each + transfer_seconds(decode.system, isl) + request_overhead(prefill.system, isl)
    limit = batch_limit(decode.system, isl, osl) * decode.copies

    def step_at(n: float) -> float:
        return mean_decode(decode.system, max(1.0, n / decode.copies), isl, osl)

    low, high = 1.0, min(users, limit)
    for _ in range(50):
        n = 0.5 * (low + high)
        rate = min(capacity, n / (steps * step_at(n)))
        # Users who are neither decoding nor needed in prefill are the slack.
        waiting = users - n - rate * before
        if waiting > 0 and rate < capacity:
            low = n
        else:
            high = n
    n = high
    step = step_at(n)
    rate = min(capacity, n / (steps * step))
    wave = (users - 1.0) / capacity
    queue = min(
        wave + batch, queue_seconds(rate / capacity, batch) + 0.5 * min(1.0, rate / prefill.copies * each) * each
    )
    first = bunched(prefill.system, alike=True)
    ttft = max(before + (1.0 - first) * queue + first * 0.5 * wave, users / rate - steps * step)
    return Service(ttft, step, rate, n / decode.copies, isl, osl, queue, wave, first)


def queue_seconds(busy: float, seconds: float) -> float:
    """Return the mean wait in a queue with one server, busy such a share of the time and `seconds` each turn [s]."""
    return 0.5 * busy / max(1e-9, 1.0 - busy) * seconds


def transfer_seconds(system: System, isl: float) -> float:
    """Return the time to move a prompt's cache to the decode pool [s]: over the network, from every chip at once."""
    link = system.hardware.scale_out or system.hardware.scale_up
    if link is None or system.engine.ideal:
        return 0.0
    return system.memory.kv_bytes_per_chip(isl) / link.bandwidth.value
