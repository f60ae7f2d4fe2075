"""Results of the Python interface: step times on named axes, what follows from them, frames, charts and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from roofline import evaluate, serving
from roofline.errors import RooflineError
from roofline.report.record import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roofline.report.charts.picture import Picture
    from roofline.resolve import Request
    from roofline.system import System

    Array = NDArray[np.float64]


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
