"""Sets of values on an option: ``1,2,4..64``, ``1k:128k:x2``, ``fp8,bf16``."""

from __future__ import annotations

from roofline.errors import RooflineError
from roofline.units import parse_count

#: More values than this on one axis of a command are surely a slip of the keyboard.
MOST_VALUES = 1_000_000


def too_long(count: int) -> str:
    """Return what is wrong with an axis of so many values, and what to do."""
    parts = -(-count // MOST_VALUES)
    return f"{count:,} values on one axis; at most {MOST_VALUES:,}: cut it into {parts:,} parts, each to its own file"


def names(text: str, what: str) -> list[str]:
    """Split a comma-separated list of names.

    Raises
    ------
    RooflineError
        If an item is empty.
    """
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise RooflineError(f"{what}: {text!r} has an empty item; write names separated by single commas")
    return list(dict.fromkeys(items))


def counts(text: str, what: str) -> list[int]:
    """Read a set of whole numbers.

    Parameters
    ----------
    text : str
        Comma-separated items: a number (``8k`` is 8,192), ``first:last:step``, ``first:last:xfactor``, or
        ``first..last``, which goes on as the numbers before it began (by doubling where there are none).
    what : str
        Name of the option, for the error message.

    Raises
    ------
    RooflineError
        If an item is not of these forms, out of range, or makes more than a million values.
    """
    found: list[int] = []
    for item in text.split(","):
        if ".." in item:
            first_text, _, last_text = item.partition("..")
            first, last = parse_count(first_text, what), parse_count(last_text, what)
            _continue(found, first, last, what)
        elif ":" in item:
            found += _range(item, what)
        else:
            found.append(parse_count(item, what))
    return list(dict.fromkeys(found))


def _range(item: str, what: str) -> list[int]:
    parts = item.split(":")
    if len(parts) != 3:
        raise RooflineError(f"{what}: {item!r}: write first:last:step or first:last:xfactor, for example 1k:128k:x2")
    first, last = parse_count(parts[0], what), parse_count(parts[1], what)
    if last < first:
        raise RooflineError(f"{what}: {item!r}: the last value is below the first")
    if not parts[2].startswith("x"):
        step = parse_count(parts[2], what)
        if (last - first) // step >= MOST_VALUES:
            raise RooflineError(f"{what}: {item!r} makes {too_long((last - first) // step + 1)}")
        return list(range(first, last + 1, step))
    try:
        factor = float(parts[2][1:])
    except ValueError:
        factor = 0.0
    if not 1.0 < factor < 1e9:
        raise RooflineError(f"{what}: {item!r}: {parts[2]!r} is not a factor above 1, for example x2")
    values, value = [], float(first)
    while value <= last * (1 + 1e-12):
        values.append(round(value))
        value *= factor
        if len(values) > MOST_VALUES:
            raise RooflineError(f"{what}: {item!r} makes more than {MOST_VALUES:,} values")
    return values


def _continue(found: list[int], first: int, last: int, what: str) -> None:
    """Extend the values so far up to `last`, in the way they began."""
    if last < first:
        raise RooflineError(f"{what}: {first}..{last}: the last value is below the first")
    before = [*found, first]
    factor = step = 0
    if len(before) >= 2 and before[-1] > before[-2]:
        factor, rest = divmod(before[-1], before[-2])
        if rest or (len(before) >= 3 and before[-3] * factor != before[-2]):
            factor, step = 0, before[-1] - before[-2]
    if not step and factor < 2:
        factor = 2
    value = first
    while value <= last:
        found.append(value)
        value = value + step if step else value * factor
        if len(found) > MOST_VALUES:
            raise RooflineError(f"{what}: more than {MOST_VALUES:,} values")
    if found[-1] != last:
        found.append(last)
