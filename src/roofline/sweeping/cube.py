"""A labelled grid: named axes, one value, and the chunks in which it is computed."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from roofline import __version__, catalog, evaluate, serving
from roofline.api import decode_times
from roofline.errors import RooflineError
from roofline.resolve import Request, load, resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roofline.system import System

#: Most points of a chunk: with working arrays, under 200 MB.
CHUNK_POINTS = 4_000_000
#: More points than these are refused: at 10^9 a second they take a quarter of an hour, and 4 TB.
MOST_POINTS = 10**12 - 1
#: Values that a dataset can hold, and their units.
VALUES = {
    "step_seconds": "s",
    "tokens_per_second_per_user": "token/s",
    "tokens_per_second": "token/s",
    "tokens_per_second_per_chip": "token/s",
    "usd_per_million_tokens": "USD per million tokens",
}
_SPECS = ("hw", "model", "engine", "chips", "tp", "pp", "dp", "ep", "dcp", "cores")
_FORMATS = ("weights", "experts", "kv", "activations")
LABELS = {"hw": "hardware"} | {name: f"{name}_dtype" for name in _FORMATS}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a cube: one combination of the outer axes, and batches from `first` to `last`."""

    outer: int
    first: int
    last: int


@dataclass(frozen=True)
class Cube:
    """What is swept.

    Attributes
    ----------
    phase : {"decode", "prefill"}
    outer : dict of str to list
        Axes other than batch and length: options of a request, and paths of overrides such as
        ``hw.memory.0.bandwidth``, each with its values.
    batches, lengths : list of int
        Sequences; contexts in decode, prompts in prefill [tokens].
    value : str
        One of `VALUES`.
    fixed : tuple of str
        Overrides of every point.
    kv_tier : int
    usd_per_hour : float or None
    basis : str or None
    utilisation : float
    """

    phase: str
    outer: Mapping[str, Sequence[Any]]
    batches: Sequence[int]
    lengths: Sequence[int]
    value: str = "step_seconds"
    fixed: tuple[str, ...] = ()
    kv_tier: int = 0
    usd_per_hour: float | None = None
    basis: str | None = None
    utilisation: float = 1.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be: an unknown value, an empty axis, more points than anybody can store."""
        if self.value not in VALUES:
            raise RooflineError(f"--value {self.value!r}: use one of {', '.join(VALUES)}")
        if self.points > MOST_POINTS:
            raise RooflineError(
                f"{self.points:,} points ({4 * self.points / 1e12:,.1f} TB) are more than one sweep holds; "
                f"cut an axis into {math.ceil(self.points / MOST_POINTS)} or more parts and sweep each to its own file"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, batch and length last."""
        return (*(len(values) for values in self.outer.values()), len(self.batches), len(self.lengths))

    @property
    def points(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    @property
    def length_name(self) -> str:
        """Name of the last axis."""
        return "context_tokens" if self.phase == "decode" else "isl"

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return (*(LABELS.get(name, name) for name in self.outer), "batch", self.length_name)

    @cached_property
    def coordinates(self) -> dict[str, list[Any]]:
        """Values along each axis, names as the catalogue has them."""
        found: dict[str, list[Any]] = {}
        for name, values in self.outer.items():
            family = {"hw": "hardware", "model": "models", "engine": "engines"}.get(name)
            found[LABELS.get(name, name)] = [catalog.label(family, v) for v in values] if family else list(values)  # type: ignore[arg-type]
        return found | {"batch": list(self.batches), self.length_name: list(self.lengths)}

    @cached_property
    def requests(self) -> list[Request]:
        """One request per combination of the outer axes, in order."""
        found = []
        for values in itertools.product(*self.outer.values()):
            given = dict(zip(self.outer, values, strict=True))
            sets = tuple(f"{path}={given.pop(path)}" for path in list(given) if "." in path)
            given = {name: value for name, value in given.items() if name != "usd_per_hour"}
            found.append(Request(**given, kv_tier=self.kv_tier, set=(*self.fixed, *sets)))
        return found

    @property
    def rows(self) -> int:
        """Batches of a chunk."""
        return max(1, min(len(self.batches), CHUNK_POINTS // max(1, len(self.lengths))))

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks in the order of the axes."""
        for outer in range(len(self.requests)):
            for first in range(0, len(self.batches), self.rows):
                yield Chunk(outer, first, min(first + self.rows, len(self.batches)))

    @property
    def n_chunks(self) -> int:
        """How many chunks there are."""
        return len(self.requests) * math.ceil(len(self.batches) / self.rows)

    def index(self, chunk: Chunk) -> tuple[Any, ...]:
        """Return where a chunk lies in the cube."""
        outer = np.unravel_index(chunk.outer, self.shape[:-2]) if self.outer else ()
        return (*(int(i) for i in outer), slice(chunk.first, chunk.last), slice(None))

    def compute(self, chunk: Chunk) -> NDArray[np.float32]:
        """Return the values of a chunk, shape (batches, lengths); NaN where the deployment does not hold the point."""
        system = resolve(self.requests[chunk.outer], float(min(self.batches)), float(min(self.lengths)))
        batches = self.batches[chunk.first : chunk.last]
        seconds = _seconds(system, self.phase, batches, self.lengths)
        _mask(system, seconds, batches, self.lengths)
        return self._valued(system, seconds, batches, chunk.outer).astype(np.float32)

    def _valued(self, system: System, seconds: NDArray[Any], batches: Sequence[int], outer: int) -> NDArray[Any]:
        if self.value == "step_seconds":
            return seconds
        b = np.asarray(batches, dtype=np.float64)[:, None]
        tokens: NDArray[Any] = b if self.phase == "decode" else b * np.asarray(self.lengths, dtype=np.float64)[None, :]
        if self.value == "tokens_per_second_per_user":
            return np.asarray(1.0 / seconds)
        if self.value == "tokens_per_second":
            return np.asarray(tokens / seconds)
        if self.value == "tokens_per_second_per_chip":
            return np.asarray(tokens / seconds / system.deployment.chips)
        usd = self.usd_per_hour
        if "usd_per_hour" in self.outer:
            at = np.unravel_index(outer, self.shape[:-2])[list(self.outer).index("usd_per_hour")]
            usd = float(self.outer["usd_per_hour"][int(at)])
        price = evaluate.pricing(system, usd, self.basis, self.utilisation)
        if price.hourly is None:
            raise RooflineError(f"{system.hardware.name} has no published price; give --usd-per-hour")
        usd_per_second = price.hourly.usd * system.deployment.chips / 3600.0
        return np.asarray(usd_per_second / self.utilisation * 1e6 * seconds / tokens)

    def check(self) -> None:
        """Resolve every combination before any work, so that what is wrong is said at once."""
        for request in self.requests:
            if request.load().model.scenario is not None:
                raise RooflineError(f"{request.model} is closed: its shape is not known; sweep its proxies by name")
            resolve(request, float(min(self.batches)), float(min(self.lengths)))

    @cached_property
    def fingerprint(self) -> str:
        """What tells this sweep from any other: its axes, its options, this version, and the specs behind it."""
        specs = [repr(load(r.hw, r.model, r.engine, r.set)) for r in self.requests]
        asked: list[Any] = [
            self.phase,
            dict(self.outer),
            list(self.batches),
            list(self.lengths),
            self.value,
            self.fixed,
        ]
        asked += [self.kv_tier, self.usd_per_hour, self.basis, self.utilisation, __version__, specs]
        return hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()


def _seconds(system: System, phase: str, batches: Sequence[int], lengths: Sequence[int]) -> NDArray[Any]:
    if phase == "decode":
        return decode_times(system, batches, lengths)
    if len(batches) * len(lengths) < 64 or system.spatial:
        return np.array([[serving.prefill_seconds(system, x, y) for y in lengths] for x in batches])
    from roofline.compiled import prefill_gufunc, table_array

    stages, chunk = float(system.deployment.pp), serving.prefill_chunk(system)
    b = np.asarray(batches, dtype=np.float64)[:, None]
    n = np.asarray(lengths, dtype=np.float64)[None, :]
    values = table_array(system.prefill)
    # The bound has stages that are never empty.
    inside, outside = (1.0, stages) if system.engine.ideal else (stages, 1.0)
    found: NDArray[Any] = prefill_gufunc()(values, b, system.prefill.ranks, n, 0.0, chunk, inside, 0.0) / outside
    return found


def _mask(system: System, seconds: NDArray[Any], batches: Sequence[int], lengths: Sequence[int]) -> None:
    """Put NaN where cache and weights do not fit; the shorter of the two axes is asked."""
    if len(batches) * 40 < len(lengths):
        order = np.asarray(lengths)
        for row, batch in zip(seconds, batches, strict=True):
            row[order > system.memory.max_context(float(batch))] = np.nan
        return
    room = np.array([system.memory.max_batch(float(length)) for length in lengths])
    seconds[np.asarray(batches)[:, None] > room[None, :]] = np.nan


def outer_axes(options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the outer axes of options that are values or lists, in the order of the dimensions."""
    found: dict[str, list[Any]] = {}
    for name in (*_SPECS, *_FORMATS):
        value = options.get(name)
        if value is None:
            continue
        found[name] = [value] if isinstance(value, (str, int)) else list(value)
        if not found[name]:
            raise RooflineError(f"{name}: the list is empty")
    return found
