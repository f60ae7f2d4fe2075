"""``--set hw.memory.0.bandwidth=4TB/s``: change single figures of a chip, model or engine for a what-if."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from roofline import catalog
from roofline.errors import RooflineError
from roofline.specs.engine import Engine
from roofline.specs.hardware import Hardware
from roofline.specs.model import Model

Path = tuple[tuple[str, ...], str]
_ROOTS = ("hw", "model", "engine")


def parse(sets: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Split overrides by the spec they change.

    Raises
    ------
    RooflineError
        If one is not ``hw.KEY=VALUE``, ``model.KEY=VALUE`` or ``engine.KEY=VALUE``.
    """
    found: dict[str, list[Path]] = {root: [] for root in _ROOTS}
    for text in sets:
        path, equals, value = text.partition("=")
        root, _, rest = path.strip().partition(".")
        if not equals or root not in _ROOTS or not rest or not value.strip():
            raise RooflineError(f"--set {text!r}: write hw.KEY=VALUE, model.KEY=VALUE or engine.KEY=VALUE")
        found[root].append((tuple(rest.split(".")), value.strip()))
    return {root: tuple(items) for root, items in found.items()}


def apply(table: dict[str, Any], changes: Sequence[Path], root: str) -> dict[str, Any]:
    """Return a copy of a parsed spec table with values replaced; a figure keeps everything but its value and source."""
    changed: dict[str, Any] = _copy(table)
    for path, text in changes:
        node: Any = changed
        for step in path[:-1]:
            node = _step(node, step, root, path)
        last = path[-1]
        if isinstance(node, list):
            position = _index(node, last, root, path)
            node[position] = _value(node[position], text)
        elif isinstance(node, dict):
            node[last] = _value(node.get(last), text)
        else:
            raise RooflineError(f"--set {root}.{'.'.join(path)}: {last!r} is not inside a table")
    return changed


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _copy(v) for k, v in node.items()}
    return [_copy(v) for v in node] if isinstance(node, list) else node


def _step(node: Any, step: str, root: str, path: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return node[_index(node, step, root, path)]
    if isinstance(node, dict):
        return node.setdefault(step, {})
    raise RooflineError(f"--set {root}.{'.'.join(path)}: there is nothing inside {step!r}")


def _index(node: list[Any], step: str, root: str, path: tuple[str, ...]) -> int:
    """Return the position of a list item named by number or by its own name (``memory.HBM3``)."""
    if step.isdigit() and int(step) < len(node):
        return int(step)
    for position, item in enumerate(node):
        if isinstance(item, dict) and catalog.key(str(item.get("name", ""))) == catalog.key(step):
            return position
    names = ", ".join(f"{i} = {item.get('name', i)}" for i, item in enumerate(node) if isinstance(item, dict))
    raise RooflineError(f"--set {root}.{'.'.join(path)}: no item {step!r}; there are {names}")


def _value(old: Any, text: str) -> Any:
    value: Any = text
    for read in (int, float):
        try:
            value = read(text)
            break
        except ValueError:
            continue
    if text in ("true", "false"):
        value = text == "true"
    if isinstance(old, dict) and "value" in old:
        return {**old, "value": value, "source": "--set", "kind": "estimate"}
    if old is None or (isinstance(old, int | float | str) and not isinstance(old, bool)):
        return value
    return value


def hardware(name: str, changes: tuple[Path, ...]) -> Hardware:
    """Load a chip with overrides."""
    if not changes:
        return catalog.hardware(name)
    return catalog.hardware_from_table(_changed("hardware", name, changes, "hw"), _where("hw", changes))


def model(name: str, changes: tuple[Path, ...]) -> Model:
    """Load a model with overrides."""
    if not changes:
        return catalog.model(name)
    return catalog.model_from_table(_changed("models", name, changes, "model"), _where("model", changes))


def engine(name: str, changes: tuple[Path, ...]) -> Engine:
    """Load an engine with overrides."""
    if not changes:
        return catalog.engine(name)
    plain, _, date = name.partition("@")
    spec = catalog.engine_from_table(_changed("engines", plain, changes, "engine"), _where("engine", changes))
    if not date:
        return spec
    # What is set holds whatever the releases of that date had.
    return replace(catalog.at_date(spec, date), **{path[0]: getattr(spec, path[0]) for path, _ in changes})


def _changed(family: catalog.Family, name: str, changes: tuple[Path, ...], root: str) -> dict[str, Any]:
    table = apply(catalog.table(family, name), changes, root)
    table.setdefault("source", "--set")
    return table


def _where(root: str, changes: tuple[Path, ...]) -> str:
    return "--set " + ", ".join(f"{root}.{'.'.join(path)}={value}" for path, value in changes)
