"""How fast the kernels are, each beside a reference measured in the same run.

    pytest bench --benchmark-only -s

These machines are noisy: the gates are ratios within a run and generous floors, never another machine's times.
ROOFLINE_BENCH_QUICK=1 takes small arrays and checks only that everything runs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from performance import BENCHMARKS, alternately
from performance_page import SCALAR_ESTIMATOR
from reference import best_seconds, numpy_decode_grid
from roofline import grid, kernel, scatter, serving
from roofline.cost.montecarlo import Spread, Uncertain, simulate
from roofline.resolve import Request, resolve

QUICK = os.environ.get("ROOFLINE_BENCH_QUICK") == "1"
SHAPE = (100, 1000) if QUICK else (1000, 20_000)
SCATTERED = 20_000 if QUICK else 1_000_000


def table(model: str):
    return resolve(Request("h100", model, chips=16 if model == "llama-4-maverick" else 8)).decode


def axes() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(1.0, SHAPE[0] + 1), np.linspace(1.0, 131_072.0, SHAPE[1])


@pytest.mark.parametrize("model", ["llama-4-maverick", "gpt-oss-120b", "llama-3.1-70b"])
def test_grid(benchmark, model: str) -> None:
    """Dense batch x context grid: 1,000 scalar estimators, 60 % of filling a fresh array, 70 % of filling `out`."""
    values, (batches, contexts) = table(model), axes()
    points = SHAPE[0] * SHAPE[1]
    grid.decode_grid(values, batches, contexts)
    benchmark(grid.decode_grid, values, batches, contexts)
    out = np.zeros(SHAPE)
    runs = {
        "grid": lambda: grid.decode_grid(values, batches, contexts),
        "fill": lambda: np.full(SHAPE, 1.0),
        "into": lambda: grid.decode_grid(values, batches, contexts, out=out),
        "place": lambda: out.fill(1.0),
    }
    found = alternately(runs)
    rate, fill, into, place = (points / found[name][0] for name in runs)
    part = batches[: max(1, SHAPE[0] // 20)]
    plain = len(part) * SHAPE[1] / best_seconds(lambda: numpy_decode_grid(values, part, contexts), 3)
    print(
        f"\n{model}: grid {rate / 1e6:,.0f} M points/s, into out= {into / 1e6:,.0f}, NumPy broadcast "
        f"{plain / 1e6:,.1f} ({rate / plain:,.0f}x slower), fresh-array fill {fill / 1e6:,.0f} ({rate / fill:.0%}), "
        f"fill in place {place / 1e6:,.0f} ({into / place:.0%})"
    )
    if not QUICK:
        assert rate > 1000 * SCALAR_ESTIMATOR
        assert rate > 10 * plain
        assert rate > 0.6 * fill
        assert into > 0.7 * place


@pytest.mark.parametrize("model", ["llama-4-maverick", "llama-3.1-70b"])
def test_scattered(benchmark, model: str) -> None:
    """Points with every input its own array: at least 10 million a second on two threads."""
    rng = np.random.default_rng(0)
    batch, context = rng.uniform(1, 512, SCATTERED), rng.uniform(1, 1e5, SCATTERED)
    n, s = np.ones(SCATTERED), np.ones(SCATTERED)
    values = table(model)
    scatter.scattered(values, batch[:1000], context[:1000], n[:1000], s[:1000])
    benchmark(scatter.scattered, values, batch, context, n, s)
    one = SCATTERED / best_seconds(lambda: scatter.scattered(values, batch, context, n, s))
    two = SCATTERED / best_seconds(lambda: scatter.scattered(values, batch, context, n, s, threads=2))
    print(f"\n{model}: scattered {one / 1e6:,.1f} M points/s on one thread, {two / 1e6:,.1f} on two")
    if not QUICK:
        assert max(one, two) > 10e6


def test_single_point(benchmark) -> None:
    """One point in plain Python, lowered already."""
    system = resolve(Request("h100", "llama-4-maverick"))
    values = system.decode.values
    benchmark(serving.decode_seconds, system, 8, 8192)
    rows = len(values) // kernel.N_COLUMNS
    seconds = best_seconds(lambda: serving.decode_seconds(system, 8, 8192), 50)
    print(f"\nsingle point: {seconds * 1e6:.0f} us for {rows} operations, {seconds / rows * 1e9:.0f} ns each")


def test_monte_carlo(benchmark) -> None:
    """A million draws of seven uncertain figures, against drawing and sorting as many numbers seven times."""
    draws = 10_000 if QUICK else 1_000_000
    spread = Spread(0.7, 1.0, 1.6, "lognormal")
    given = dict.fromkeys(("usd_per_hour", "utilisation", "prefill_factor", "decode_factor"), spread)
    given |= dict.fromkeys(("power_factor", "usd_per_kwh", "scenario"), spread)
    load = {"prefill": 0.2, "decode": 0.8, "input_tokens": 1000, "output_tokens": 200, "watts_busy": 1500}
    likely = Uncertain(**given, **load, watts_idle=500, pays_electricity=False)
    random = np.random.default_rng(0)
    benchmark.pedantic(simulate, (likely, draws), rounds=3)
    mine = best_seconds(lambda: simulate(likely, draws), 3)
    theirs = best_seconds(lambda: [np.sort(random.standard_normal(draws)) for _ in given], 3)
    print(f"\nMonte Carlo: {mine:.2f} s for {draws:,} draws, {mine / theirs:.2f} times drawing and sorting")
    if not QUICK:
        assert mine < 4.0 * theirs


def test_start_up(benchmark) -> None:
    """`roofline decode` against importing two libraries, bytecode compiled: at most twice the CPU time."""
    ours = [sys.executable, "-c", "from roofline.cli.main import run; run()", "decode", "--hw", "h100"]
    ours += ["--model", "llama4-maverick"]
    base = [sys.executable, "-c", "import pydantic, click"]
    first, second = [], []
    cpu_seconds(ours)  # writes the bytecode
    for _ in range(2 if QUICK else 9):
        first.append(cpu_seconds(ours))
        second.append(cpu_seconds(base))
    benchmark.pedantic(subprocess.run, (ours,), {"check": True, "stdout": subprocess.DEVNULL}, rounds=3)
    mine, theirs = sorted(first)[len(first) // 2], sorted(second)[len(second) // 2]
    print(f"\nstart-up: {mine * 1e3:.0f} ms CPU, two imports {theirs * 1e3:.0f} ms, ratio {mine / theirs:.2f}")
    if not QUICK:
        assert mine < 2.0 * theirs


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.skipif(not QUICK, reason="python bench/performance.py runs them in full")
@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_benchmarks_of_the_page_run(benchmark, name: str) -> None:
    rows = benchmark.pedantic(BENCHMARKS[name], rounds=1)
    assert rows
    assert all(value >= 0 for row in rows for value in row.values() if isinstance(value, float))
