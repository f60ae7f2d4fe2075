"""Tables of a sweep, a row per point: text (CSV, JSON, JSON lines), and Parquet with a row group per chunk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from roofline.report import stream
from roofline.sweeping.cube import Checked, Chunk, Cube, Part
from roofline.sweeping.parts import Parts


class Text:
    """A text file: parts are its lines already, and the whole is all of them in order."""

    def __init__(self, cube: Cube, parts: Parts, checked: Checked, kind: str) -> None:
        """Remember what is written."""
        self.cube, self.parts, self.columns, self.kind = cube, parts, checked.columns, kind

    def encode(self, chunk: Chunk, found: Part) -> Iterable[bytes]:
        """Yield the lines of a chunk."""
        return stream.lines(self.cube.blocks(chunk, found), self.kind, self.columns)

    def assemble(self) -> Path:
        """Write the file."""
        path = self.parts.folder / f"whole.{self.kind}"
        with path.open("wb") as out:
            out.write(stream.head(self.kind, self.columns))
            for number in range(self.cube.n_chunks):
                # Every record of a list but the first has a comma before it.
                self.parts.copy(number, out, skip=1 if self.kind == "json" and number == 0 else 0)
            out.write(stream.tail(self.kind))
        return path


class Parquet:
    """A Parquet file: words and axes as dictionary codes, written in one go when every chunk is there."""

    def __init__(self, cube: Cube, parts: Parts, checked: Checked) -> None:
        """Remember what is written."""
        self.cube, self.parts, self.columns = cube, parts, checked.columns

    @staticmethod
    def ready() -> None:
        """Refuse at once what cannot be written at the end."""
        stream.arrow()

    def encode(self, chunk: Chunk, found: Part) -> Iterable[bytes | memoryview]:
        """Return one value as it lies in memory, its axes are known; records as an Arrow stream."""
        if not isinstance(found, list):
            return (found.data.cast("B"),)
        pa = stream.arrow()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, stream.schema(self.columns)) as writer:
            for block in found:
                writer.write_table(stream.arrow_table(block, self.columns))
        return (memoryview(sink.getvalue()),)

    def assemble(self) -> Path:
        """Write the file."""
        pa, path = stream.arrow(), self.parts.folder / "whole.parquet"
        with path.open("wb") as out, stream.parquet_writer(out, self.columns) as writer:
            for number, chunk in enumerate(self.cube.chunks()):
                data = self.parts.read(number)
                if self.cube.value is None:
                    writer.write_table(pa.ipc.open_stream(data).read_all())
                    continue
                values = np.frombuffer(data, dtype=np.float32).reshape(-1, len(self.cube.lengths))
                for block in self.cube.blocks(chunk, values):
                    writer.write_table(stream.arrow_table(block, self.columns))
        return path
