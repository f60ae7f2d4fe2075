"""The functions of ``kernel.py`` on NumPy arrays: the same source, with the array forms of min, max and a few others.

For a few thousand points of each of many tables: there is nothing to compile, and a row of a table, on which every
branch of the kernel depends, stays scalar. Grids and scattered points of millions belong to ``grid`` and ``scatter``.
"""

from __future__ import annotations

import types
from functools import lru_cache
from typing import Any

import numpy as np

from roofline import kernel

_MATH = types.SimpleNamespace(expm1=np.expm1, log1p=np.log1p, sqrt=np.sqrt, floor=np.floor, ceil=np.ceil)


@lru_cache(maxsize=1)
def functions() -> dict[str, Any]:
    """Return the kernel's functions by name, for tables of plain floats and arrays of sequences, shape (n,).

    Only what counts sequences may be an array: ``b``, ``g``, ``batch``. Tokens and contexts are scalars.
    """
    space: dict[str, Any] = dict(vars(kernel)) | {"math": _MATH, "min": np.minimum, "max": np.maximum}
    names = [name for name, value in vars(kernel).items() if isinstance(value, types.FunctionType)]
    for name in names:
        space[name] = types.FunctionType(getattr(kernel, name).__code__, space, name)
    return {name: space[name] for name in names}
