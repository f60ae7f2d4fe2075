"""The grid kernel: dense batch x context sweeps at the speed at which memory is written.

Only attention depends on context, and in decode its FLOPs and bytes are both proportional to the sequences of a rank
and to the entries that the new token sees. The roof over the two is homogeneous, so a step is

    step(B, C) = base(B) + b(B) x reach(C),    b = sequences of a rank,

whatever the number and kinds of attention layers: every power, division and expert count is done once per batch,
everything that looks at the context once per context, and a point costs one multiply-add.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import kernel
from roofline.compiled import functions, jit, table_array
from roofline.scatter import blocks, row_kinds

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from roofline.lower.table import Row, Table

Array = Any

#: Fewer points than this are filled before a second thread has started.
_WORTH_A_THREAD = 1_000_000


@lru_cache(maxsize=1)
def _reach() -> Any:
    pairs = functions()["attended_pairs"]

    def reach(kinds: Array, contexts: Array, out: Array) -> None:
        """Add to out[j] the time that one sequence's attention takes after contexts[j] cached tokens."""
        for k in range(kinds.shape[0]):
            span, ratio, cap, seconds = kinds[k]
            for j in range(contexts.shape[0]):
                out[j] += seconds * pairs(span, ratio, cap, 1.0, contexts[j])

    return jit(reach)


@lru_cache(maxsize=1)
def _fill() -> Any:
    def fill(base: Array, slope: Array, reach: Array, out: Array) -> None:
        """Write out[i, j] = base[i] + slope[i] x reach[j]: one pass, one multiply-add a point.

        Four lines at a time: `reach` of a long axis lies in the second-level cache, and reading it for each line takes
        a third of the time.
        """
        whole = out.shape[0] // 4 * 4
        for i in range(0, whole, 4):
            a, b, c, d = out[i], out[i + 1], out[i + 2], out[i + 3]
            # In names of their own: the lines might hold them, for all that a compiler knows.
            a0, b0, c0, d0 = base[i], base[i + 1], base[i + 2], base[i + 3]
            a1, b1, c1, d1 = slope[i], slope[i + 1], slope[i + 2], slope[i + 3]
            for j in range(reach.shape[0]):
                r = reach[j]
                a[j] = a0 + a1 * r
                b[j] = b0 + b1 * r
                c[j] = c0 + c1 * r
                d[j] = d0 + d1 * r
        for i in range(whole, out.shape[0]):
            a, a0, a1 = out[i], base[i], slope[i]
            for j in range(reach.shape[0]):
                a[j] = a0 + a1 * reach[j]

    return jit(fill)


def _seconds_per_entry(row: Row) -> float:
    """Return the time per sequence and attended entry of all calls of an attention row [s]."""
    c, m = row.flops_pair * row.seconds_per_flop, row.bytes_entry * row.seconds_per_byte
    return row.count * kernel.roof(c, m, row.overlap)


@lru_cache(maxsize=1024)
def _parts(table: Table) -> tuple[Array, Array, Array]:
    """Return the flat table without what sees the context, that of the rows which run beside, and the ways of seeing.

    A way of seeing the context is (span, ratio, cap, seconds per sequence and entry), shape (kinds, 4).
    """
    kinds: dict[tuple[float, float, float], float] = {}
    for row in table.rows:
        if row.depends_on_context and not row.beside:
            seen = (row.span, row.ratio, row.cap)
            kinds[seen] = kinds.get(seen, 0.0) + _seconds_per_entry(row)
    still = table_array(table).reshape(-1, kernel.N_COLUMNS).copy()
    aside = still[:, kernel.BESIDE] > 0
    beside = still.copy()
    beside[~aside, kernel.COUNT] = still[aside, kernel.COUNT] = 0.0
    still[:, [kernel.FLOPS_PAIR, kernel.FLOPS_ENTRY, kernel.BYTES_ENTRY]] = 0.0
    ways = np.array([(*seen, seconds) for seen, seconds in kinds.items()], dtype=np.float64).reshape(-1, 4)
    return still.ravel(), beside.ravel() if aside.any() else beside[:0].ravel(), ways


def _before_context(table: Table, values: Array, batches: Array) -> Array:
    """Return the decode steps of batches with nothing cached, from a changed copy of a table [s]."""
    out, one = np.empty(len(batches)), np.ones(1)
    blocks()(values, row_kinds(table), batches, table.ranks, one, np.zeros(1), one, out, (1, 0, 0, 0))
    return out


def decode_grid(
    table: Table,
    batches: ArrayLike,
    contexts: ArrayLike,
    out: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return the time of a plain decode step on a dense batch x context grid [s].

    Parameters
    ----------
    table : Table
        A decode table.
    batches : array_like, shape (n,)
        Sequences per pipeline stage.
    contexts : array_like, shape (m,)
        Cached tokens.
    out : ndarray, shape (n, m), optional
        Where to write.
    threads : int
        Threads that share the batches of a large grid; see docs/performance.md for what they gain.
    """
    x = np.ascontiguousarray(batches, dtype=np.float64)
    y = np.ascontiguousarray(contexts, dtype=np.float64)
    still, beside, ways = _parts(table)
    base, reach = _before_context(table, still, x), np.zeros(len(y))
    _reach()(ways, y, reach)
    slope = np.maximum(x / table.ranks, 1.0)
    result = np.empty((len(x), len(y))) if out is None else out
    fill = _fill()
    if threads > 1 and result.size >= _WORTH_A_THREAD:
        from concurrent.futures import ThreadPoolExecutor

        edges = [math.floor(len(x) * i / threads) for i in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda i, j: fill(base[i:j], slope[i:j], reach, result[i:j]), edges, edges[1:]))
    else:
        fill(base, slope, reach, result)
    if beside.size:
        # Communication of the other half of a batch runs beside: the longer of the two is the step.
        np.maximum(result, _before_context(table, beside, x)[:, None], out=result)
    return result
