"""Sweeps to files and streams: blocks of columns as CSV, JSON lines or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from roofline.errors import RooflineError
from roofline.report import files
from roofline.report.record import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blocks = Iterable[tuple[Record, "dict[str, NDArray[Any]]"]]
#: File endings and the format each means.
ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}


def format_of(path: Path) -> str:
    """Return the format that a file's ending means.

    Raises
    ------
    RooflineError
        If the ending is none of .csv, .json, .jsonl and .parquet.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise RooflineError(f"{path}: unknown ending {path.suffix!r}; use one of {', '.join(ENDINGS)}")
    return kind


def to_file(blocks: Blocks, path: Path, *, overwrite: bool) -> int:
    """Write a sweep to a file and return its number of points; the file appears whole or not at all."""
    kind = format_of(path)
    files.free(path, overwrite=overwrite)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as binary:
            count = write(blocks, kind, binary)
        partial.replace(path)
    except OSError as error:
        raise RooflineError(f"{path}: cannot write ({error.strerror}); nothing was left behind") from None
    finally:
        partial.unlink(missing_ok=True)
    return count


def write(blocks: Blocks, kind: str, binary: IO[bytes]) -> int:
    """Write a sweep to a binary stream; return its number of points."""
    if kind == "parquet":
        return _parquet(blocks, binary)
    with _text(binary) as out:
        count = 0
        writer = None
        if kind == "json":
            out.write("[")
        for names, record in rows(blocks):
            if kind == "csv":
                if writer is None:
                    writer = csv.DictWriter(out, names, restval="", extrasaction="ignore", lineterminator="\n")
                    writer.writeheader()
                writer.writerow(record)
            elif kind == "jsonl":
                out.write(json.dumps(record, allow_nan=False) + "\n")
            else:
                out.write((",\n " if count else "\n ") + json.dumps(record, allow_nan=False))
            count += 1
        if kind == "json":
            out.write("\n]\n")
    return count


@contextmanager
def _text(binary: IO[bytes]) -> Iterator[IO[str]]:
    import io

    text = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=False)
    try:
        yield text
        text.flush()
    finally:
        text.detach()


def rows(blocks: Blocks) -> Iterator[tuple[list[str], Record]]:
    """Yield a sweep point by point: all keys of its block, and its flat record without rates that do not apply."""
    for constants, columns in blocks:
        names = list(columns)
        keys = [*constants, *names]
        for values in zip(*(column.tolist() for column in columns.values()), strict=True):
            point = dict(zip(names, values, strict=True))
            # NaN is the one value that is not itself.
            yield keys, constants | {k: v for k, v in point.items() if v == v}


def _parquet(blocks: Blocks, binary: IO[bytes]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise RooflineError("Parquet needs pyarrow: pip install 'roofline[frames]'") from None
    writer = None
    count = 0
    for constants, columns in blocks:
        size = len(next(iter(columns.values())))
        fields: dict[str, Any] = {}
        for name, value in constants.items():
            plain = pa.array([value])
            fields[name] = pa.DictionaryArray.from_arrays(pa.array([0] * size, pa.int32()), plain)
        for name, column in columns.items():
            fields[name] = pa.array(column, from_pandas=True)
        table = pa.table(fields)
        if writer is None:
            writer = pq.ParquetWriter(binary, table.schema)
        writer.write_table(table.select(writer.schema.names).cast(writer.schema))
        count += size
    if writer is not None:
        writer.close()
    return count


def to_stdout(blocks: Blocks, kind: str) -> int:
    """Write a sweep to standard output."""
    if kind == "parquet" and sys.stdout.isatty():
        raise RooflineError("Parquet is binary; write it to a file with --output sweep.parquet")
    sys.stdout.flush()
    return write(blocks, kind, sys.stdout.buffer)
