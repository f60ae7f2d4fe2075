"""The Python interface: `decode`, `prefill`, `fit` and `compare` over any axes, with named axes in the result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from roofline import evaluate, serving
from roofline.axes import MOST_VALUES, too_long
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.resolve import Request, resolve
from roofline.units import check_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roofline.report.charts.picture import Picture
    from roofline.system import System

    Array = NDArray[np.float64]

#: Options that pick specs or a deployment, in the order of the result's axes; batch and context come last.
_SPEC_AXES = ("hw", "model", "engine", "chips", "tp", "pp", "dp", "ep", "dcp", "cores")
_FORMAT_AXES = ("weights", "experts", "kv", "activations")
_NUMBERS = ("chips", "tp", "pp", "dp", "ep", "dcp", "cores")


@dataclass(frozen=True, repr=False)
class Result:
    """Step times on named axes, and what follows from them.

    Attributes
    ----------
    phase : str
        ``decode`` or ``prefill``.
    axes : dict of str to list
        Axes given as lists or arrays, in order; their lengths are the shape of every array.
    """

    phase: str
    axes: dict[str, list[Any]]
    _systems: list[System]
    _requests: list[Request]
    _batches: list[int]
    _lengths: list[int]
    _shape: tuple[int, ...]
    _money: dict[str, Any]
    _past: int = 0
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}={values!r}" for name, values in self.axes.items())
        return f"<{self.phase} result, shape {self._shape}{': ' if axes else ''}{axes}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._shape

    @cached_property
    def step_seconds(self) -> Array:
        """Time of the step, whether it fits or not [s]; on spatial chips without speculation."""
        import numpy as np

        parts = [self._times(system) for system in self._systems]
        return np.concatenate([part.ravel() for part in parts]).reshape(self._shape)

    def _times(self, system: System) -> Array:
        import numpy as np

        if self.phase == "decode":
            return decode_times(system, self._batches, self._lengths)
        times = [serving.prefill_seconds(system, b, n, float(self._past)) for b in self._batches for n in self._lengths]
        return np.array(times)

    def _tokens(self) -> Array:
        """Tokens that a step gives: one per sequence in decode, the prompt in prefill."""
        import numpy as np

        batch = np.array(self._batches, dtype=np.float64)[:, None]
        each = np.ones(len(self._lengths)) if self.phase == "decode" else np.array(self._lengths, dtype=np.float64)
        return np.broadcast_to(batch * each, (len(self._systems), len(self._batches), len(self._lengths))).reshape(
            self._shape
        )

    def _per_system(self, read: Callable[[System], float]) -> Array:
        import numpy as np

        values = np.array([read(system) for system in self._systems], dtype=np.float64)[:, None, None]
        return np.broadcast_to(values, (len(values), len(self._batches), len(self._lengths))).reshape(self._shape)

    @property
    def tpot_seconds(self) -> Array:
        """Time between two tokens of a user [s]."""
        self._needs("decode", "tpot_seconds")
        return self.step_seconds

    @property
    def ttft_seconds(self) -> Array:
        """Time to the first token: prefill alone [s]."""
        self._needs("prefill", "ttft_seconds")
        return self.step_seconds

    @property
    def tokens_per_second(self) -> Array:
        """All users together: output tokens in decode, input tokens in prefill [tok/s]."""
        return self._tokens() / self.step_seconds

    @property
    def tokens_per_second_per_user(self) -> Array:
        """Tokens one user sees per second [tok/s]."""
        self._needs("decode", "tokens_per_second_per_user")
        return 1.0 / self.step_seconds

    @property
    def chips(self) -> Array:
        """Chips of each deployment."""
        return self._per_system(lambda system: float(system.deployment.chips))

    @property
    def tokens_per_second_per_chip(self) -> Array:
        """`tokens_per_second` over chips [tok/s]."""
        return self.tokens_per_second / self.chips

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """Whether weights and cache fit at each point."""
        import numpy as np

        cells = [s.memory.fits(b, n + self._past) for s in self._systems for b in self._batches for n in self._lengths]
        return np.array(cells).reshape(self._shape)

    def records(self) -> list[Record]:
        """Return flat records, as the command's ``--format json`` prints them; no throughput where it does not fit."""
        if self.phase == "decode":
            return evaluate.decode(self._requests, self._batches, self._lengths, **self._money)
        return evaluate.prefill(self._requests, self._batches, self._lengths, self._past, **self._money)

    def to_xarray(self) -> Any:
        """Return an xarray Dataset with one variable per array and the axes as coordinates."""
        xarray = _module("xarray")
        names = list(self.axes)
        own = "tpot_seconds" if self.phase == "decode" else "ttft_seconds"
        variables = ["step_seconds", own, "tokens_per_second", "tokens_per_second_per_chip", "chips", "fits"]
        if self.phase == "decode":
            variables.append("tokens_per_second_per_user")
        data = {name: (names, getattr(self, name)) for name in variables}
        return xarray.Dataset(data, coords=dict(self.axes))

    def to_polars(self) -> Any:
        """Return the records as a polars DataFrame."""
        return _module("polars").from_dicts(self.records(), infer_schema_length=None)

    def to_pandas(self) -> Any:
        """Return the records as a pandas DataFrame."""
        return _module("pandas").DataFrame.from_records(self.records())

    def plot(self, kind: str | None = None, **options: Any) -> Picture:
        """Return a chart: the frontier of several decode points, or where the time of one point goes.

        Parameters
        ----------
        kind : {"roofline", "frontier", "dollars", "fit", "step"}, optional
        **options
            ``width``, ``height`` and ``caption`` as in `roofline.report.charts.spec`.

        Raises
        ------
        RooflineError
            If the result has no such chart, or the extra ``plot`` is missing.
        """
        from roofline.report import notebook

        asked = notebook.Asked(self.phase, self._requests, self._batches, self._lengths, self._past, self._money)
        return notebook.plot(asked, kind, **options)

    def _repr_html_(self) -> str:
        from roofline.report import notebook

        return notebook.html(self.phase, self.records)

    def _needs(self, phase: str, name: str) -> None:
        if self.phase != phase:
            raise RooflineError(f"{name} belongs to {phase}; this is a {self.phase} result")


