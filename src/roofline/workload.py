"""Workloads on a system: fixed batches, closed loops of users and full machines; request rates are in `open_loop`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline import admission, serving
from roofline.memory import engine_limit

if TYPE_CHECKING:
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Service:
    """What a workload sees.

    Attributes
    ----------
    ttft, tpot : float
        Time to the first token, and between later tokens [s].
    requests_per_second : float
        [1/s].
    batch : float
        Sequences that decode together.
    isl, osl : float
        [tokens].
    queue : float
        Mean wait of a prompt that comes by itself for the prefills before it [s].
    wave : float
        Longest wait where the prompts of all users come at once [s].
    bunched : float
        Share of the prompts that come in such waves, 0 to 1.
    busy : float
        Share of the time that goes to prefills; 1 where requests wait for room.
    """

    ttft: float
    tpot: float
    requests_per_second: float
    batch: float
    isl: float
    osl: float
    queue: float = 0.0
    wave: float = 0.0
    bunched: float = 0.0
    busy: float = 0.0

    @property
    def output_tokens_per_second(self) -> float:
        """Generated tokens, all users [tok/s]."""
        return self.requests_per_second * self.osl

    def ttft_within(self, seconds: float) -> float:
        """Return the share of requests whose first token comes within so many seconds.

        Waits are exponential with mean `queue`; those of a wave are even up to `wave`.
        """
        first = self.bunched if self.wave > 0 else 0.0
        floor = self.ttft - (1.0 - first) * self.queue - first * 0.5 * self.wave
        wait = seconds - floor
        if wait < 0:
            return 0.0
        steady = 1.0 if self.queue <= 0 else -math.expm1(-wait / self.queue)
        return (1.0 - first) * steady + first * min(1.0, wait / self.wave if self.wave > 0 else 1.0)

    def ttft_percentile(self, share: float) -> float:
        """Return the time within which a share of requests has its first token [s]."""
        low, high = 0.0, self.ttft + self.wave + 60.0 * self.queue
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.ttft_within(middle) < share else (low, middle)
        return high

    def goodput(self, ttft: float | None, tpot: float | None) -> float:
        """Return the requests per second that keep their promises; every request of a load has the same mean TPOT."""
        if tpot is not None and self.tpot > tpot:
            return 0.0
        return self.requests_per_second * (1.0 if ttft is None else self.ttft_within(ttft))

    @property
    def latency(self) -> float:
        """Time of a whole request [s]."""
        return self.ttft + (self.osl - 1.0) * self.tpot


@dataclass(frozen=True, slots=True)
class Speculation:
    """Tokens drafted ahead and verified together.

    Attributes
    ----------
    drafted : int
        Tokens drafted per step, k; k + 1 positions are verified.
    accepted : float
        Tokens that a step yields in the mean, the verified one included: from 1 to k + 1.
    """

    drafted: int
    accepted: float


def mean_decode(system: System, batch: float, isl: float, osl: float, speculation: Speculation | None = None) -> float:
    """Return the mean time per token while contexts grow from `isl` by `osl` tokens [s]: Simpson's rule.

    With speculation a step verifies k + 1 positions (more attention per byte, more experts touched), drafts k tokens
    with a module of one layer and the head each, and yields the accepted ones.
    """

    def at(context: float) -> float:
        if speculation is None:
            return serving.decode_seconds(system, batch, context)
        verify = serving.decode_seconds(system, batch, context, speculation.drafted + 1.0)
        return (verify + speculation.drafted * draft_seconds(system, batch, context)) / speculation.accepted

    if osl <= 2:
        return at(isl)
    return (at(isl) + 4.0 * at(isl + (osl - 1.0) / 2.0) + at(isl + osl - 2.0)) / 6.0


def draft_seconds(system: System, batch: float, context: float) -> float:
    """Return the time to draft one token with a module of one layer: a layer's share of a step, and the head [s]."""
    parts = serving.operations(system.decode, serving.microbatch(system, batch), 1.0, context, 1.0)
    return sum(drafted_share(system, part.op) * part.seconds for part in parts)


def drafted_share(system: System, op: str) -> float:
    """Return how much of an operation of a decode step is part of drafting a token: the head, and one layer of all."""
    if op in ("lm_head", "logits"):
        return 1.0
    return 0.0 if op in ("host", "sampling") else 1.0 / system.model.n_layers


