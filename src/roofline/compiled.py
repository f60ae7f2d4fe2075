"""The functions of ``kernel.py`` through numba, and gufuncs of them for any broadcast.

Nothing is compiled before its first use. The disk cache is off unless ROOFLINE_NUMBA_CACHE=1: cache files written by
two processes at once can pair wrongly and crash (numba issues 4807 and 10128), and read-only installs have no place
for them. fastmath is off: it gains nothing here and changes results.
"""

from __future__ import annotations

import os
import types
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import guvectorize, njit

from roofline import kernel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from roofline.lower.table import Table

Array = Any

#: Kernel functions in the order of their calls: each sees the compiled ones before it.
_FUNCTIONS = (
    "block_sum",
    "attended_pairs",
    "entries_read",
    "experts_touched",
    "independent_tokens",
    "busiest_share",
    "roof",
    "op_flops",
    "op_bytes",
    "op_seconds",
    "step_seconds",
    "prefill_groups",
    "prefill_work",
    "prefill_longest",
    "prefill_seconds",
)


def _cache() -> bool:
    return os.environ.get("ROOFLINE_NUMBA_CACHE") == "1"


def jit(function: Any) -> Any:
    """Compile a function; without a writable cache folder, compile it uncached."""
    try:
        return njit(error_model="numpy", nogil=True, cache=_cache())(function)
    except RuntimeError:
        return njit(error_model="numpy", nogil=True)(function)


@lru_cache(maxsize=1)
def functions() -> dict[str, Any]:
    """Return the kernel's functions, compiled from the very source that plain Python runs."""
    space: dict[str, Any] = dict(vars(kernel))
    for name in _FUNCTIONS:
        plain = getattr(kernel, name)
        space[name] = jit(types.FunctionType(plain.__code__, space, name))
    return {name: space[name] for name in _FUNCTIONS}


@lru_cache(maxsize=1)
def step_gufunc() -> Any:
    """Return `kernel.step_seconds` as a gufunc: table, batch, ranks, n, p, s -> seconds."""
    step = functions()["step_seconds"]

    def loop(table: Array, batch: Array, ranks: Array, n: Array, p: Array, s: Array, out: Array) -> None:
        out[0] = step(table, batch[0], ranks[0], n[0], p[0], s[0])

    return _gufunc(loop, "(k),(),(),(),(),()->()", 5)


@lru_cache(maxsize=1)
def prefill_gufunc() -> Any:
    """Return `kernel.prefill_seconds` as a gufunc: table, batch, ranks, n, p, chunk, stages, host -> seconds."""
    prefill = functions()["prefill_seconds"]

    def loop(
        table: Array,
        batch: Array,
        ranks: Array,
        n: Array,
        p: Array,
        chunk: Array,
        stages: Array,
        host: Array,
        out: Array,
    ) -> None:
        out[0] = prefill(table, batch[0], ranks[0], n[0], p[0], chunk[0], stages[0], host[0])

    return _gufunc(loop, "(k),(),(),(),(),(),(),()->()", 7)


def _gufunc(loop: Any, layout: str, scalars: int) -> Any:
    signature = f"void(f8[::1], {'f8[:], ' * scalars}f8[:])"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return guvectorize([signature], layout, nopython=True)(loop)


@lru_cache(maxsize=1024)
def table_array(table: Table) -> NDArray[np.float64]:
    """Return a table as a flat array of shape (n_rows x kernel.N_COLUMNS,), made once; nobody writes to it."""
    return np.array(table.values, dtype=np.float64)


def step_seconds(
    table: Table, batch: ArrayLike, n: ArrayLike, p: ArrayLike, s: ArrayLike, out: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the time of a step for arrays that broadcast against one another [s].

    Parameters
    ----------
    table : Table
    batch, n, p, s : array_like
        As in ``kernel.step_seconds``; `batch` is that of one pipeline stage.
    out : ndarray, optional
        Where to write.
    """
    result: NDArray[np.float64] = step_gufunc()(table_array(table), batch, table.ranks, n, p, s, out=out)
    return result
