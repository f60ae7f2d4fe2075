"""Levers: every number behind an answer that a what-if can move, under the path that ``--set`` knows it by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from roofline.catalog import key
from roofline.errors import RooflineError, suggest
from roofline.specs.figure import Figure, Quantity
from roofline.whatif.question import Question

#: Parts of a spec that no time, byte or dollar depends on.
_SILENT = ("year", "max_context", "epochs", "mtp", "extras", "chips_per_server")


@dataclass(frozen=True, slots=True)
class Lever:
    """One number that can be moved.

    Attributes
    ----------
    path : str
        ``hw.memory.0.bandwidth`` as in ``--set``, or the name of an option: ``batch``, ``usd_per_hour``.
    part : str
        chip, model, engine, price or load.
    value : float
        Its value now, in base units.
    unit : str
        Its base unit; ``1`` for plain numbers.
    whole : bool
        True for dimensions of a model: only whole numbers exist.
    low, high : float
        Least and largest value it may take.
    """

    path: str
    part: str
    value: float
    unit: str = "1"
    whole: bool = False
    low: float = 0.0
    high: float = 1e300


def levers(question: Question) -> list[Lever]:
    """Return everything that can be moved, in the order chip, price, engine, model, load."""
    request = question.request
    specs = request.load()
    found = []
    for path, figure, quantity in _figures(specs.hardware, ""):
        if not path.startswith("achieved."):
            part = "price" if path.startswith("price.") else "chip"
            found.append(_lever(f"hw.{path}", part, figure, quantity))
    # What the chip's own file leaves out comes from its class, and is moved in the same place.
    found += [_lever(f"hw.achieved.{path}", "chip", f, q) for path, f, q in _figures(specs.achieved, "")]
    found += [_lever(f"engine.{path}", "engine", f, q) for path, f, q in _figures(specs.engine, "")]
    found += [Lever(f"model.{path}", "model", n, whole=True, low=1.0) for path, n in _dimensions(specs.model, "")]
    found += [Lever(name, "load", value, low=1.0) for name, value in question.load.items() if value > 0]
    if question.usd_per_hour is not None:
        found.append(Lever("usd_per_hour", "price", question.usd_per_hour, "USD/h"))
    found.append(Lever("utilisation", "price", question.utilisation, high=1.0))
    return [lever for lever in found if lever.value > 0]


def find(question: Question, path: str) -> Lever:
    """Return the lever of a path; memory tiers may be named instead of numbered.

    Raises
    ------
    RooflineError
        If nothing of this chip, model, engine or load has that path.
    """
    known = {lever.path: lever for lever in levers(question)}
    request = question.request
    chip = request.load().hardware
    names = {key(tier.name): str(index) for index, tier in enumerate(chip.memory)}
    steps = path.strip().split(".")
    if steps[:2] == ["hw", "memory"] and len(steps) > 2 and not steps[2].isdigit():
        steps[2] = names.get(key(steps[2]), steps[2])
    found = known.get(".".join(steps))
    if found is None:
        near = suggest(path, list(known))
        raise RooflineError(f"--vary {path}: no such figure here{near}; `roofline sensitivity` without it lists them")
    return found


def _lever(path: str, part: str, figure: Figure, quantity: Quantity | None) -> Lever:
    if quantity is None:
        return Lever(path, part, figure.value)
    return Lever(path, part, figure.value, quantity.dimension, False, quantity.low, quantity.high)


def _quantity(hint: Any) -> Quantity | None:
    """Return the dimension and range that a field's annotation gives its figures."""
    for item in (*getattr(hint, "__metadata__", ()), *get_args(hint)):
        found = item if isinstance(item, Quantity) else _quantity(item)
        if found is not None:
            return found
    return None


def _figures(node: Any, path: str) -> Iterator[tuple[str, Figure, Quantity | None]]:
    hints = get_type_hints(type(node), include_extras=True)
    for field in fields(node):
        if field.name in _SILENT:
            continue
        here = f"{path}.{field.name}" if path else field.name
        value = getattr(node, field.name)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
        for place, item in ((here, value), *((f"{here}.{name}", item) for name, item in items)):
            if isinstance(item, Figure):
                yield place, item, _quantity(hints[field.name])
            elif is_dataclass(item):
                yield from _figures(item, place)


def _dimensions(node: Any, path: str) -> Iterator[tuple[str, float]]:
    """Yield the whole numbers of a model."""
    if isinstance(node, int) and not isinstance(node, bool):
        yield path, float(node)
    elif is_dataclass(node):
        for field in fields(node):
            if field.name not in _SILENT:
                yield from _dimensions(getattr(node, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(node, dict | tuple):
        for name, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _dimensions(item, f"{path}.{name}")
