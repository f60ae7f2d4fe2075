"""Quantities with units: ``"21 PB/s"``, ``"44 GB"``, ``"128k"`` to numbers in base SI units, and back.

SI prefixes are decimal (GB = 10^9 B) and IEC prefixes binary (GiB = 2^30 B); they are never mixed silently.
Token counts are the field's habit and the one exception: 8k tokens is 8,192.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from roofline.errors import RooflineError

_SI = {"": 1.0, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3}
_SI |= {"M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_IEC = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}

#: Spellings of each dimension's unit, and its size in the base unit.
_UNITS: dict[str, dict[str, float]] = {
    "B": {"B": 1.0, "bit": 0.125, "b": 0.125},
    "B/s": {"B/s": 1.0, "bit/s": 0.125, "bps": 0.125, "b/s": 0.125},
    "FLOP/s": {"FLOP/s": 1.0, "FLOPS": 1.0, "FLOPs": 1.0, "OP/s": 1.0, "OPS": 1.0},
    "s": {"s": 1.0},
    "Hz": {"Hz": 1.0},
    "W": {"W": 1.0},
    "USD": {"USD": 1.0, "$": 1.0},
    "USD/h": {"USD/h": 1.0, "$/h": 1.0, "USD/hour": 1.0},
    "1": {"": 1.0, "%": 0.01},
}

_NUMBER = re.compile(
    r"^\s*([-+]?[0-9][0-9_,]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+|nan|-?inf)\s*(.*?)\s*$", re.I
)


def parse_quantity(value: object, dimension: str) -> float:
    """Read a quantity in the base unit of its dimension.

    Parameters
    ----------
    value : int, float or str
        A bare number already in the base unit, or a string with a unit.
    dimension : str
        One of ``B``, ``B/s``, ``FLOP/s``, ``s``, ``Hz``, ``W``, ``USD``, ``USD/h``, ``1``.

    Returns
    -------
    float
        The value in the base unit [dimension].

    Raises
    ------
    RooflineError
        If the text is not a number with a unit of that dimension, or is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise RooflineError(f"{value!r} is not a quantity; write a number or a string such as {example(dimension)!r}")
    if isinstance(value, str):
        match = _NUMBER.match(value)
        if not match:
            raise RooflineError(f"{value!r} is not a quantity; write for example {example(dimension)!r}")
        number, unit = float(match[1].replace(",", "").replace("_", "")), match[2]
        number *= _factor(unit, dimension, value)
    else:
        number = float(value)
    if not math.isfinite(number):
        raise RooflineError(f"{value!r} is not a finite number")
    return number


def read_all(values: Iterable[object]) -> tuple[list[Any], str]:
    """Read quantities of one dimension that is not known before, such as ``["4 TB/s", "8e12"]``.

    Returns
    -------
    values : list
        In the base unit; unchanged where one is no quantity, or their dimensions differ.
    unit : str
        The base unit; empty where none is named.
    """
    given = list(values)
    numbers: list[float] = []
    units = set()
    for value in given:
        match = _NUMBER.match(value) if isinstance(value, str) else None
        for dimension in ["1"] if match is None or not match[2] else _UNITS:
            try:
                numbers.append(parse_quantity(value, dimension))
            except RooflineError:
                continue
            units.add(dimension)
            break
    units -= {"1"}
    if len(numbers) < len(given) or len(units) > 1:
        return given, ""
    whole = not units and all(number == int(number) for number in numbers)
    return [int(number) for number in numbers] if whole else list(numbers), "".join(units)


def _factor(unit: str, dimension: str, text: str) -> float:
    if unit == "":
        return 1.0
    for name, size in _UNITS[dimension].items():
        if name and unit.endswith(name):
            prefix = unit[: -len(name)].strip()
            if prefix in _SI:
                return _SI[prefix] * size
            if prefix in _IEC and dimension in ("B", "B/s"):
                return _IEC[prefix] * size
    raise RooflineError(f"{text!r}: unknown unit {unit!r}; expected one like {example(dimension)!r}")


def example(dimension: str) -> str:
    """Return a well-formed quantity of a dimension, for error messages."""
    return {
        "B": "44 GB",
        "B/s": "3.35 TB/s",
        "FLOP/s": "989 TFLOP/s",
        "s": "9 us",
        "Hz": "1.1 GHz",
        "W": "700 W",
        "USD": "25000 USD",
        "USD/h": "2.95 USD/h",
        "1": "0.8",
    }[dimension]


_COUNT = re.compile(r"^(-?[0-9][0-9_]*(?:\.[0-9]+)?)(k|K|Ki|M|Mi)?$")
#: Larger than any context or batch that makes sense; beyond it arithmetic on floats is no longer exact.
MAX_COUNT = 2**40


def parse_count(text: str, what: str) -> int:
    """Read a whole number of tokens or sequences, where ``k`` is 1,024 and ``M`` is 1,048,576.

    Parameters
    ----------
    text : str
        For example ``"8192"``, ``"8k"`` or ``"1M"``.
    what : str
        Name of the option, for the error message.

    Raises
    ------
    RooflineError
        If the text is not a whole number from 1 to 2^40.
    """
    match = _COUNT.match(text.strip())
    if not match:
        raise RooflineError(f"{what}: {text!r} is not a whole number; write for example 8192, 8k or 1M (k = 1,024)")
    scale = {None: 1, "k": 2**10, "K": 2**10, "Ki": 2**10, "M": 2**20, "Mi": 2**20}[match[2]]
    digits = match[1].replace("_", "")
    number = float(digits) * scale if "." in digits else int(digits) * scale
    if number != int(number):
        raise RooflineError(f"{what}: {text!r} is not a whole number")
    return check_count(int(number), what)


def check_count(number: int, what: str) -> int:
    """Return the number if it is a whole number from 1 to 2^40, else raise a RooflineError."""
    if not 1 <= number <= MAX_COUNT:
        raise RooflineError(f"{what}: {number:,} is out of range; it must be from 1 to {MAX_COUNT:,}")
    return number


def format_si(value: float, unit: str, digits: int = 3) -> str:
    """Write a quantity with a decimal prefix and three digits: ``format_si(2.1e16, "B/s") == "21 PB/s"``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    prefixes = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]
    small = [(1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p")]
    for scale, prefix in prefixes + (small if unit in ("s",) else []):
        if abs(value) >= scale * (1 - 0.5 * 10.0**-digits):
            return f"{significant(value / scale, digits)} {prefix}{unit}"
    return f"{significant(value, digits)} {unit}"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, thousands separated, and no exponent for ordinary sizes."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -6 or magnitude > 14:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - magnitude)
    text = f"{round(value, digits - 1 - magnitude):,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals > 0 and "." in text else text
