"""How fast roofline is, how close that is to what the machine can do, and what the limit is.

    python bench/performance.py            measure, write bench/performance.json and docs/performance.md from it
    python bench/performance.py --page     write the page from the measurements that are there

Every speed is the best of several runs that alternate with those of its reference; start-up times are medians.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from performance_page import page

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "performance.json", HERE.parent / "docs" / "performance.md"
Row = dict[str, Any]

MODELS = ("llama-4-maverick", "gpt-oss-120b", "llama-3.1-70b", "deepseek-v3")
QUICK = os.environ.get("ROOFLINE_BENCH_QUICK") == "1"
SHAPE, SCATTERED = ((100, 1000), 20_000) if QUICK else ((1000, 20_000), 1_000_000)
THREADS = (1, 2, 4)
#: Runs of each kernel, and fresh processes of each command.
ROUNDS, PROCESSES = (2, 1) if QUICK else (30, 21)


def best(run: Callable[[], Any], times: int = 9) -> float:
    """Return the shortest of several runs [s]: the least disturbed one."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def alternately(runs: dict[Any, Callable[[], Any]], rounds: int = ROUNDS) -> dict[Any, tuple[float, float]]:
    """Return (shortest wall time, median CPU time of all threads) of each run [s], measured in turn.

    What else the machine does disturbs all runs alike. It lengthens walls, of several threads most; CPU time tells what
    threads cost one another where no core was free.
    """
    wall: dict[Any, list[float]] = {name: [] for name in runs}
    cpu: dict[Any, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    return {name: (min(wall[name]), statistics.median(cpu[name])) for name in runs}


def table(model: str) -> Any:
    from roofline.resolve import Request, resolve

    return resolve(Request("h100", model, chips=16 if model in ("llama-4-maverick", "deepseek-v3") else 8)).decode


def machine() -> Row:
    import numba
    import numpy as np

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name", platform.processor() or platform.machine())
    family = f", family {fields['cpu family']} model {fields['model']}" if "cpu family" in fields else ""
    return {
        "cpu": name + family,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "load": round(os.getloadavg()[0], 1),
        "date": date.today().isoformat(),
    }


def fill(out: Any, threads: int) -> None:
    """Fill an array that is there, its rows shared among threads."""
    edges = [math.floor(len(out) * i / threads) for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda i, j: out[i:j].fill(1.0), edges, edges[1:]))


def grids() -> list[Row]:
    """The grid kernel and plain fills in turn: into fresh arrays, and into one that is there."""
    import numpy as np

    from reference import numpy_decode_grid
    from roofline.grid import decode_grid

    x, y = np.arange(1.0, SHAPE[0] + 1), np.linspace(1.0, 131_072.0, SHAPE[1])
    points, out, rows = SHAPE[0] * SHAPE[1], np.zeros(SHAPE), []
    for model in MODELS:
        values = table(model)
        seen = len({(r.span, r.ratio, r.cap) for r in values.rows if r.depends_on_context})
        decode_grid(values, x, y, out=out)
        runs: dict[Any, Callable[[], Any]] = {"fill_fresh": lambda: np.full(SHAPE, 1.0)}
        for n in THREADS:
            runs[f"fill_{n}"] = partial(fill, out, n) if n > 1 else lambda: out.fill(1.0)
            runs[f"out_{n}"] = partial(decode_grid, values, x, y, out=out, threads=n)
            runs[f"fresh_{n}"] = partial(decode_grid, values, x, y, threads=n)
        row: Row = {"model": model, "operations": len(values.rows), "attention": seen}
        for name, (wall, cpu) in alternately(runs).items():
            row |= {name: points / wall, f"{name}_cpu_ns": cpu / points * 1e9}
        row["numpy"] = 50 * SHAPE[1] / best(partial(numpy_decode_grid, values, x[:50], y), 3)
        rows.append(row)
    return rows


def grid_in_cache() -> list[Row]:
    """The inner loop of the grid where memory does not bind: 16 x 2,000 points stay in the second-level cache."""
    import numpy as np

    from roofline.grid import _fill

    base, slope, reach, out = np.ones(16), np.ones(16), np.ones(2000), np.zeros((16, 2000))
    loop = partial(_fill(), base, slope, reach, out)
    loop()
    found = alternately({"grid": loop, "fill": lambda: out.fill(1.0)}, 500)
    return [{name: out.size / seconds for name, (seconds, _) in found.items()}]


