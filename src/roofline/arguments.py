"""What Python callers give as keywords: requests of every combination, whole numbers, money."""

from __future__ import annotations

import itertools
import math
from typing import Any

from roofline.axes import MOST_VALUES, too_long
from roofline.errors import RooflineError
from roofline.resolve import Request
from roofline.units import check_count

#: Options that pick specs or a deployment, in the order of the result's axes; batch and context come last.
SPEC_AXES = ("hw", "model", "engine", "chips", "tp", "pp", "dp", "ep", "dcp", "cores")
FORMAT_AXES = ("weights", "experts", "kv", "activations")
NUMBERS = ("chips", "tp", "pp", "dp", "ep", "dcp", "cores")


def requests(hw: Any, model: Any, options: dict[str, Any]) -> tuple[list[Request], dict[str, list[Any]]]:
    """Return the requests of every combination, and the axes that were given as lists."""
    given = {"hw": hw, "model": model} | {
        name: options.pop(name) for name in (*SPEC_AXES[2:], *FORMAT_AXES) if name in options
    }
    sets = options.pop("set", ())
    tier = options.pop("kv_tier", 0)
    axes: dict[str, list[Any]] = {}
    choices: dict[str, list[Any]] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in NUMBERS:
            choices[name], many = numbers(value, name)
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


def numbers(value: Any, what: str) -> tuple[list[int], bool]:
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


def money(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options about money out of all, and return them."""
    names = ("usd_per_hour", "basis", "utilisation")
    found: dict[str, Any] = {name: options.pop(name) for name in names if name in options}
    for name, low in (("usd_per_hour", 0.0), ("utilisation", 1e-12)):
        value = found.get(name)
        if value is not None and not (isinstance(value, int | float) and low <= value < 1e12):
            raise RooflineError(f"{name}: {value!r} is out of range")
    return found


def refuse(options: dict[str, Any]) -> None:
    """Raise a RooflineError that names an option which nobody has taken, if any is left."""
    if options:
        from roofline.errors import suggest

        name = next(iter(options))
        known = [*SPEC_AXES, *FORMAT_AXES, "kv_tier", "set", "usd_per_hour", "basis", "utilisation"]
        raise RooflineError(f"unknown option {name!r}{suggest(name, known)}; known: {', '.join(known)}")


def one(value: Any, name: str) -> int:
    """Return a whole number that must not be a list."""
    values, many = numbers(value, name)
    if many:
        raise RooflineError(f"{name}: sensitivity takes one value; call it once for each")
    return values[0]