class Records(list[Record]):
    """Flat records of a comparison or a fit, with a table for notebooks and a chart."""

    def __init__(self, kind: str, records: Iterable[Record], draw: Callable[..., Picture]) -> None:
        super().__init__(records)
        self._kind, self._draw = kind, draw

    def plot(self, kind: str | None = None, **options: Any) -> Picture:
        """Return a chart: the frontier around a comparison, or room for the KV cache; options as in `Result.plot`."""
        return self._draw(kind, **options)

    def _repr_html_(self) -> str:
        from roofline.report import notebook

        return notebook.html(self._kind, lambda: list(self))


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise RooflineError(f"this needs {name}: pip install 'roofline[frames]'") from None


def decode_times(system: System, batches: Sequence[int], contexts: Sequence[int]) -> Array:
    """Return decode steps of one system on a batch x context grid [s], shape (batches, contexts)."""
    import numpy as np

    if len(batches) * len(contexts) < 64:
        return np.array([[serving.decode_seconds(system, b, c) for c in contexts] for b in batches])
    from roofline.grid import decode_grid

    sizes = np.asarray(batches, dtype=np.float64)
    if system.spatial and not system.engine.ideal:
        one = decode_grid(system.decode, [1.0], contexts)
        times: Array = one * np.maximum(1.0, sizes / system.stages)[:, None]
        return times
    stages = np.minimum(float(system.deployment.pp), np.maximum(sizes, 1.0))
    return decode_grid(system.decode, np.maximum(sizes / stages, 1.0), contexts)


def decode(
    hw: str | Sequence[str],
    model: str | Sequence[str],
    batch: int | Iterable[int] = 1,
    context: int | Iterable[int] = 8192,
    **options: Any,
) -> Result:
    """Predict decode steps.

    Parameters
    ----------
    hw, model : str or sequence of str
        Names, aliases or paths.
    batch : int or array_like of int
        Sequences decoded together.
    context : int or array_like of int
        Tokens already in each sequence's cache [tokens].
    **options
        The command's options as keywords: engine, chips, tp, pp, dp, ep, dcp, cores, weights, experts, kv, activations
        (each a value or a list), kv_tier, set (a string or list of strings), usd_per_hour, basis, utilisation.

    Returns
    -------
    Result
        Axes are the arguments given as lists or arrays, in the order hw, model, engine, chips ..., batch, context.

    Raises
    ------
    RooflineError
        For unknown names or formats, numbers out of range, or a deployment that cannot be.
    """
    return _result("decode", hw, model, batch, context, 0, options)


