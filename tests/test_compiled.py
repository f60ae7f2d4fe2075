"""Compiled kernels against plain Python: the same numbers to 1e-12 everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from roofline import grid, kernel, scatter, serving
from roofline.compiled import functions, prefill_gufunc, step_gufunc, table_array
from roofline.resolve import Request, resolve
from roofline.result import decode_times

SYSTEMS = [
    ("h100", "llama-4-maverick", {"tp": 8, "pp": 2}),
    ("b200", "deepseek-v3", {"tp": 1, "dp": 8, "ep": 8}),
    ("h100", "deepseek-v4-flash", {"tp": 8}),
    ("mi300x", "minimax-m3", {"tp": 4, "pp": 2}),
    ("h200", "qwen3-next-80b-a3b", {"tp": 4, "weights": "fp8"}),
    ("wse3", "gpt-oss-120b", {}),
]
POINTS = 100_000


def test_100000_random_points() -> None:
    rng = np.random.default_rng(7)
    share = POINTS // len(SYSTEMS) + 1
    compiled = step_gufunc()
    for hw, model, options in SYSTEMS:
        table = resolve(Request(hw, model, **options)).decode
        batch = np.round(np.exp(rng.uniform(0, np.log(4096), share)))
        n = rng.integers(1, 9, share).astype(float)
        past = np.round(np.exp(rng.uniform(0, np.log(1e6), share)))
        sampled = np.minimum(n, rng.integers(1, 3, share)).astype(float)
        found = compiled(table_array(table), batch, table.ranks, n, past, sampled)
        expected = [
            kernel.step_seconds(table.values, *point)
            for point in zip(
                batch.tolist(), [table.ranks] * share, n.tolist(), past.tolist(), sampled.tolist(), strict=True
            )
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
        np.testing.assert_allclose(scatter.scattered(table, batch, past, n, sampled), expected, rtol=1e-12, atol=0)
        np.testing.assert_allclose(
            scatter.scattered(table, batch, past, n, sampled, threads=2), expected, rtol=1e-12, atol=0
        )


@pytest.mark.parametrize(("hw", "model", "options"), SYSTEMS)
def test_grid_equals_plain_python(hw: str, model: str, options: dict[str, object]) -> None:
    system = resolve(Request(hw, model, **options))  # type: ignore[arg-type]
    batches, contexts = [1, 2, 3, 17, 64, 500, 4096], [1, 127, 128, 129, 4096, 8191, 8192, 8193, 100_001, 1_000_000]
    expected = [[serving.decode_seconds(system, b, c) for c in contexts] for b in batches]
    np.testing.assert_allclose(decode_times(system, batches, contexts), expected, rtol=1e-12, atol=0)


def test_large_grids_equal_scattered_points_and_threads_share_them() -> None:
    # Two ways to the same points; two threads fill the halves of a grid of a million points.
    for hw, model, options in SYSTEMS[:4]:
        table = resolve(Request(hw, model, **options)).decode  # type: ignore[arg-type]
        batches, contexts = np.arange(1.0, 1102.0), np.linspace(1.0, 200_000.0, 1000)
        found = grid.decode_grid(table, batches, contexts)
        expected = scatter.scattered(table, batches[:, None], contexts)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)
        np.testing.assert_array_equal(grid.decode_grid(table, batches, contexts, threads=2), found)


def test_grid_writes_into_out() -> None:
    table = resolve(Request("h100", "llama-3.1-8b")).decode
    out = np.empty((3, 4))
    assert grid.decode_grid(table, [1, 2, 3], [1, 10, 100, 1000], out=out) is out
    np.testing.assert_array_equal(out, grid.decode_grid(table, [1, 2, 3], [1, 10, 100, 1000]))


def test_prefill_gufunc_equals_plain_python() -> None:
    system = resolve(Request("h100", "llama-4-maverick", tp=8, pp=2))
    rng = np.random.default_rng(3)
    n = rng.integers(1, 60_000, 500).astype(float)
    past = rng.integers(0, 60_000, 500).astype(float)
    batch = rng.integers(1, 64, 500).astype(float)
    found = prefill_gufunc()(table_array(system.prefill), batch, 1.0, n, past, 8192.0, 2.0, 1e-3)
    expected = [
        kernel.prefill_seconds(system.prefill.values, *point, 8192.0, 2.0, 1e-3)
        for point in zip(batch.tolist(), [1.0] * 500, n.tolist(), past.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_every_kernel_function_is_compiled_from_the_same_source() -> None:
    for name, function in functions().items():
        assert function.py_func.__code__ is getattr(kernel, name).__code__


def test_gufunc_broadcasts() -> None:
    table = resolve(Request("h100", "llama-3.1-8b")).decode
    found = step_gufunc()(table_array(table), np.ones((3, 1)), 1.0, 1.0, np.ones((1, 5)), 1.0)
    assert found.shape == (3, 5)
