"""What the kernels are measured against: NumPy broadcasting of the same maths."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.lower.table import Table


def numpy_decode_grid(table: Table, batches: Any, contexts: Any) -> NDArray[np.float64]:
    """Return a decode grid by broadcasting, one expression per operation: what one would write without numba."""
    b = np.maximum(np.asarray(batches, dtype=np.float64) / table.ranks, 1.0)[:, None]
    g = np.maximum(np.asarray(batches, dtype=np.float64), 1.0)[:, None]
    p = np.asarray(contexts, dtype=np.float64)[None, :]
    total = np.zeros((b.shape[0], p.shape[1]))
    for row in table.rows:
        sees = np.minimum((p + 1.0) / row.ratio, row.cap)
        flops = row.flops_token * b + row.flops_sampled * b + row.flops_group * g + row.flops_pair * b * sees
        moved = row.bytes_fixed + (row.bytes_token + row.bytes_sequence + row.bytes_sampled) * b
        moved = moved + row.bytes_entry * b * sees
        if row.log_miss < 0:
            share = -np.expm1(g * row.log_miss)
            busy = np.minimum(1.0, share + row.rank_spread * np.sqrt(share * (1.0 - share) / row.rank_experts))
            moved = moved + row.bytes_experts * busy
        c, m = flops * row.seconds_per_flop, moved * row.seconds_per_byte
        t = np.maximum(c, m) + row.overlap * np.minimum(c, m) + row.overhead
        if row.seconds_per_byte_alt > 0:
            t = np.minimum(t, moved * row.seconds_per_byte_alt + row.overhead_alt)
        total += row.count * (t + row.overhead_sequence * b)
    return total


def best_seconds(run: Callable[[], Any], times: int = 5) -> float:
    """Return the shortest of several runs [s]: the least disturbed one."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)