def scattered() -> list[Row]:
    """Points whose inputs all differ, on one thread and several, and what each kind of operation costs."""
    import numpy as np

    from roofline import scatter
    from roofline.lower.table import Table

    rng = np.random.default_rng(0)
    x, y = rng.uniform(1, 512, SCATTERED), rng.uniform(1, 1e5, SCATTERED)
    kinds = {"matrices": (0,), "collectives": (1,), "experts": (2,), "attention": (3, 4, 5)}
    rows = []
    for model in MODELS:
        values = table(model)
        scatter.scattered(values, x[:1000], y[:1000])
        row: Row = {"model": model, "operations": len(values.rows)}
        runs: dict[Any, Callable[[], Any]] = {n: partial(scatter.scattered, values, x, y, threads=n) for n in THREADS}
        runs["none"] = partial(scatter.scattered, Table((), values.ranks), x, y)
        for name, numbers in kinds.items():
            part = Table(tuple(r for r in values.rows if scatter._kind(r) in numbers), values.ranks)
            row[f"rows_{name}"] = len(part.rows)
            runs[name] = partial(scatter.scattered, part, x, y)
        found = alternately(runs)
        for n in THREADS:
            row |= {f"rate_{n}": SCATTERED / found[n][0], f"rate_{n}_cpu_ns": found[n][1] / SCATTERED * 1e9}
        none = found["none"][0]
        row["ns_none"] = none / SCATTERED * 1e9
        row |= {f"ns_{name}": max(0.0, found[name][0] - none) / SCATTERED * 1e9 for name in kinds}
        rows.append(row)
    return rows


def points() -> list[Row]:
    """Single points: the kernel in plain Python, a whole record, and what stands before them."""
    from roofline import evaluate, resolve, serving
    from roofline.catalog import load, lookup

    request = resolve.Request("h100", "llama-4-maverick")
    system = resolve.resolve(request)
    system.decode.values  # noqa: B018  lowered before the clock starts

    def cold() -> None:
        resolve._load.cache_clear()
        resolve._resolve.cache_clear()
        resolve.resolve(request).decode.values  # noqa: B018

    def build() -> None:
        for keeps in (load._hardware, load._model, load._engine):
            keeps.cache_clear()
        cold()

    def parse() -> None:
        lookup._parsed.cache_clear()
        build()

    def from_overrides() -> None:
        from roofline.whatif.elasticity import sensitivity
        from roofline.whatif.question import Question

        sensitivity(Question(resolve.Request("h100", "llama-3.1-8b"), "decode", {"batch": 1.0, "context": 8192.0}))

    found = {
        "a step, plain Python": best(lambda: serving.decode_seconds(system, 8, 8192), 200),
        "a record with cost and interval": best(lambda: evaluate.decode([request], [8], [8192]), 50),
        "a system, seen before": best(lambda: resolve.resolve(request), 200),
        "a system lowered anew": best(cold, 20),
        "a system built anew from parsed files": best(build, 20),
        "a system from its files": best(parse, 20),
        "sensitivity to all figures": best(from_overrides, 3),
    }
    return [{"what": name, "seconds": seconds} for name, seconds in found.items()]


def start_up() -> list[Row]:
    """Fresh processes: wall and CPU time, medians; bytecode compiled before."""
    run = [sys.executable, "-c", "from roofline.cli.main import run; run()"]
    grid = (
        "from roofline.api import decode; decode('h100', 'llama-4-maverick', range(1, 65), range(1, 65)).step_seconds"
    )
    commands = {
        "interpreter alone": [sys.executable, "-c", "pass"],
        "import pydantic, click": [sys.executable, "-c", "import pydantic, click"],
        "roofline --help": [*run, "--help"],
        "roofline decode, H100": [*run, "decode", "--hw", "h100", "--model", "llama4-maverick"],
        "roofline decode, WSE-3": [*run, "decode", "--hw", "wse3", "--model", "llama4-maverick"],
        "import numba": [sys.executable, "-c", "import numba"],
        "first grid, compiled": [sys.executable, "-c", grid],
    }
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    wall: dict[str, list[float]] = {name: [] for name in commands}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(PROCESSES + 1):
        for name, command in commands.items():
            if name in ("import numba", "first grid, compiled") and number > 5:
                continue
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            if number:  # the first writes bytecode
                wall[name].append(seconds)
                cpu[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    median = statistics.median
    return [{"what": name, "wall": median(wall[name]), "cpu": median(cpu[name])} for name in commands]


#: Every benchmark of the page; a test holds the committed results to this list.
BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "grid": grids,
    "grid_in_cache": grid_in_cache,
    "scattered": scattered,
    "points": points,
    "start_up": start_up,
}


def write(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def main() -> None:
    if "--page" not in sys.argv[1:]:
        results: dict[str, Any] = {"machine": machine()}
        for name, run in BENCHMARKS.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            results[name] = [{k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in r.items()} for r in run()]
        write(RESULTS, json.dumps(results, indent=1) + "\n")
    write(PAGE, page(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
