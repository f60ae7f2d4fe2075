"""Every batch of a deployment at once: what users see in the steady state, as arrays.

The maths is that of `roofline.workload.steady`, from the compiled kernels; a test holds the two equal.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import serving, workload
from roofline.compiled import functions, jit, table_array
from roofline.grid import decode_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def batches(limit: float) -> Floats:
    """Return the batch sizes tried up to a limit, the limit itself among them."""
    few = np.arange(1.0, min(EVERY, math.floor(limit)) + 1.0)
    if limit <= EVERY:
        return few
    doublings = np.arange(1, math.floor(PER_DOUBLING * math.log2(limit / EVERY)) + 1) / PER_DOUBLING
    sizes = np.floor(EVERY * 2.0**doublings)
    return np.unique(np.concatenate([few, sizes, [math.floor(limit)]]))


@lru_cache(maxsize=1)
def _prefills() -> Any:
    known = functions()
    groups_of, work_of = known["prefill_groups"], known["prefill_work"]

    def prefills(
        table: Any, batch: Any, ranks: float, n: float, p: float, chunk: float, stages: float, out: Any
    ) -> None:
        """Write `kernel.prefill_seconds` of every batch; batches whose groups are alike share the work of a group."""
        pieces = max(1.0, math.ceil(n / chunk - 1e-9))
        last, work = -1.0, 0.0
        for i in range(batch.shape[0]):
            b = max(batch[i] / ranks, 1.0)
            groups = groups_of(b, n, chunk)
            size = b / groups * ranks
            if size != last:
                last, work = size, work_of(table, size, ranks, n, p, chunk)
            steps = groups * pieces
            out[i] = work * groups * (steps + stages - 1.0) / (steps * stages)

    return jit(prefills)


def curve(system: System, load: Load, speculation: Speculation | None = None) -> Curve:
    """Return a deployment at all of its batches."""
    limit = workload.batch_limit(system, load.isl, load.osl)
    n = batches(limit)
    if system.spatial or speculation is not None:
        step = np.array([workload.mean_decode(system, x, load.isl, load.osl, speculation) for x in n])
    else:
        step = _steps(system, n, load)
    every = _prefill(system, n, load) / n
    alone = float(serving.prefill_seconds(system, 1.0, load.new, load.past))
    rate = n / (n * every + load.steps * step)
    busy = rate * every
    wait = 0.5 * busy / (1.0 - busy) * every + 0.5 * step
    ttft = alone + wait + workload.request_overhead(system, load.isl)
    dp = float(system.deployment.dp)
    each = max(1.0, math.floor(min(serving.prefill_chunk(system) / load.new, 64.0)))
    sizes = dict.fromkeys((dp, dp * each))
    prefills = tuple((k, float(serving.prefill_seconds(system, k, load.new, load.past))) for k in sizes)
    return Curve(system, speculation, n, step, ttft, step / (1.0 - busy), rate, prefills)


def curves(systems: Sequence[System], load: Load, speculation: Speculation | None = None) -> list[Curve]:
    """Return the curves of many deployments, in their order; two threads share the compiled work."""
    if not systems:
        return []
    first = curve(systems[0], load, speculation)  # compiles, once and in one thread
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return [first, *pool.map(lambda system: curve(system, load, speculation), systems[1:], chunksize=1)]


def _steps(system: System, n: Floats, load: Load) -> Floats:
    """Return the mean decode step while contexts grow: Simpson's rule, as `workload.mean_decode`."""
    stages = np.minimum(float(system.deployment.pp), np.maximum(n, 1.0))
    size = np.maximum(n / stages, 1.0)
    if load.osl <= 2:
        return decode_grid(system.decode, size, [load.isl])[:, 0]
    at = [load.isl, load.isl + (load.osl - 1.0) / 2.0, load.isl + load.osl - 2.0]
    times = decode_grid(system.decode, size, at)
    mean: Floats = (times[:, 0] + 4.0 * times[:, 1] + times[:, 2]) / 6.0
    return mean


def _prefill(system: System, n: Floats, load: Load) -> Floats:
    if system.spatial:
        return np.array([serving.prefill_seconds(system, x, load.new, load.past) for x in n])
    out = np.empty(len(n))
    stages = 1.0 if system.engine.ideal else float(system.deployment.pp)
    chunk = serving.prefill_chunk(system)
    _prefills()(table_array(system.prefill), n, system.prefill.ranks, load.new, load.past, chunk, stages, out)
    return out / float(system.deployment.pp) if system.engine.ideal else out
