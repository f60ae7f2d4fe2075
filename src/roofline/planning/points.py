"""Every batch of a deployment at once: what users see in the steady state, as arrays.

The maths is that of `roofline.open_loop.steady`, from the kernel on arrays; a test holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roofline import admission, kernel, serving, workload
from roofline.vectorised import functions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.lower.table import Table
    from roofline.system import System
    from roofline.workload import Speculation

    Floats = NDArray[np.float64]

#: Every batch up to so many sequences is tried, and above it so many sizes per doubling.
EVERY, PER_DOUBLING = 4096, 64


@dataclass(frozen=True, slots=True)
class Load:
    """What users ask for.

    Attributes
    ----------
    isl, osl : float
        Prompt and answer [tokens].
    past : float
        Tokens of the prompt that a prefix cache holds.
    """

    isl: float
    osl: float
    past: float = 0.0

    @property
    def new(self) -> float:
        """Tokens to prefill."""
        return max(1.0, self.isl - self.past)

    @property
    def steps(self) -> float:
        """Decode steps of a request."""
        return max(1.0, self.osl - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One deployment at all of its batches; arrays of shape (n,).

    Attributes
    ----------
    system : System
    speculation : Speculation or None
    batch : ndarray
        Sequences that decode together.
    step : ndarray
        Mean time per token of a decode step that nothing else shares [s].
    ttft, tpot, rate : ndarray
        With prefill and decode on the same chips [s], [s], [requests/s].
    prefills : tuple of (float, float)
        Prompts that a pool of its own prefills together, and the time it takes them [s]: one for every rank, and as
        many as fill each rank's chunk.
    """

    system: System
    speculation: Speculation | None
    batch: Floats
    step: Floats
    ttft: Floats
    tpot: Floats
    rate: Floats
    prefills: tuple[tuple[float, float], ...]


def up_to(one: Curve, most: float) -> Curve:
    """Return a curve without the batches above `most`; a batch of one is always left."""
    n = max(1, int(np.searchsorted(one.batch, most, side="right")))
    if n == len(one.batch):
        return one
    cut = {name: getattr(one, name)[:n] for name in ("batch", "step", "ttft", "tpot", "rate")}
    return replace(one, **cut)


def batches(limit: float) -> Floats:
    """Return the batch sizes tried up to a limit, the limit itself among them."""
    few = np.arange(1.0, min(EVERY, math.floor(limit)) + 1.0)
    if limit <= EVERY:
        return few
    doublings = np.arange(1, math.floor(PER_DOUBLING * math.log2(limit / EVERY)) + 1) / PER_DOUBLING
    sizes = np.floor(EVERY * 2.0**doublings)
    return np.unique(np.concatenate([few, sizes, [math.floor(limit)]]))


def curve(system: System, load: Load, speculation: Speculation | None = None) -> Curve:
    """Return a deployment at all of its batches."""
    limit = workload.batch_limit(system, load.isl, load.osl)
    n = batches(limit)
    if system.spatial:
        step = np.array([workload.mean_decode(system, x, load.isl, load.osl, speculation) for x in n])
    else:
        step = _decode(system, n, load, speculation)
    every = admission.each_prefill(lambda k: _prefill(system, k, load), system, n, load.osl, np)
    alone = float(serving.prefill_seconds(system, 1.0, load.new, load.past))
    rate = n / (n * every + load.steps * step)
    busy = rate * every
    wait = 0.5 * busy / (1.0 - busy) * every + admission.turn_seconds(system, n, load.new, load.osl, step, every)
    ttft = alone + wait + admission.request_overhead(system, load.isl)
    dp = float(system.deployment.dp)
    each = max(1.0, math.floor(min(serving.prefill_chunk(system) / load.new, 64.0)))
    sizes = dict.fromkeys((dp, dp * each))
    prefills = tuple((k, float(serving.prefill_seconds(system, k, load.new, load.past))) for k in sizes)
    return Curve(system, speculation, n, step, ttft, step / (1.0 - busy), rate, prefills)


