"""Build a spec from a parsed file that is known to be valid: the quick way, for what the package ships.

``validate.py`` is the other way, with pydantic; a test holds both to the same result on every shipped file.
"""

from __future__ import annotations

import types
import typing
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar

from roofline.specs.figure import Figure, Quantity
from roofline.specs.layers import ByKind

S = TypeVar("S")


def build(cls: type[S], table: dict[str, Any]) -> S:
    """Return an instance of a spec class from a table whose keys and types are right."""
    hints = _hints(cls)  # type: ignore[arg-type]
    return cls(**{name: _value(hints[name], raw) for name, raw in table.items()})


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _value(hint: Any, raw: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        inner, *notes = typing.get_args(hint)
        for note in notes:
            if isinstance(note, Quantity):
                return Figure(**note.table(raw))
            if isinstance(note, ByKind):
                return build(note.choices[raw["kind"]], raw)
        return _value(inner, raw)
    if origin in (typing.Union, types.UnionType):
        return _value(next(arg for arg in typing.get_args(hint) if arg is not type(None)), raw)
    if origin is tuple:
        return tuple(_value(typing.get_args(hint)[0], item) for item in raw)
    if origin is dict:
        return {key: _value(typing.get_args(hint)[1], item) for key, item in raw.items()}
    if is_dataclass(hint):
        return build(hint, raw)  # type: ignore[arg-type]
    return float(raw) if hint is float else raw
