"""From step times to what a service delivers: tokens per second, first token, what binds, how many users.

References
----------
.. [1] R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023, arXiv:2211.05102.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline import kernel
from roofline.lower.table import COMPUTE, LINK, OVERHEAD

if TYPE_CHECKING:
    from roofline.lower.table import Row, Table
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the operation table, evaluated at a point; per chip, all calls of the step together."""

    op: str
    layer: str
    dtype: str
    count: float
    flops: float
    bytes: float
    compute_seconds: float
    memory_seconds: float
    seconds: float
    bound: str


@dataclass(frozen=True, slots=True)
class Step:
    """A decode step or a whole prefill.

    Attributes
    ----------
    seconds : float
        Time of the step [s].
    flops, bytes : float
        Work of one chip in the step [FLOP], [B].
    bound : str
        What most of the time goes to.
    """

    seconds: float
    flops: float
    bytes: float
    bound: str


def microbatch(system: System, batch: float) -> float:
    """Return the sequences that one pipeline stage works on at a time; at least one."""
    stages = min(float(system.deployment.pp), max(batch, 1.0))
    return max(batch / stages, 1.0)


def decode_seconds(system: System, batch: float, context: float, tokens: float = 1.0) -> float:
    """Return the time between two tokens of a user when `batch` users decode together [s].

    Parameters
    ----------
    batch : float
        Sequences that decode together, over all attention-DP ranks.
    context : float
        Tokens already in each sequence's cache.
    tokens : float
        Positions verified per step: 1 without speculation.
    """
    table = system.decode.values
    if system.spatial:
        if system.engine.ideal:
            return kernel.step_seconds(table, batch, 1.0, tokens, context, tokens)
        one = kernel.step_seconds(table, 1.0, 1.0, tokens, context, tokens)
        return one * max(1.0, batch / system.stages)
    return kernel.step_seconds(table, microbatch(system, batch), system.decode.ranks, tokens, context, tokens)


def prefill_chunk(system: System) -> float:
    """Return the tokens one prefill step takes [tokens]."""
    if system.spatial and system.engine.spatial is not None and system.engine.spatial.prefill_tokens:
        return system.engine.spatial.prefill_tokens.value
    if system.engine.ideal or system.engine.prefill_tokens is None:
        return 2.0**40
    return system.engine.prefill_tokens.value


def prefill_seconds(system: System, batch: float, tokens: float, past: float = 0.0) -> float:
    """Return the time to prefill `tokens` of each of `batch` sequences after `past` cached ones [s]."""
    table = system.prefill.values
    if system.spatial and not system.engine.ideal:
        chunk = min(prefill_chunk(system), tokens)
        one = kernel.step_seconds(table, 1.0, 1.0, chunk, past, 1.0)
        # (ceil(n / c) + L) stage times: chunks follow one another through the stages.
        chunks = math.ceil(tokens / chunk) * batch
        return one * (chunks + system.stages - 1.0) / system.stages
    ranks, stages = system.prefill.ranks, float(system.deployment.pp)
    if system.engine.ideal:
        # The bound: stages that are never empty, and weights read once for all.
        return kernel.prefill_seconds(table, batch, ranks, tokens, past, prefill_chunk(system), 1.0, 0.0) / stages
    if system.engine.launch_queue and stages > 1.0:
        # A host that must wait for a chip to take its work sends the next chunk that much later.
        stages = min(stages, max(1.0, system.engine.launch_queue.value * stages / system.prefill.launched))
    return kernel.prefill_seconds(table, batch, ranks, tokens, past, prefill_chunk(system), stages, 0.0)


def operations(table: Table, batch: float, n: float, p: float, s: float) -> list[Operation]:
    """Evaluate every row of a table at a point, for `explain` and for what binds.

    Parameters
    ----------
    batch, n, p, s : float
        As in ``kernel.step_seconds``.
    """
    b = max(batch / table.ranks, 1.0)
    g = max(batch, 1.0) * n
    found = []
    for row in table.rows:
        values = row.values
        flops = kernel.op_flops(values, 0, b, n, p, s, g)
        moved = kernel.op_bytes(values, 0, b, n, p, s, g)
        compute, memory = flops * row.seconds_per_flop, moved * row.seconds_per_byte
        seconds = kernel.op_seconds(values, 0, b, n, p, s, g)
        bound = _bound(row, compute, memory, seconds)
        k = row.count
        found.append(
            Operation(
                row.op, row.layer, row.dtype, k, k * flops, k * moved, k * compute, k * memory, k * seconds, bound
            )
        )
    return found


def _bound(row: Row, compute: float, memory: float, seconds: float) -> str:
    if row.memory in (LINK, OVERHEAD):
        return row.memory
    if seconds - max(compute, memory) > max(compute, memory):
        return OVERHEAD
    return COMPUTE if compute > memory else row.memory


def summarise(parts: list[Operation], seconds: float) -> Step:
    """Add operations up: work, and the resource that most of the time goes to."""
    shares: dict[str, float] = {}
    for part in parts:
        shares[part.bound] = shares.get(part.bound, 0.0) + part.seconds
    bound = max(shares, key=lambda name: shares[name]) if shares else OVERHEAD
    flops = sum(part.flops for part in parts)
    # Bytes over links are not bytes of memory.
    moved = sum(part.bytes for part in parts if part.bound != LINK)
    return Step(seconds, flops, moved, bound)


def decode_step(system: System, batch: float, context: float) -> Step:
    """Return a decode step with its work and bound."""
    size = 1.0 if system.spatial and not system.engine.ideal else microbatch(system, batch)
    return summarise(operations(system.decode, size, 1.0, context, 1.0), decode_seconds(system, batch, context))


def prefill_step(system: System, batch: float, tokens: float, past: float) -> Step:
    """Return a whole prefill with its work and bound; operations are those of one pass over all tokens."""
    seconds = prefill_seconds(system, batch, tokens, past)
    return summarise(operations(system.prefill, batch, tokens, past, 1.0), seconds)


@dataclass(frozen=True, slots=True)
class Served:
    """A rate read off published services instead of a mechanism.

    Attributes
    ----------
    seconds : float
        Time per token of one user [s].
    factor, worst : float
        Typical and largest factor between such a rate and a reading.
    """

    seconds: float
    factor: float
    worst: float


def as_served(system: System, batch: float) -> Served | None:
    """Return what services on this chip have been seen to deliver, speculation undisclosed; None where unknown."""
    engine = system.engine.spatial
    if engine is None or system.engine.ideal:
        return None
    if engine.served_layer is not None:
        one = system.model.n_layers * engine.served_layer.value
    elif engine.layer_dense is not None:
        one = decode_seconds(system, 1.0, 0.0)
    else:
        return None
    factor = engine.served_range.value if engine.served_range else 1.3
    worst = engine.served_worst.value if engine.served_worst else 2.0
    return Served(one * max(1.0, batch / system.stages), factor, worst)


def closed_loop_tpot(system: System, users: float, isl: float, osl: float) -> float:
    """Return the mean time per output token when `users` requests are always under way [s].

    Each decode step waits for the prefill work that shares the machine: while a request decodes its `osl` tokens,
    each of the other requests in the batch is prefilled once. The batch is what the KV cache has room for.

    Parameters
    ----------
    users : float
        Requests in the closed loop.
    isl, osl : float
        Prompt and output length [tokens].
    """
    context = isl + osl / 2.0
    batch = max(1.0, min(users, float(system.memory.max_batch(isl + osl))))
    decode = decode_seconds(system, batch, context)
    if osl <= 1:
        return decode
    return decode + (batch - 1.0) * prefill_seconds(system, 1.0, isl) / osl
