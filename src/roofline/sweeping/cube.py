"""A labelled grid: named axes, what is asked of each point, and the chunks in which it is computed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from roofline import __version__, catalog, units
from roofline.errors import RooflineError
from roofline.report.stream import Block
from roofline.resolve import Request
from roofline.sweeping import records
from roofline.sweeping.values import VALUES, Prepared, evaluated, prepare

#: A value on a part of the grid, or all outputs as blocks of records.
Part: TypeAlias = NDArray[np.float32] | list[Block]
#: Most points of a chunk, of one value and of records: with working arrays, under 200 MB.
CHUNK_POINTS, RECORD_POINTS = 4_000_000, 1_000_000
#: More points than these are refused: at 10^9 a second they take a quarter of an hour, and 4 TB.
MOST_POINTS = 10**12 - 1
#: More deployments than these are refused: each takes a few milliseconds to lower.
MOST_DEPLOYMENTS = 200_000
_SPECS = ("hw", "model", "engine", "chips", "tp", "pp", "dp", "ep", "dcp", "cores")
_FORMATS = ("weights", "experts", "kv", "activations")
LABELS = {"hw": "hardware", "usd_per_hour": "usd_per_chip_hour"} | {name: f"{name}_dtype" for name in _FORMATS}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a cube: one combination of the outer axes, and batches from `first` to `last`."""

    outer: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at every combination tells: which sweep this is, and the columns of its table with their kinds."""

    fingerprint: str
    columns: dict[str, str]


@dataclass(frozen=True)
class Cube:
    """What is swept.

    Attributes
    ----------
    phase : {"decode", "prefill"}
    outer : dict of str to list
        Axes other than batch and length: options of a request, ``usd_per_hour``, and paths of overrides such as
        ``hw.memory.0.bandwidth``, each with its values.
    batches, lengths : list of int
        Sequences; contexts in decode, prompts in prefill [tokens].
    value : str or None
        One of `VALUES`; None for every output, as records.
    fixed : tuple of str
        Overrides of every point.
    kv_tier : int
    usd_per_hour : float or None
        Of a chip, where it is not an axis [USD/h].
    basis : str or None
    utilisation : float
    attributes : dict of str to str
        What a dataset says of itself.
    """

    phase: str
    outer: Mapping[str, Sequence[Any]]
    batches: Sequence[int]
    lengths: Sequence[int]
    value: str | None = "step_seconds"
    fixed: tuple[str, ...] = ()
    kv_tier: int = 0
    usd_per_hour: float | None = None
    basis: str | None = None
    utilisation: float = 1.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be: an unknown value, an empty axis, more points than anybody can store."""
        if self.value is not None and self.value not in VALUES:
            raise RooflineError(f"--value {self.value!r}: use one of {', '.join(VALUES)}")
        for name, values in self.outer.items():
            if not values:
                raise RooflineError(f"{name}: the list is empty")
        for count, most, what in (
            (self.points, MOST_POINTS, f"points ({4 * self.points / 1e12:,.1f} TB)"),
            (self.deployments, MOST_DEPLOYMENTS, "deployments"),
        ):
            if count > most:
                raise RooflineError(
                    f"{count:,} {what} are more than one sweep holds; "
                    f"cut an axis into {math.ceil(count / most)} or more parts and sweep each to its own file"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, batch and length last."""
        return (*(len(values) for values in self.outer.values()), len(self.batches), len(self.lengths))

    @property
    def points(self) -> int:
        """How many points there are."""
        return math.prod(self.shape)

    @property
    def deployments(self) -> int:
        """How many combinations of the outer axes there are."""
        return math.prod(self.shape[:-2])

    @property
    def length_name(self) -> str:
        """Name of the last axis."""
        return "context_tokens" if self.phase == "decode" else "isl"

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return (*(LABELS.get(name, name) for name in self.outer), "batch", self.length_name)

    @cached_property
    def _figures(self) -> dict[str, tuple[list[Any], str]]:
        """Values and unit along the axes of figures: numbers in base units, or words where they are no quantities."""
        return {name: units.read_all(values) for name, values in self.outer.items() if "." in name}

    @cached_property
    def coordinates(self) -> dict[str, list[Any]]:
        """Values along each axis: names as the catalogue has them, quantities in base units."""
        found: dict[str, list[Any]] = {}
        families: dict[str, catalog.Family] = {"hw": "hardware", "model": "models", "engine": "engines"}
        for name, values in self.outer.items():
            if name in families:
                along = [catalog.label(families[name], v) for v in values]
            else:
                along = self._figures[name][0] if name in self._figures else list(values)
            found[LABELS.get(name, name)] = along
        return found | {"batch": list(self.batches), self.length_name: list(self.lengths)}

    @property
    def units(self) -> dict[str, str]:
        """Units of axes and value, where they have one."""
        found = {"batch": "sequence", self.length_name: "token", "usd_per_chip_hour": "USD/h"}
        found |= {name: unit for name, (_, unit) in self._figures.items() if unit}
        return found | ({self.value: VALUES[self.value]} if self.value else {})

    def _at(self, outer: int) -> dict[str, int]:
        """Return where a combination lies along each outer axis."""
        places = np.unravel_index(outer, self.shape[:-2]) if self.outer else ()
        return {name: int(place) for name, place in zip(self.outer, places, strict=True)}

    def request(self, outer: int) -> Request:
        """Return the request of a combination of the outer axes."""
        given = {name: self.outer[name][place] for name, place in self._at(outer).items() if name != "usd_per_hour"}
        sets = tuple(f"{path}={given.pop(path)}" for path in list(given) if "." in path)
        return Request(**given, kv_tier=self.kv_tier, set=(*self.fixed, *sets))

    def prepare(self, outer: int) -> list[Prepared]:
        """Resolve a combination of the outer axes; for records each says the figures and the price that it took."""
        at, usd = self._at(outer), self.usd_per_hour
        if "usd_per_hour" in at:
            usd = float(self.outer["usd_per_hour"][at["usd_per_hour"]])
        least = float(min(self.batches)), float(min(self.lengths))
        found = prepare(self.request(outer), *least, usd, self.basis, self.utilisation)
        for one in found:
            for name, place in at.items():
                label = LABELS.get(name, name)
                if label not in one.constants:
                    one.constants[label] = self.coordinates[label][place]
        return found

    @property
    def rows(self) -> int:
        """Batches of a chunk."""
        most = CHUNK_POINTS if self.value else RECORD_POINTS
        return max(1, min(len(self.batches), most // max(1, len(self.lengths))))

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks in the order of the axes."""
        for outer in range(self.deployments):
            for first in range(0, len(self.batches), self.rows):
                yield Chunk(outer, first, min(first + self.rows, len(self.batches)))

    @property
    def n_chunks(self) -> int:
        """How many chunks there are."""
        return self.deployments * math.ceil(len(self.batches) / self.rows)

    def index(self, chunk: Chunk) -> tuple[Any, ...]:
        """Return where a chunk lies in the cube."""
        return (*self._at(chunk.outer).values(), slice(chunk.first, chunk.last), slice(None))

    def compute(self, chunk: Chunk) -> Part:
        """Return a chunk: values, shape (batches, lengths), NaN where a point does not fit; or blocks of records."""
        return part(self.prepare(chunk.outer), self.phase, self.value, *self.sides(chunk))

    def sides(self, chunk: Chunk) -> tuple[Sequence[int], Sequence[int]]:
        """Return the batches and lengths of a chunk."""
        return self.batches[chunk.first : chunk.last], self.lengths

    def blocks(self, chunk: Chunk, found: Part) -> list[Block]:
        """Return a chunk as blocks of a table, with a column per axis."""
        if isinstance(found, list):
            return found
        assert self.value is not None
        constants = {LABELS.get(n, n): self.coordinates[LABELS.get(n, n)][i] for n, i in self._at(chunk.outer).items()}
        batches, lengths = self.sides(chunk)
        columns = {"batch": np.repeat(np.asarray(batches), len(lengths))}
        columns |= {self.length_name: np.tile(np.asarray(lengths), len(batches)), self.value: found.ravel()}
        return [(constants, columns)]

    def check(self, step: Callable[[], None] = lambda: None) -> Checked:
        """Resolve every combination before any work, so that what is wrong is said at once; `step` after each.

        Raises
        ------
        RooflineError
            For unknown names, deployments that cannot be, and closed models in a dataset of one value.
        """
        asked: list[Any] = [
            self.phase,
            self.value,
            self.batches,
            self.lengths,
            self.kv_tier,
            self.usd_per_hour,
            self.basis,
        ]
        asked += [self.utilisation, self.fixed, {name: list(values) for name, values in self.outer.items()}]
        digest = hashlib.sha256(json.dumps([__version__, *asked, self.rows], default=str).encode())
        said: dict[str, str] = {}
        priced = False
        for outer in range(self.deployments):
            request = self.request(outer)
            specs = request.load()
            if self.value is not None and specs.model.scenario is not None:
                raise RooflineError(f"{request.model} is closed: its shape is not known; sweep its proxies by name")
            digest.update(repr(specs).encode())
            for one in self.prepare(outer):
                for key, value in one.constants.items():
                    said[key] = _kind(value, said.get(key))
                priced |= one.price.hourly is not None
            step()
        if self.value is None:
            return Checked(digest.hexdigest(), said | records.columns(self.phase, priced))
        columns = {name: said[name] for name in self.dims[:-2]} | {"batch": "int", self.length_name: "int"}
        return Checked(digest.hexdigest(), columns | {self.value: "float32"})


def part(
    prepared: Sequence[Prepared], phase: str, value: str | None, batches: Sequence[int], lengths: Sequence[int]
) -> Part:
    """Return a part of a sweep from what `Cube.prepare` found; needs no catalogue, and so runs anywhere."""
    if value is not None:
        return evaluated(prepared[0], phase, value, batches, lengths)
    return [block for one in prepared for block in records.blocks(one, phase, batches, lengths)]


def _kind(value: Any, before: str | None) -> str:
    kind = {str: "text", bool: "bool", int: "int"}.get(type(value), "float")
    if before in (None, kind):
        return kind
    return "text" if "text" in (before, kind) else "float"


def outer_axes(options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the outer axes of options that are values or lists, in the order of the dimensions."""
    given = {name: options[name] for name in (*_SPECS, *_FORMATS) if options.get(name) is not None}
    return {name: [value] if isinstance(value, (str, int)) else list(value) for name, value in given.items()}