def prefill(
    hw: str | Sequence[str],
    model: str | Sequence[str],
    batch: int | Iterable[int] = 1,
    isl: int | Iterable[int] = 4096,
    past: int = 0,
    **options: Any,
) -> Result:
    """Predict the prefill of prompts.

    Parameters
    ----------
    hw, model, batch, **options
        As in `decode`.
    isl : int or array_like of int
        Prompt tokens of each sequence [tokens].
    past : int
        Tokens already cached before the prompt [tokens].
    """
    if isinstance(past, bool) or not isinstance(past, int) or past < 0:
        raise RooflineError(f"past: {past!r} is out of range; it is a whole number, zero or more")
    return _result("prefill", hw, model, batch, isl, past, options)


def fit(
    hw: str, model: str, batch: int | Iterable[int] = 1, context: int | Iterable[int] = 8192, **options: Any
) -> Records:
    """Return what is stored where and what fits, one record per point; arguments as in `decode`."""
    requests, _ = _requests(hw, model, options)
    _refuse(options)
    batches, contexts = _numbers(batch, "batch")[0], _numbers(context, "context")[0]

    def draw(kind: str | None, **more: Any) -> Picture:
        from roofline.report import notebook

        return notebook.plot(notebook.Asked("fit", requests, batches, contexts), kind, **more)

    return Records("fit", evaluate.fit(requests, batches, contexts), draw)


