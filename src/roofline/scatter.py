"""Decode steps at points where every input has its own value: blocks of points, one operation after another.

Rows of a kind go through a loop without branches that the compiler vectorises; the maths of each is `kernel.op_seconds`
with the columns left out that are zero for that kind. A test holds the two equal to 1e-12.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import kernel
from roofline.compiled import functions, jit, table_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from roofline.lower.table import Row, Table

Array = Any

#: Points in a block: the working arrays of a block stay in the first-level cache.
BLOCK = 256
#: Kinds of row, by the columns that matter.
_PLAIN, _COLLECTIVE, _EXPERTS, _GENERAL, _ATTENTION, _GATHER = 0, 1, 2, 3, 4, 5


def _kind(row: Row) -> int:
    if row.depends_on_context:
        other = row.flops_entry or row.flops_group or row.log_miss or row.seconds_per_byte_alt
        if other or row.span == kernel.CHUNKED:
            return _GENERAL
        return _GATHER if row.span == kernel.GATHER else _ATTENTION
    if row.log_miss < 0:
        alone = row.flops_token == row.flops_sampled == row.bytes_fixed == row.bytes_token == row.overhead_sequence == 0
        return _EXPERTS if alone else _GENERAL
    if row.flops_group:
        return _GENERAL
    return _COLLECTIVE if row.seconds_per_byte_alt > 0 else _PLAIN


@lru_cache(maxsize=1024)
def row_kinds(table: Table) -> NDArray[np.int64]:
    """Return which of the loops of `blocks` each row of a table goes through."""
    return np.array([_kind(row) for row in table.rows], dtype=np.int64)


@lru_cache(maxsize=1)
def blocks() -> Any:
    """Return the compiled loops: table, kinds of rows, inputs, their steps, and the array to fill."""
    op, roof, touched = functions()["op_seconds"], functions()["roof"], functions()["experts_touched"]
    busiest, rank_experts, rank_spread = functions()["busiest_share"], kernel.RANK_EXPERTS, kernel.RANK_SPREAD
    alone, routing = functions()["independent_tokens"], kernel.ROUTING
    width, block, side = kernel.N_COLUMNS, BLOCK, kernel.BESIDE
    count, kappa, over, each = kernel.COUNT, kernel.OVERLAP, kernel.OVERHEAD, kernel.OVERHEAD_SEQUENCE
    f_token, f_sampled, f_group = kernel.FLOPS_TOKEN, kernel.FLOPS_SAMPLED, kernel.FLOPS_GROUP
    b_fixed, b_token, b_sequence = kernel.BYTES, kernel.BYTES_TOKEN, kernel.BYTES_SEQUENCE
    b_sampled, b_experts, log_miss = kernel.BYTES_SAMPLED, kernel.BYTES_EXPERTS, kernel.LOG_MISS
    per_flop, per_byte = kernel.SECONDS_FLOP, kernel.SECONDS_BYTE
    over_alt, per_byte_alt = kernel.OVERHEAD_ALT, kernel.SECONDS_BYTE_ALT
    f_pair, b_entry, entry_ratio, entry_cap = kernel.FLOPS_PAIR, kernel.BYTES_ENTRY, kernel.RATIO, kernel.CAP

    def fill(
        table: Array,
        kind: Array,
        batch: Array,
        ranks: float,
        fresh: Array,
        past: Array,
        positions: Array,
        out: Array,
        steps: tuple[int, int, int, int],
    ) -> None:
        """Fill out; steps are 1 for inputs with a value per point and 0 for those with one value for all."""
        b, t, g = np.empty(block), np.empty(block), np.empty(block)
        n, p, s = np.empty(block), np.empty(block), np.empty(block)
        sampled, share, total, beside = np.empty(block), np.empty(block), np.empty(block), np.empty(block)
        for start in range(0, out.shape[0], block):
            size = min(block, out.shape[0] - start)
            for j in range(size):
                i = start + j
                x = batch[i * steps[0]]
                p[j] = past[i * steps[1]]
                n[j] = fresh[i * steps[2]]
                s[j] = positions[i * steps[3]]
                b[j] = x / ranks if x > ranks else 1.0
                g[j] = x * n[j] if x > 1.0 else n[j]
                t[j] = b[j] * n[j]
                sampled[j] = b[j] * s[j]
                total[j] = 0.0
                beside[j] = 0.0
            last = 0.0
            for r in range(kind.shape[0]):
                at = r * width
                calls, k, o, e = table[at + count], table[at + kappa], table[at + over], table[at + each]
                sf, sb = table[at + per_flop], table[at + per_byte]
                if table[at + side] > 0.0 or kind[r] == _GENERAL:
                    into = beside if table[at + side] > 0.0 else total
                    for j in range(size):
                        into[j] += calls * op(table, at, b[j], n[j], p[j], s[j], g[j])
                elif kind[r] == _EXPERTS:
                    if table[at + log_miss] != last:
                        last = table[at + log_miss]
                        for j in range(size):
                            mean = touched(last, alone(last, g[j], table[at + routing]))
                            share[j] = busiest(mean, table[at + rank_experts], table[at + rank_spread])
                    fg, xb = table[at + f_group] * sf, table[at + b_experts] * sb
                    for j in range(size):
                        total[j] += calls * (roof(fg * g[j], xb * share[j], k) + o)
                else:
                    ft, fs = table[at + f_token] * sf, table[at + f_sampled] * sf
                    w, bt, bq, bs = (
                        table[at + b_fixed],
                        table[at + b_token],
                        table[at + b_sequence],
                        table[at + b_sampled],
                    )
                    sa, oa = table[at + per_byte_alt], table[at + over_alt]
                    if kind[r] == _ATTENTION or kind[r] == _GATHER:
                        fp, be = table[at + f_pair] * sf, table[at + b_entry]
                        inverse, cap = 1.0 / table[at + entry_ratio], table[at + entry_cap]
                        reach, gather = cap * table[at + entry_ratio], kind[r] == _GATHER
                        for j in range(size):
                            room = reach - p[j] if reach > p[j] else 0.0
                            growing = room if room < n[j] else n[j]
                            pairs = growing * (p[j] + 0.5 * (growing + 1.0)) * inverse + (n[j] - growing) * cap
                            seen, most = (p[j] + n[j]) * inverse, cap + n[j] - 1.0
                            read = pairs if gather else (seen if seen < most else most)
                            m = (w + bt * t[j] + bq * b[j] + bs * sampled[j] + be * b[j] * read) * sb
                            c = ft * t[j] + fs * sampled[j] + fp * b[j] * pairs
                            total[j] += calls * (roof(c, m, k) + o + e * b[j])
                    elif kind[r] == _PLAIN:
                        for j in range(size):
                            m = (w + bt * t[j] + bq * b[j] + bs * sampled[j]) * sb
                            total[j] += calls * (roof(ft * t[j] + fs * sampled[j], m, k) + o + e * b[j])
                    else:
                        for j in range(size):
                            moved = w + bt * t[j] + bq * b[j] + bs * sampled[j]
                            one = roof(ft * t[j] + fs * sampled[j], moved * sb, k) + o
                            other = moved * sa + oa
                            total[j] += calls * ((one if one < other else other) + e * b[j])
            for j in range(size):
                out[start + j] = max(total[j], beside[j])

    return jit(fill)


def scattered(
    table: Table, batch: ArrayLike, context: ArrayLike, n: ArrayLike = 1.0, s: ArrayLike = 1.0, threads: int = 1
) -> NDArray[np.float64]:
    """Return decode steps at arrays of points [s].

    Parameters
    ----------
    table : Table
        A decode table.
    batch, context, n, s : array_like
        Sequences per pipeline stage, cached tokens, new tokens and sampled positions; they broadcast.
    threads : int
        Threads that share the points.
    """
    given = [np.asarray(a, dtype=np.float64) for a in (batch, context, n, s)]
    shape = np.broadcast_shapes(*(a.shape for a in given))
    # One value for all points stays one value: memory is for what differs.
    arrays = [a.reshape(1) if a.size == 1 else np.ascontiguousarray(np.broadcast_to(a, shape)).ravel() for a in given]
    out = np.empty(math.prod(shape))
    steps = tuple(0 if a.size == 1 else 1 for a in given)
    kind, values, fill = row_kinds(table), table_array(table), blocks()

    def part(low: int, high: int) -> None:
        x, p, fresh, sampled = (a[low:high] if a.size > 1 else a for a in arrays)
        fill(values, kind, x, table.ranks, fresh, p, sampled, out[low:high], steps)

    if threads <= 1 or out.size < 64 * BLOCK:
        part(0, out.size)
        return out.reshape(shape)
    from concurrent.futures import ThreadPoolExecutor

    edges = [math.floor(out.size * i / threads) for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, edges, edges[1:]))
    return out.reshape(shape)