def curves(systems: Sequence[System], load: Load, speculation: Speculation | None = None) -> list[Curve]:
    """Return the curves of many deployments, in their order."""
    return [curve(system, load, speculation) for system in systems]


def _decode(system: System, n: Floats, load: Load, speculation: Speculation | None) -> Floats:
    """Return the mean time per token while contexts grow, as `workload.mean_decode`.

    Rows that do not see the context are worked out once a batch. Those that do are attention cores, whose work is so
    many times that of one sequence: they are worked out once a context.
    """
    stages = np.minimum(float(system.deployment.pp), np.maximum(n, 1.0))
    size = np.maximum(n / stages, 1.0)
    tokens = 1.0 if speculation is None else speculation.drafted + 1.0
    rows = system.decode.rows
    verified = _mean_step(system.decode, [1.0] * len(rows), size, tokens, load)
    if speculation is None:
        return verified
    drafted = _mean_step(
        system.decode, [workload.drafted_share(system, row.op) for row in rows], size, 1.0, load, False
    )
    result: Floats = (verified + speculation.drafted * drafted) / speculation.accepted
    return result


def _mean_step(
    table: Table, weights: Sequence[float], size: Floats, tokens: float, load: Load, beside: bool = True
) -> Floats:
    """Return the time of every batch's step, the mean over an answer by Simpson's rule [s].

    Parameters
    ----------
    weights : sequence of float
        How often each row of the table is part of the step.
    size : ndarray, shape (n,)
        Sequences per pipeline stage.
    tokens : float
        New tokens of each sequence.
    beside : bool
        Whether rows may run beside all others; after them otherwise.
    """
    op, values, width = functions()["op_seconds"], table.values, kernel.N_COLUMNS
    b, g = np.maximum(size / table.ranks, 1.0), np.maximum(size, 1.0) * tokens
    after, side = np.zeros(len(size)), np.zeros(len(size))
    cores = []
    for at, (row, weight) in enumerate(zip(table.rows, weights, strict=True)):
        if weight and row.depends_on_context:
            cores.append((row, weight, at * width))
        elif weight:
            total = side if row.beside > 0 and beside else after
            total += weight * row.count * op(values, at * width, b, tokens, 0.0, tokens, g)

    def at_context(context: float) -> Floats:
        # A core's FLOPs and bytes are so many times those of one sequence, and so its time is, but for the launch.
        each = launch = 0.0
        for row, weight, at in cores:
            one = kernel.op_seconds(values, at, 1.0, tokens, context, tokens, tokens)
            each += weight * row.count * (one - row.overhead)
            launch += weight * row.count * row.overhead
        result: Floats = np.maximum(after + (launch + each * b), side)
        return result

    first, last = load.isl, load.isl + load.osl - 2.0
    if load.osl <= 2:
        return at_context(first)
    return (at_context(first) + 4.0 * at_context(load.isl + (load.osl - 1.0) / 2.0) + at_context(last)) / 6.0


def _prefill(system: System, n: Floats, load: Load) -> Floats:
    """Return the time to prefill every batch, as `serving.prefill_seconds`."""
    if system.spatial:
        return np.array([serving.prefill_seconds(system, x, load.new, load.past) for x in n])
    table, chunk, stages = system.prefill, serving.prefill_chunk(system), float(system.deployment.pp)
    known = functions()
    groups = known["prefill_groups"](np.maximum(n / table.ranks, 1.0), load.new, chunk)
    size = np.maximum(n / table.ranks, 1.0) / groups * table.ranks
    # Where every group is alike, as where one prompt fills a step, one of them is worked out.
    alike = bool((size == size[0]).all())
    batch = float(size[0]) if alike else size
    where = (table.values, batch, table.ranks, load.new, load.past, chunk)
    seconds = groups * (kernel.prefill_work if alike else known["prefill_work"])(*where)
    if stages > 1.0 and not system.engine.ideal:
        seconds = seconds + (stages - 1.0) * (kernel.prefill_longest if alike else known["prefill_longest"])(*where)
    return np.asarray(seconds / stages)
