"""A figure: one number with its unit, its source, and how sure it is. And the base of all spec files.

Specs are plain frozen dataclasses. pydantic validates whatever comes from outside (``validate.py``) and makes the JSON
Schemas; the shipped files, which the test suite validates, are built without it (``build.py``), because importing
pydantic's validators costs more than everything else a command does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Literal

from roofline.errors import RooflineError
from roofline.units import parse_quantity

Kind = Literal["datasheet", "measured", "third-party", "derived", "estimate"]

#: Unknown keys are errors.
STRICT = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in base SI units together with where it comes from."""

    __pydantic_config__ = STRICT

    value: float
    """The number, in the base unit of its dimension (B, B/s, FLOP/s, s, Hz, W, USD, USD/h, or 1)."""
    source: str | None = None
    """URL or document; if absent the file's own `source` holds."""
    checked: str | None = None
    """Date on which somebody read the source (YYYY-MM-DD or YYYY-MM)."""
    kind: Kind | None = None
    """How sure the number is; if absent the file's own `kind` holds."""
    note: str | None = None
    """One sentence on what the number includes."""


@dataclass(frozen=True)
class Quantity:
    """Annotation of a Figure: its dimension and the range it may take.

    A file writes such a figure as a bare number in base units, a string with a unit, or a table with a value.
    """

    dimension: str
    low: float = 0.0
    strict: bool = True
    high: float = 1e300

    def table(self, raw: object) -> dict[str, Any]:
        """Return the fields of a Figure, the value in base units.

        Raises
        ------
        ValueError
            If there is no value, its unit is of another dimension, or it is out of range.
        """
        found: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {"value": raw}
        if "value" not in found:
            raise ValueError("a figure needs a value")
        try:
            value = parse_quantity(found["value"], self.dimension)
        except RooflineError as error:
            raise ValueError(str(error)) from None
        if value < self.low or (self.strict and value == self.low) or value > self.high:
            bound = f"{'above' if self.strict else 'at least'} {self.low:g}"
            bound += f" and at most {self.high:g}" if self.high < 1e300 else ""
            raise ValueError(f"{value:g} is out of range; it must be {bound}")
        return found | {"value": value}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Tell pydantic to read the quantity before it validates the Figure."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.table, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Tell pydantic the three forms in which a file may write the figure."""
        return {"anyOf": [{"type": "number"}, {"type": "string"}, handler(schema)]}


@dataclass(frozen=True)
class AtLeast:
    """Annotation of a number: the least value it may take."""

    low: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Tell pydantic the bound."""
        return {**handler(source), "ge": self.low}


Bytes = Annotated[Figure, Quantity("B")]
ByteRate = Annotated[Figure, Quantity("B/s")]
FlopRate = Annotated[Figure, Quantity("FLOP/s")]
Seconds = Annotated[Figure, Quantity("s", strict=False)]
Hertz = Annotated[Figure, Quantity("Hz")]
Watts = Annotated[Figure, Quantity("W")]
Usd = Annotated[Figure, Quantity("USD", strict=False)]
UsdPerHour = Annotated[Figure, Quantity("USD/h", strict=False)]
Fraction = Annotated[Figure, Quantity("1", high=1.0)]
Share = Annotated[Figure, Quantity("1", strict=False, high=1.0)]
Number = Annotated[Figure, Quantity("1", strict=False)]
Factor = Annotated[Figure, Quantity("1")]
Count = Annotated[Figure, Quantity("1", low=1.0, strict=False)]
Positive = Annotated[int, AtLeast(1)]
Whole = Annotated[int, AtLeast(0)]


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """A spec file: a name, and the source that holds for every figure without one of its own."""

    __pydantic_config__ = STRICT

    name: str
    """Full name as the vendor writes it."""
    aliases: tuple[str, ...] = ()
    """Other names that mean exactly this; matched without case or punctuation."""
    source: str | None = None
    """Source of every figure that names none."""
    checked: str | None = None
    """Date on which the file's source was read."""
    kind: Kind | None = None
    """How sure the figures are that do not say so themselves."""
    note: str | None = None
    """What a reader should know about this file."""

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield every figure with its dotted path, the file's source filled in where it names none."""
        for path, figure in _walk(self, ""):
            yield path, sourced(figure, self)


def sourced(figure: Figure, file: Sourced) -> Figure:
    """Return a figure with the file's source, date and kind where it names none."""
    missing = {k: getattr(file, k) for k in ("source", "checked", "kind") if getattr(figure, k) is None}
    return replace(figure, **missing) if missing else figure


def _walk(node: object, path: str) -> Iterator[tuple[str, Figure]]:
    if isinstance(node, Figure):
        yield path, node
    elif is_dataclass(node):
        for field in fields(node):
            yield from _walk(getattr(node, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(node, dict):
        for name, item in node.items():
            yield from _walk(item, f"{path}.{name}")
    elif isinstance(node, tuple | list):
        for index, item in enumerate(node):
            yield from _walk(item, f"{path}.{index}")
