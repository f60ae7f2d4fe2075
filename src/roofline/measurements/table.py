"""Measurements as CSV in the columns of this project: one row, one measured number."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roofline.errors import RooflineError, suggest
from roofline.measurements.record import METRIC_ALIASES, METRICS, MODES, Measurement
from roofline.measurements.text import load
from roofline.units import MAX_COUNT

#: Columns that a file must have.
REQUIRED = ("hardware", "model", "mode", "metric", "value")
#: Every column with a field of its own, in the order in which this project writes them.
COLUMNS = (
    *("id", "source", "source_ref", "date", "hardware", "n_chips", "tp", "pp", "dp", "ep", "engine", "engine_version"),
    *("model", "weight_precision", "kv_precision", "act_precision", "mode", "isl", "osl", "batch", "metric", "value"),
    *("spec_decode", "cores", "notes", "moe_precision", "moe_tp"),
)
_COUNTS = ("n_chips", "tp", "pp", "dp", "ep", "batch", "moe_tp")
_TEXTS = (
    *("id", "source", "source_ref", "date", "engine", "engine_version", "weight_precision", "kv_precision"),
    *("act_precision", "cores", "notes", "moe_precision"),
)
#: Cells wider than this are not read by the csv module [characters].
_WIDEST = csv.field_size_limit()
_RANGE = re.compile(r"\d+\s*[-–]\s*\d+")


def read_csv(path: str | Path) -> list[Measurement]:
    """Read measurements from a CSV file.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file whose header has `hardware`, `model`, `mode`, `metric` and `value`, in any order; the other
        columns of `Measurement` are optional, and columns it does not know are kept in `extra`.

    Returns
    -------
    list of Measurement
        In the order of the file. Names of chips, models and engines are not looked up.

    Raises
    ------
    RooflineError
        At the first mistake, naming the file, the row, the column and the reason.
    """
    return parse_csv(load(path), path)


def parse_csv(text: str, path: str | Path) -> list[Measurement]:
    """Read measurements from the text of a CSV file, as `read_csv` does; the path is for error messages."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Measurement] = []
    names: list[str] = []
    line = 1
    try:
        for cells in rows:
            first, line = line, rows.line_num + 1
            if not any(cells):
                continue
            if not names:
                names = _header(cells, f"{path}: row {first}")
                fields = {name.strip().lower(): name for name in names}
                extra = [name for name in names if name.strip().lower() not in COLUMNS]
                continue
            if len(cells) > len(names):
                if any(cells[len(names) :]):
                    problem = f"{len(cells)} cells for {len(names)} columns; quote a cell that holds a comma"
                    raise RooflineError(f"{path}: row {first}: {problem}")
                del cells[len(names) :]
            elif len(cells) < len(names):
                cells += [""] * (len(names) - len(cells))
            raw = dict(zip(names, cells))
            found.append(measurement(raw, fields, {n: raw[n] for n in extra}, first, f"{path}: row {first}"))
    except csv.Error as error:
        reason = f"a cell is wider than {_WIDEST:,} characters" if "limit" in str(error) else str(error)
        raise RooflineError(f"{path}: row {line}: not valid CSV: {reason}; is a quotation mark left open?") from None
    if not found:
        raise RooflineError(f"{path}: a header and no rows; nothing to compare")
    return found


def _header(cells: list[str], where: str) -> list[str]:
    """Return the column names, without the unnamed columns that spreadsheets leave at the end."""
    names = list(cells)
    while names and not names[-1].strip():
        names.pop()
    plain = [name.strip().lower() for name in names]
    for name in plain:
        if plain.count(name) > 1:
            raise RooflineError(f"{where}: column {name!r} appears twice; name each column once")
    missing = [name for name in REQUIRED if name not in plain]
    if missing:
        hint = ""
        for mark, word in ((";", "semicolons"), ("\t", "tabs")):
            if len(names) == 1 and mark in names[0]:
                hint = f" (the cells are separated by {word}; save the file with commas)"
        need = f"missing column{'s' * (len(missing) > 1)} {', '.join(missing)}"
        raise RooflineError(f"{where}: {need}{hint}; needed are {', '.join(REQUIRED)}")
    return names


def measurement(
    raw: Mapping[str, str], fields: Mapping[str, str], extra: Mapping[str, str], row: int, where: str
) -> Measurement:
    """Make one measurement from a row of text.

    Parameters
    ----------
    raw : mapping of str to str
        The row: column to cell.
    fields : mapping of str to str
        Field of `Measurement` to the column that holds it.
    extra : mapping of str to str
        Columns to pass through.
    row : int
        Line of the file.
    where : str
        File and row, for the error message.

    Raises
    ------
    RooflineError
        If a required cell is empty, or a number, mode or metric is not one.
    """

    def text(name: str) -> str:
        column = fields.get(name)
        return raw[column].strip() if column is not None else ""

    for name in REQUIRED:
        if not text(name):
            raise RooflineError(f"{where}, column {name}: the cell is empty")
    cells: dict[str, Any] = {name: text(name) for name in _TEXTS}
    cells |= {name: _count(text(name), name, where) for name in _COUNTS}
    metric = _known(text("metric"), "metric", METRICS, where)
    return Measurement(
        hardware=text("hardware"),
        model=text("model"),
        mode=_known(text("mode"), "mode", MODES, where),
        metric=METRIC_ALIASES.get(metric, metric),
        value=_value(text("value"), where),
        row=row,
        **cells,
        isl=_tokens(text("isl"), "isl", where),
        osl=_tokens(text("osl"), "osl", where),
        spec_decode=text("spec_decode").lower(),
        extra=extra,
        raw=raw,
    )


def _known(text: str, column: str, known: tuple[str, ...], where: str) -> str:
    name = text.lower()
    if name not in known:
        near = suggest(text[:80], list(known))
        raise RooflineError(
            f"{where}, column {column}: unknown {column} {text[:80]!r}{near}; known: {', '.join(known)}"
        )
    return name


def _number(text: str, column: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise RooflineError(f"{where}, column {column}: {text[:80]!r} is not a number") from None
    if not math.isfinite(number):
        raise RooflineError(f"{where}, column {column}: {text[:80]!r} is not a finite number")
    return number


def _value(text: str, where: str) -> float:
    number = _number(text, "value", where)
    if number <= 0:
        raise RooflineError(f"{where}, column value: {text} is not above zero; a measurement is positive")
    return number


def _count(text: str, column: str, where: str) -> int | None:
    """Read a whole number above zero; an empty cell or a range such as ``48-64`` does not say which: None."""
    if not text or _RANGE.fullmatch(text):
        return None
    number = _number(text, column, where)
    if number != int(number) or not 1 <= number <= MAX_COUNT:
        raise RooflineError(f"{where}, column {column}: {text} is not a whole number from 1 to {MAX_COUNT:,}")
    return int(number)


def _tokens(text: str, column: str, where: str) -> int | None:
    """Read a length, the mean where lengths vary, to the nearest whole token; 0 means that there is no such phase."""
    if not text:
        return None
    number = _number(text, column, where)
    if not 0 <= number <= MAX_COUNT:
        raise RooflineError(f"{where}, column {column}: {text} is not a number of tokens from 0 to {MAX_COUNT:,}")
    return round(number)
