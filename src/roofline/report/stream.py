"""Tables of any length: blocks of columns as CSV, JSON lines, JSON or Parquet.

A block is what all its points share, and an array per column of what differs. A column is known by name and kind:
``text``, ``int``, ``bool``, ``float`` or ``float32``.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from roofline.errors import RooflineError
from roofline.report.record import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Block = tuple[Record, "dict[str, NDArray[Any]]"]
Columns = Mapping[str, str]
#: File endings and the format each means.
ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}
#: Rows that are text at a time.
SLICE = 50_000


def rows(blocks: Iterable[Block]) -> Iterator[Record]:
    """Yield blocks point by point, as flat records without rates that do not apply."""
    for constants, columns in blocks:
        for part in _slices(columns):
            for values in zip(*(column.tolist() for column in part.values()), strict=True):
                # NaN is the one value that is not itself.
                yield constants | {k: v for k, v in zip(part, values, strict=True) if v == v}


def _slices(columns: dict[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    size = len(next(iter(columns.values())))
    for first in range(0, size, SLICE):
        yield {name: column[first : first + SLICE] for name, column in columns.items()}


def head(kind: str, columns: Columns) -> bytes:
    """Return what stands before the lines of a text format."""
    return {"csv": _csv_line(columns) + "\n", "json": "["}.get(kind, "").encode()


def tail(kind: str) -> bytes:
    """Return what stands behind the lines of a text format."""
    return b"\n]\n" if kind == "json" else b""


def lines(blocks: Iterable[Block], kind: str, columns: Columns) -> Iterator[bytes]:
    """Yield the lines of a text format; in JSON every record comes with a comma before it."""
    if kind == "csv":
        for constants, arrays in blocks:
            yield from _csv(constants, arrays, columns)
        return
    # Bytes by the thousand lines: a write each would be slow.
    held: list[str] = []
    for record in rows(blocks):
        text = json.dumps(record, allow_nan=False)
        held.append(f"{text}\n" if kind == "jsonl" else f",\n {text}")
        if len(held) == 1000:
            yield "".join(held).encode()
            held.clear()
    yield "".join(held).encode()


def _csv(constants: Record, arrays: dict[str, NDArray[Any]], columns: Columns) -> Iterator[bytes]:
    """Yield the rows of a block: what it shares is quoted once, the rest are numbers."""
    names = list(columns)
    first = next(i for i, name in enumerate(names) if name in arrays)
    shared = _csv_line([constants.get(name, "") for name in names[:first]])
    before = [shared] if first else []
    for part in _slices(arrays):
        cells = [_cells(part[name]) if name in part else repeat("") for name in names[first:]]
        joined = map(",".join, zip(*map(repeat, before), *cells))
        yield ("\n".join(joined) + "\n").encode()


def _cells(column: NDArray[Any]) -> list[str]:
    if column.dtype.kind == "f":
        # The fewest digits that give the number back, of a float32 too.
        texts = column.astype(str).tolist() if column.dtype.itemsize == 4 else map(repr, column.tolist())
        return ["" if text == "nan" else text for text in texts]
    return list(map(str, column.tolist()))


def _csv_line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def arrow() -> Any:
    """Return pyarrow.

    Raises
    ------
    RooflineError
        If it is missing.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RooflineError("Parquet needs pyarrow: pip install 'roofline[frames]'") from None
    return pyarrow


def schema(columns: Columns) -> Any:
    """Return the Arrow schema of columns: words are dictionary codes."""
    pa = arrow()
    kinds = {"text": pa.dictionary(pa.int32(), pa.string()), "int": pa.int64(), "bool": pa.bool_()}
    kinds |= {"float": pa.float64(), "float32": pa.float32()}
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def arrow_table(block: Block, columns: Columns) -> Any:
    """Return a block as an Arrow table; what does not apply is null."""
    pa = arrow()
    constants, arrays = block
    size = len(next(iter(arrays.values())))
    found = []
    for field, kind in zip(schema(columns), columns.values(), strict=True):
        if field.name in arrays:
            found.append(pa.array(arrays[field.name], field.type, from_pandas=True))
        elif constants.get(field.name) is None:
            found.append(pa.nulls(size, field.type))
        elif kind == "text":
            codes = pa.repeat(pa.scalar(0, pa.int32()), size)
            found.append(pa.DictionaryArray.from_arrays(codes, pa.array([str(constants[field.name])])))
        else:
            found.append(pa.repeat(pa.scalar(constants[field.name], field.type), size))
    return pa.Table.from_arrays(found, schema=schema(columns))


def parquet_writer(binary: IO[bytes], columns: Columns) -> Any:
    """Return a writer whose axes are dictionary codes however long they are."""
    computed = [name for name, kind in columns.items() if kind in ("float32", "bool")]
    return arrow().parquet.ParquetWriter(
        binary,
        schema(columns),
        use_dictionary=[name for name in columns if name not in computed],
        dictionary_pagesize_limit=1 << 24,
        compression="zstd",
        compression_level=1,
    )


def to_stdout(blocks: Iterable[Block], kind: str, columns: Columns) -> None:
    """Write a table to standard output."""
    if kind == "parquet" and sys.stdout.isatty():
        raise RooflineError("Parquet is binary; write it to a file with --output sweep.parquet")
    sys.stdout.flush()
    out = sys.stdout.buffer
    if kind == "parquet":
        with parquet_writer(out, columns) as writer:
            for block in blocks:
                writer.write_table(arrow_table(block, columns))
        return
    out.write(head(kind, columns))
    pieces = lines(blocks, kind, columns)
    out.write(next(pieces)[1 if kind == "json" else 0 :])
    for piece in pieces:
        out.write(piece)
    out.write(tail(kind))
    out.flush()


def kind_of(path: Path, more: Sequence[str] = ()) -> str:
    """Return the format that a file's ending means.

    Raises
    ------
    RooflineError
        If the ending is no table's, nor one of `more`.
    """
    ending = path.suffix.lower()
    if ending not in (*ENDINGS, *more):
        raise RooflineError(f"{path}: unknown ending {path.suffix!r}; use one of {', '.join((*ENDINGS, *more))}")
    return ENDINGS.get(ending, ending)