def batch_limit(system: System, isl: float, osl: float) -> float:
    """Return the sequences that decode together at most: what the cache has room for and the engine allows."""
    return min(room(system, isl, osl), engine_limit(system.rates))


def room(system: System, isl: float, osl: float) -> float:
    """Return the sequences that the cache has room for at a time, at least one."""
    reserved = osl if system.engine.reserves_output is not False else 0.5 * osl
    return max(1.0, float(system.memory.max_batch(isl + reserved)))


def static_batch(
    system: System, batch: float, isl: float, osl: float, speculation: Speculation | None = None
) -> Service:
    """Return one fixed batch: all prompts at once, then every decode step; in waves where the cache has no room."""
    together = min(batch, room(system, isl, osl))
    prefill = serving.prefill_seconds(system, together, isl) + admission.host_seconds(system, isl)
    step = mean_decode(system, together, isl, osl, speculation)
    # Waves need not be whole: a request that ends makes room for the next.
    wave, waves = prefill + max(0.0, osl - 1.0) * step, batch / together
    busy = 1.0 if waves > 1.0 else prefill / wave
    return Service(prefill + 0.5 * (waves - 1.0) * wave, step, batch / (waves * wave), together, isl, osl, busy=busy)


def closed_loop(
    system: System,
    users: float,
    isl: float,
    osl: float,
    past: float = 0.0,
    speculation: Speculation | None = None,
    spill: System | None = None,
    alike: bool = True,
) -> Service:
    """Return the service of `users` that each send their next request when the last one is answered.

    Each request is prefilled once and then takes part in `osl` - 1 decode steps; while it does, every other request
    of the batch is prefilled once. So a cycle is ``n t_prefill + (osl - 1) t_decode``: a prefill that falls before
    the first token of a request is part of its TTFT, any other of its TPOT. `past` tokens of the prompt are cached
    already and need no prefill.
    With `spill`, the same deployment with its cache in a further tier, sequences beyond the room of the nearest memory
    decode too, each step reading their cache over that tier's link. `alike`: all requests are of one length.
    """
    limit = near = batch_limit(system, isl, osl)
    if spill is not None:
        limit = min(near + batch_limit(spill, isl, osl), engine_limit(system.rates))
    n = max(1.0, min(users, limit))
    new = max(1.0, isl - past)
    prefill = serving.prefill_seconds(system, 1.0, new, past)
    # Attention-DP ranks prefill side by side.
    together = serving.prefill_seconds(system, n, new, past)
    first = admission.bunched(system, alike)
    apart = admission.each_prefill(lambda k: serving.prefill_seconds(system, k, new, past), system, n, osl)
    work = (1.0 - first) * apart + first * together / n
    step = mean_decode(system, n, isl, osl, speculation)
    if spill is not None and n > near:
        step += (mean_decode(spill, n, isl, osl, speculation) - step) * (n - near) / n
    steps = max(1.0, osl - 1.0)
    cycle = n * work + steps * step
    busy = n * work / cycle
    # Prompts that come at once fill the steps of prefill, and wait for half of them.
    wave = max(0.0, together - prefill)
    alone = min(0.5 * busy / max(1e-9, 1.0 - busy) * work, 0.5 * wave)
    waited = (1.0 - first) * alone + first * 0.5 * wave
    # What a request does not wait for before its first token, of the prefills of a round, it waits for after it.
    tpot = step + max(0.0, n * work - prefill - waited) / steps
    own_turn = admission.turn_seconds(system, n, new, osl, step, work)
    ttft = prefill + admission.request_overhead(system, isl) + waited + (1.0 - first) * own_turn
    if users > limit:
        ttft += (users - limit) * cycle / n
        busy = 1.0
    return Service(ttft, tpot, n / cycle, n, isl, osl, alone, wave, first, busy)


def saturated(
    system: System,
    isl: float,
    osl: float,
    batch: float | None = None,
    speculation: Speculation | None = None,
    past: float = 0.0,
) -> Service:
    """Return the service of a queue that is never empty: the batch is what cache and engine allow."""
    n = batch_limit(system, isl, osl) if batch is None else max(1.0, min(batch, batch_limit(system, isl, osl)))
    work = serving.prefill_seconds(system, n, max(1.0, isl - past), past)
    step = mean_decode(system, n, isl, osl, speculation)
    steps = max(1.0, osl - 1.0)
    cycle = work + steps * step
    return Service(work / n, cycle / steps, n / cycle, n, isl, osl, busy=work / cycle)