def compare(
    hw: str | Sequence[str],
    model: str | Sequence[str],
    batch: int = 1,
    context: int = 8192,
    isl: int = 4096,
    **options: Any,
) -> Records:
    """Return chips or models side by side, one record each; arguments as in `decode`."""
    requests, _ = _requests(hw, model, options)
    money = _money(options)
    _refuse(options)

    def draw(kind: str | None, **more: Any) -> Picture:
        from roofline.report import notebook

        asked = notebook.Asked("compare", requests, [batch], [context], 0, money)
        return notebook.plot(asked, kind, **more)

    return Records("compare", evaluate.compare(requests, batch, context, isl, **money), draw)


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
    money = [_money({name: options[name] for name in ("basis", "utilisation") if name in options})]
    money += [_money({"usd_per_hour": usd}) for usd in prices]
    options = {name: given for name, given in options.items() if name not in money[0]}
    sets, tier = options.pop("set", ()), options.pop("kv_tier", 0)
    outer = outer_axes({"hw": hw, "model": model} | options)
    _refuse({name: given for name, given in options.items() if name not in (*_SPEC_AXES, *_FORMAT_AXES)})
    outer |= {path: list(values) for path, values in (vary or {}).items()}
    if many:
        outer["usd_per_hour"] = prices
    table = output is not None and Path(output).suffix.lower() not in run.DATASETS
    cube = Cube(
        phase,
        outer,
        _numbers(batch, "batch")[0],
        _numbers(context, "context")[0],
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
            load[name] = 0.0 if name == "past" and value == 0 else float(_one(value, name))
    requests, axes = _requests(hw, model, options)
    money = _money(options)
    _refuse(options)
    if axes:
        raise RooflineError(f"{next(iter(axes))}: sensitivity takes one value; call it once for each")
    question = Question(requests[0], phase, load, estimate=estimate, **money)
    if (target is None) != (vary is None):
        raise RooflineError("target and vary go together: the value to reach, and the figure that has to do it")
    if target is not None and vary is not None:
        return reach(question, output, target, vary)
    return elasticity.sensitivity(question, output, step)


def _one(value: Any, name: str) -> int:
    numbers, many = _numbers(value, name)
    if many:
        raise RooflineError(f"{name}: sensitivity takes one value; call it once for each")
    return numbers[0]


def plot(kind: str, records: Sequence[Record], **options: Any) -> Picture:
    """Return a chart of records that a command or a result gave.

    Parameters
    ----------
    kind : str
        roofline, frontier, dollars, fit, step, validate or tornado.
    records : sequence of dict
        What each takes: `roofline.report.charts.spec`.
    **options
        ``width``, ``height``, ``caption``, ``notes`` and ``sources``, as there.

    Raises
    ------
    RooflineError
        If the records hold nothing of that kind, or the extra ``plot`` is missing.
    """
    from roofline.report import charts
    from roofline.report.charts.picture import Picture

    return Picture(charts.spec(kind, records, **options))


def _result(phase: str, hw: Any, model: Any, batch: Any, lengths: Any, past: int, options: dict[str, Any]) -> Result:
    requests, axes = _requests(hw, model, options)
    money = _money(options)
    _refuse(options)
    batches, many_batches = _numbers(batch, "batch")
    name = "context" if phase == "decode" else "isl"
    sizes, many_sizes = _numbers(lengths, name)
    systems = [resolve(request, float(min(batches)), float(min(sizes) + past)) for request in requests]
    if many_batches:
        axes["batch"] = list(batches)
    if many_sizes:
        axes[name] = list(sizes)
    shape = tuple(len(values) for values in axes.values())
    return Result(phase, axes, systems, requests, batches, sizes, shape, money, past)


def _requests(hw: Any, model: Any, options: dict[str, Any]) -> tuple[list[Request], dict[str, list[Any]]]:
    """Return the requests of every combination, and the axes that were given as lists."""
    given = {"hw": hw, "model": model} | {
        name: options.pop(name) for name in (*_SPEC_AXES[2:], *_FORMAT_AXES) if name in options
    }
    sets = options.pop("set", ())
    tier = options.pop("kv_tier", 0)
    axes: dict[str, list[Any]] = {}
    choices: dict[str, list[Any]] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _NUMBERS:
            choices[name], many = _numbers(value, name)
        else:
            many = not isinstance(value, str)
            choices[name] = [str(v) for v in value] if many else [value]
            if not choices[name]:
                raise RooflineError(f"{name}: the list is empty")
        if many:
            axes[name] = choices[name]
    sets = (sets,) if isinstance(sets, str) else tuple(sets)
    combinations = itertools.product(*choices.values())
    return [Request(**dict(zip(choices, values, strict=True)), kv_tier=tier, set=sets) for values in combinations], axes


def _numbers(value: Any, what: str) -> tuple[list[int], bool]:
    """Return whole numbers and whether a list or array was given."""
    many = hasattr(value, "__iter__") and not isinstance(value, str)
    if hasattr(value, "__len__") and len(value) > MOST_VALUES:
        raise RooflineError(f"{what}: {too_long(len(value))}")
    items = list(value) if many else [value]
    if not items:
        raise RooflineError(f"{what}: the list is empty")
    found = []
    for item in items:
        plain = item.item() if hasattr(item, "item") else item
        if (
            isinstance(plain, bool)
            or not isinstance(plain, int | float)
            or not math.isfinite(plain)
            or plain != int(plain)
        ):
            raise RooflineError(f"{what}: {item!r} is not a whole number")
        found.append(check_count(int(plain), what))
    return found, many


def _money(options: dict[str, Any]) -> dict[str, Any]:
    names = ("usd_per_hour", "basis", "utilisation")
    money: dict[str, Any] = {name: options.pop(name) for name in names if name in options}
    for name, low in (("usd_per_hour", 0.0), ("utilisation", 1e-12)):
        value = money.get(name)
        if value is not None and not (isinstance(value, int | float) and low <= value < 1e12):
            raise RooflineError(f"{name}: {value!r} is out of range")
    return money


def _refuse(options: dict[str, Any]) -> None:
    if options:
        from roofline.errors import suggest

        name = next(iter(options))
        known = [*_SPEC_AXES, *_FORMAT_AXES, "kv_tier", "set", "usd_per_hour", "basis", "utilisation"]
        raise RooflineError(f"unknown option {name!r}{suggest(name, known)}; known: {', '.join(known)}")
