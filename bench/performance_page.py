"""The text of docs/performance.md from the measurements of performance.py; every number and comparison is computed."""

from __future__ import annotations

from statistics import median
from typing import Any

Results = dict[str, Any]

#: Estimates a second of a scalar call of the fastest public compiled estimator: what the grid is held against.
SCALAR_ESTIMATOR = 268_000


def grid(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def millions(value: float) -> str:
    return f"{value / 1e6:,.0f}"


def seconds(value: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def one(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    [found] = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return found


def page(results: Results) -> str:
    """Return the page."""
    parts = [head(results), grids(results), threads(results), scattered(results), points(results), start_up(results)]
    return "\n".join(parts)


def head(results: Results) -> str:
    m = results["machine"]
    busy = ", so other work ran beside" if m["load"] > 1 else ""
    what = f"{m['cpu']}, {m['cores']} cores of a virtual machine, {m['system']}, Python {m['python']}"
    return f"""# Performance

Measured on {m["date"]}: {what},
NumPy {m["numpy"]}, numba {m["numba"]}; load average {m["load"]} when it began{busy}. Speeds are
the best of many runs that alternate with those of their reference; start-up times are medians. Written by
`python bench/performance.py`.
"""


def grids(results: Results) -> str:
    rows = [
        [
            r["model"],
            str(r["operations"]),
            str(r["attention"]),
            millions(r["fresh_1"]),
            f"{r['fresh_1'] / r['fill_fresh']:.0%}",
            millions(r["out_1"]),
            f"{r['out_1'] / r['fill_1']:.0%}",
            f"{r['fresh_1'] / r['numpy']:,.0f}",
            f"{r['fresh_1'] / SCALAR_ESTIMATOR:,.0f}",
        ]
        for r in results["grid"]
    ]
    header = ["model", "operations", "kinds of attention", "fresh array", "of `numpy.full`"]
    header += ["`out=`", "of `fill` in place", "times NumPy", "times 268,000/s"]
    [cache], least = results["grid_in_cache"], min(r["out_1"] / r["fill_1"] for r in results["grid"])
    slowest = min(r["out_1"] for r in results["grid"])
    times = cache["grid"] / slowest
    if times > 1.5:
        bound = f"{times:.1f} times the slowest grid above, so stores to memory bind, not instructions"
    else:
        bound = f"{times:.1f} times the slowest grid above: instructions bind as much as memory"
    return f"""## Grids

1,000 batches x 20,000 contexts in float64, one thread, million points a second. `numpy.full` writes a fresh array,
whose pages the operating system clears first; `ndarray.fill` writes one that is there. NumPy is one broadcast
expression per operation; 268,000 a second is what a scalar call of the fastest public compiled estimator does.

{grid(header, rows)}
A decode step is base(batch) + sequences x reach(context) whatever the kinds of attention, so a point is one
multiply-add, one store and a quarter of a load: the contexts' times serve four lines at a time.
In the second-level cache that loop does {millions(cache["grid"])} M points/s, `fill` there
{millions(cache["fill"])} M: {bound}.
At least {least:.0%} of a fill in place is reached; the rest is reading those times (a long axis of them lies in the
second-level cache: read for each line they took a third of the time), and what is done once per batch and context.
"""


def threads(results: Results) -> str:
    kinds = {
        "`fill` of an array that is there": ("grid", "fill"),
        "grid, `out=`": ("grid", "out"),
        "grid, fresh array": ("grid", "fresh"),
        "scattered points": ("scattered", "rate"),
    }
    rows, told = [], []
    for name, (bench, key) in kinds.items():
        found = results[bench]
        gain = {n: median(r[f"{key}_{n}"] / r[f"{key}_1"] for r in found) for n in (2, 4)}
        peak = max(r[f"{key}_2"] / r[f"{key}_1"] for r in found)
        cost = {n: median(r[f"{key}_{n}_cpu_ns"] / r[f"{key}_1_cpu_ns"] for r in found) for n in (2, 4)}
        rows.append([name, f"{gain[2]:.2f}", f"{peak:.2f}", f"{cost[2]:.2f}", f"{gain[4]:.2f}", f"{cost[4]:.2f}"])
        bound = "they wait for memory or the system" if cost[2] > 1.15 else "threads do not hinder one another"
        told.append(f"- {name}: two threads take {cost[2]:.2f} times the CPU time of one for the same points:")
        told.append(f"  {bound}, and two free cores would give about {2 / cost[2]:.1f}x.")
    load, cores = results["machine"]["load"], results["machine"]["cores"]
    crowd = f", while {load:g} processes wanted the {cores} cores" if load > cores else ""
    reuse = median(r["out_1"] / r["fresh_1"] for r in results["grid"])
    header = ["over one thread", "2 threads, wall", "best model", "2, CPU time", "4 threads, wall", "4, CPU time"]
    return f"""## What a second thread gives

Speed over that of one thread, median and best of the models{crowd};
and the CPU time of all threads together for the same points, which tells whether they wait for one another whatever
else runs.

{grid(header, rows)}
{chr(10).join(told)}

One thread is the default everywhere: reusing `out=` gives {reuse:.2f}x without any.
"""


def scattered(results: Results) -> str:
    rows, shares = [], []
    for r in results["scattered"]:
        cells = [f"{r[f'rate_{n}'] / 1e6:,.0f}" for n in (1, 2, 4)]
        parts = [f"{r[f'ns_{k}']:.1f} ({r[f'rows_{k}']})" for k in ("matrices", "collectives", "experts", "attention")]
        rows.append([r["model"], *cells, f"{r['ns_none']:.1f}", *parts])
        shares.append(
            (max(("matrices", "collectives", "experts", "attention"), key=lambda k: r[f"ns_{k}"]), r["model"])
        )
    header = ["model", "1 thread", "2 threads", "4 threads", "ns: inputs, output"]
    header += ["matrices (rows)", "collectives", "experts", "attention"]
    binds = "; ".join(f"{kind} in {model}" for kind, model in shares)
    least = min(max(r["rate_1"], r["rate_2"]) for r in results["scattered"]) / 1e6
    alone = min(r["rate_1"] for r in results["scattered"]) / 1e6
    return f"""## Scattered points

A million points, batch and context different at each: million points a second by threads, and ns a point by kind of
operation (rows of the table in brackets), one thread.

{grid(header, rows)}
At least {alone:,.0f} M points/s on one thread and {least:,.0f} M on the better of one and two. Instructions bind, not
memory: a point is dozens of operations and 24 bytes. The largest part is
{binds}.
Matrices, collectives and attention run as loops without branches, eight points an instruction where the processor has
vectors of 512 bits; experts need one `expm1` and one square root a point, which stay scalar library calls.
"""


def points(results: Results) -> str:
    rows = [[r["what"], seconds(r["seconds"])] for r in results["points"]]
    return f"""## Single points, lowering, catalogue

{grid(["Llama 4 Maverick on H100", "time"], rows)}
Systems are kept once lowered, files as parsed and built until they change, and the folder of shipped files is listed
once: a second question of the same deployment starts at the kernel.
"""


def start_up(results: Results) -> str:
    base = one(results["start_up"], what="import pydantic, click")["wall"]
    rows = [[r["what"], seconds(r["wall"]), seconds(r["cpu"]), f"{r['wall'] / base:.2f}"] for r in results["start_up"]]
    return f"""## Start-up

Fresh processes, bytecode compiled before, medians.

{grid(["process", "wall", "CPU", "wall over `import pydantic, click`"], rows)}
A single point imports neither NumPy nor numba. Most of its time is importing: click, and the classes of the spec files;
reading files and the arithmetic are the rest. The first grid of a process waits for numba to load and to compile the
kernels; `ROOFLINE_NUMBA_CACHE=1` keeps them on disk.
"""
