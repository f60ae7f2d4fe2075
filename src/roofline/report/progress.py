"""Progress of long work, on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

#: Work that takes less than this shows no progress; without a terminal, a line of it every so often [s].
PATIENCE, BETWEEN_LINES = 1.0, 30.0


class Progress:
    """A bar on stderr for work that takes long; where that is no terminal, a line now and then."""

    def __init__(self, total: int, what: str, done: int = 0) -> None:
        """Start at `done` of `total`."""
        self.total, self.what, self.done = total, what, done
        self.began = self.shown = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()

    def step(self, count: int = 1) -> None:
        """Count so many more."""
        self.done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        elif sys.stderr.isatty() and now - self.began > PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = BarColumn(), MofNCompleteColumn(), TextColumn(self.what), TimeRemainingColumn()
            self._bar = Bar(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("", total=self.total, completed=self.done)
            self._bar.start()
        elif now - self.shown > BETWEEN_LINES:
            self.shown = now
            print(f"{self.done:,} of {self.total:,} {self.what}", file=sys.stderr, flush=True)
