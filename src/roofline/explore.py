"""Many deployments at once: `plan` a cluster, `sweep` axes to a dataset, `sensitivity` to each figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from roofline import arguments
from roofline.errors import RooflineError
from roofline.report.record import Record


def plan(hw: str | Sequence[str], model: str | Sequence[str], **options: Any) -> list[Record]:
    """Return the cheapest and fastest deployments that keep a promise, who lost and why, and what speed costs.

    Parameters
    ----------
    hw, model : str or sequence of str
    **options
        Those of `roofline.planning.ask.ask`: ``isl``, ``osl``, ``ttft``, ``tpot``, ``rate``, ``max_chips`` ...; a
        single value may stand for a sequence of one.

    Returns
    -------
    list of dict
        Flat records, each with its ``role``.
    """
    from roofline.planning.ask import ask

    many = ("engine", "weights", "kv", "chips", "tp", "pp", "dp", "ep", "dcp", "set")
    for name in many:
        if name in options and (isinstance(options[name], str) or not hasattr(options[name], "__iter__")):
            options[name] = [options[name]]
    try:
        return ask([hw] if isinstance(hw, str) else hw, [model] if isinstance(model, str) else model, **options)
    except TypeError as error:
        raise RooflineError(f"plan: {error}") from None


def sweep(
    hw: str | Sequence[str],
    model: str | Sequence[str],
    batch: int | Iterable[int] = 1,
    context: int | Iterable[int] = 8192,
    *,
    phase: str = "decode",
    value: str | None = None,
    vary: dict[str, Sequence[Any]] | None = None,
    output: str | None = None,
    overwrite: bool = False,
    scheduler: str | None = None,
    **options: Any,
) -> Any:
    """Return a grid as an xarray Dataset with every axis named, or write it to a file.

    Parameters
    ----------
    hw, model, batch, context, **options
        As in `decode`; `context` is the prompt length where `phase` is ``prefill``. A list of ``usd_per_hour`` is an
        axis too.
    phase : {"decode", "prefill"}
    value : str, optional
        One of `roofline.sweeping.values.VALUES`; float32, NaN where a point does not fit. Without it datasets hold
        ``step_seconds``, and tables every output.
    vary : dict of str to sequence, optional
        Axes of any figure, such as ``{"hw.memory.0.bandwidth": ["4 TB/s", "8 TB/s"]}``.
    output : str, optional
        File: a dataset (``.zarr``, ``.nc``) or a table (``.csv``, ``.json``, ``.jsonl``, ``.parquet``). A sweep that
        was stopped goes on where it was.
    overwrite : bool
    scheduler : str, optional
        Dask scheduler that computes the chunks of a file, or ``local``.

    Returns
    -------
    xarray.Dataset or dict
        Where `output` is given, what `roofline.sweeping.run.to_file` tells of it.

    Raises
    ------
    RooflineError
        For unknown names and options, an axis that is too long, a file that exists or cannot be written, and a
        scheduler that is not there.
    """
    from pathlib import Path

    from roofline.sweeping import datasets, run
    from roofline.sweeping.cube import Cube, outer_axes

    prices = options.pop("usd_per_hour", None)
    prices, many = (list(prices), True) if hasattr(prices, "__iter__") else ([prices], False)
    money = [arguments.money({name: options[name] for name in ("basis", "utilisation") if name in options})]
    money += [arguments.money({"usd_per_hour": usd}) for usd in prices]
    options = {name: given for name, given in options.items() if name not in money[0]}
    sets, tier = options.pop("set", ()), options.pop("kv_tier", 0)
    outer = outer_axes({"hw": hw, "model": model} | options)
    arguments.refuse(
        {name: given for name, given in options.items() if name not in (*arguments.SPEC_AXES, *arguments.FORMAT_AXES)}
    )
    outer |= {path: list(values) for path, values in (vary or {}).items()}
    if many:
        outer["usd_per_hour"] = prices
    table = output is not None and Path(output).suffix.lower() not in run.DATASETS
    cube = Cube(
        phase,
        outer,
        arguments.numbers(batch, "batch")[0],
        arguments.numbers(context, "context")[0],
        value if value is not None or table else "step_seconds",
        (sets,) if isinstance(sets, str) else tuple(sets),
        tier,
        None if many else prices[0],
        attributes={name: ",".join(map(str, values)) for name, values in outer.items()},
        **money[0],
    )
    if output is None:
        return datasets.in_memory(cube)
    return run.to_file(cube, Path(output), overwrite=overwrite, scheduler=scheduler)


def sensitivity(
    hw: str,
    model: str,
    phase: str = "decode",
    output: str | None = None,
    step: float = 0.1,
    target: float | None = None,
    vary: str | None = None,
    estimate: str | None = None,
    **options: Any,
) -> list[Record]:
    """Return what each figure of chip, model, engine and price is worth, or the value of one that reaches a target.

    Parameters
    ----------
    hw, model : str
        One of each; **options as in `decode`, with one value each.
    phase : {"decode", "prefill", "serve"}
        Loads are ``batch`` and ``context``; ``batch``, ``isl`` and ``past``; ``isl``, ``osl`` and ``concurrency``.
    output : str, optional
        Record key to explain, or a short name (tpot, ttft, $/M); the speed of a user, the time to the first token or
        the throughput of a chip by default.
    step : float
        How far each figure is moved, down and up: 0.1 is 10 %.
    target, vary : float and str, optional
        The inverse: the value of `output` to reach, in base units, and the path of the figure that has to do it.
    estimate : {"no_speculation", "as_served"}, optional
        Which estimate of a spatial chip.

    Returns
    -------
    list of dict
        One record per figure, ranked (see ``whatif.elasticity.sensitivity``), or one record of the inverse.

    Raises
    ------
    RooflineError
        For unknown names, figures and outputs, and where the model does not fit.
    """
    from roofline.whatif import elasticity
    from roofline.whatif.question import LOADS, Question
    from roofline.whatif.target import reach

    if phase not in LOADS:
        raise RooflineError(f"phase: {phase!r} is not known; use {', '.join(LOADS)}")
    load = {}
    for name, default in LOADS[phase].items():
        value = options.pop(name, default)
        if value is not None:
            load[name] = 0.0 if name == "past" and value == 0 else float(arguments.one(value, name))
    requests, axes = arguments.requests(hw, model, options)
    money = arguments.money(options)
    arguments.refuse(options)
    if axes:
        raise RooflineError(f"{next(iter(axes))}: sensitivity takes one value; call it once for each")
    question = Question(requests[0], phase, load, estimate=estimate, **money)
    if (target is None) != (vary is None):
        raise RooflineError("target and vary go together: the value to reach, and the figure that has to do it")
    if target is not None and vary is not None:
        return reach(question, output, target, vary)
    return elasticity.sensitivity(question, output, step)
