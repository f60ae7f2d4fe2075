"""Work in parts that survives a kill: what is done lies beside the place of the whole, with a journal of it.

``.NAME.part`` holds ``data``, to which parts are only appended, in whatever order they come, and ``journal``: first
what the work is, then a line ``number offset size`` per part, written once the part is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from roofline.errors import RooflineError


@contextmanager
def told(path: Path, after: str = "run the same command again to go on") -> Iterator[None]:
    """Turn what the system says of a file, such as a full disk, into one line."""
    try:
        yield
    except OSError as error:
        raise RooflineError(f"{path}: cannot write ({error.strerror or error}); {after}") from None


class Parts:
    """Numbered parts of work that may be stopped at any moment.

    Attributes
    ----------
    path : Path
        Where the whole will be.
    folder : Path
        The folder beside it that holds what is done.
    where : dict of int to (int, int)
        Offset and size of each part that is done [B].
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        """Begin, or go on with what an earlier run of the same work left.

        Raises
        ------
        RooflineError
            If the folder cannot be written, is in use, or holds other work.
        """
        self.path, self.folder = path, path.with_name(f".{path.name}.part")
        self.where: dict[int, tuple[int, int]] = {}
        self._journal_path, self._data_path = self.folder / "journal", self.folder / "data"
        with told(path, "nothing was left behind"):
            self.folder.mkdir(exist_ok=True)
            self._journal = self._journal_path.open("a+", encoding="ascii")
        try:
            self._lock()
            with told(path):
                self._resume(fingerprint)
                self._data = self._data_path.open("r+b" if self._data_path.exists() else "w+b")
                self._data.truncate(max((offset + size for offset, size in self.where.values()), default=0))
        except RooflineError:
            self._journal.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two runs at once are the user's own care.
            return
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RooflineError(f"{self.path}: another process is writing it; wait for that one") from None

    def _resume(self, fingerprint: str) -> None:
        self._journal.seek(0)
        # The last line may have been cut off, and nothing may be written behind half a number.
        lines = [line for line in self._journal.read().splitlines(keepends=True) if line.endswith("\n")]
        if lines and lines[0].strip() != fingerprint:
            raise RooflineError(
                f"{self.folder} holds another sweep that was stopped; finish that one, or remove the folder"
            )
        self._journal.truncate(sum(map(len, lines)))
        if not lines:
            self._journal.write(fingerprint + "\n")
            self._journal.flush()
        for line in lines[1:]:
            number, offset, size = map(int, line.split())
            self.where[number] = (offset, size)

    def __enter__(self) -> Parts:
        """Keep the files open for a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files; what is done stays for the next run, and where nothing is, nothing stays."""
        self._journal.close()
        self._data.close()
        if not self.where:
            shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, number: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Append a part; it counts once the journal has it."""
        with told(self.path):
            offset = self._data.seek(0, os.SEEK_END)
            for piece in pieces:
                self._data.write(piece)
            self._data.flush()
            size = self._data.tell() - offset
            self._journal.write(f"{number} {offset} {size}\n")
            self._journal.flush()
        self.where[number] = (offset, size)

    def read(self, number: int) -> bytes:
        """Return a part."""
        offset, size = self.where[number]
        self._data.seek(offset)
        return self._data.read(size)

    def copy(self, number: int, out: IO[bytes], skip: int = 0) -> None:
        """Copy a part to a file, without its first bytes."""
        offset, size = self.where[number]
        self._data.seek(offset + skip)
        left = size - skip
        while left > 0:
            piece = self._data.read(min(left, 1 << 24))
            out.write(piece)
            left -= len(piece)

    def forget(self) -> None:
        """Begin anew: the journal speaks of what is no longer there."""
        self._journal.seek(0)
        first = self._journal.readline()
        self._journal.truncate(len(first))
        self.where.clear()

    def finish(self, whole: Path) -> None:
        """Move the whole to its place, in the stead of what was there, and drop the parts."""
        if self.path.exists():
            os.replace(self.path, self.folder / "old")
        os.replace(whole, self.path)
        shutil.rmtree(self.folder)
        self.where.clear()
