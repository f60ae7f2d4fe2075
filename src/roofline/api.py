"""The Python interface: `decode`, `prefill`, `fit` and `compare` over any axes, with named axes in the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from roofline import arguments, evaluate
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.resolve import resolve
from roofline.result import Records, Result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roofline.report.charts.picture import Picture

    Array = NDArray[np.float64]


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
    requests, _ = arguments.requests(hw, model, options)
    arguments.refuse(options)
    batches, contexts = arguments.numbers(batch, "batch")[0], arguments.numbers(context, "context")[0]

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
    requests, _ = arguments.requests(hw, model, options)
    money = arguments.money(options)
    arguments.refuse(options)

    def draw(kind: str | None, **more: Any) -> Picture:
        from roofline.report import notebook

        asked = notebook.Asked("compare", requests, [batch], [context], 0, money)
        return notebook.plot(asked, kind, **more)

    return Records("compare", evaluate.compare(requests, batch, context, isl, **money), draw)


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
    requests, axes = arguments.requests(hw, model, options)
    money = arguments.money(options)
    arguments.refuse(options)
    batches, many_batches = arguments.numbers(batch, "batch")
    name = "context" if phase == "decode" else "isl"
    sizes, many_sizes = arguments.numbers(lengths, name)
    systems = [resolve(request, float(min(batches)), float(min(sizes) + past)) for request in requests]
    if many_batches:
        axes["batch"] = list(batches)
    if many_sizes:
        axes[name] = list(sizes)
    shape = tuple(len(values) for values in axes.values())
    return Result(phase, axes, systems, requests, batches, sizes, shape, money, past)
