"""Run a sweep: chunks here or on a cluster, progress on stderr, and a dataset that appears whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofline.sweeping.cube import Chunk, Cube
from roofline.sweeping.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Sweeps that take less than this show no bar [s].
PATIENCE = 1.0


def to_dataset(cube: Cube, path: Path, *, overwrite: bool = False, scheduler: str | None = None) -> dict[str, float]:
    """Write a sweep to a Zarr or NetCDF dataset, going on where an earlier run of the same sweep was stopped.

    Parameters
    ----------
    cube : Cube
    path : Path
        Ends in ``.zarr`` or ``.nc``.
    overwrite : bool
        Replace what is there.
    scheduler : str, optional
        Address of a Dask scheduler, or ``local`` for a cluster on this machine; this process without it.

    Returns
    -------
    dict
        ``points``; ``evaluation_seconds`` and ``writing_seconds``, the time spent on each here.

    Raises
    ------
    RooflineError
        If the file exists, cannot be written, or the scheduler is not there.
    """
    cube.check()
    evaluation = writing = 0.0
    with Store(cube, path, overwrite) as store:
        todo = [(number, chunk) for number, chunk in enumerate(cube.chunks()) if number not in store.done]
        bar = Progress(cube.n_chunks, len(store.done))
        mark = time.perf_counter()
        for number, chunk, values in _computed(cube, todo, scheduler):
            now = time.perf_counter()
            evaluation += now - mark
            store.write(number, chunk, values)
            mark = time.perf_counter()
            writing += mark - now
            bar.step()
        bar.close()
        store.finish()
        writing += time.perf_counter() - mark
    return {"points": cube.points, "evaluation_seconds": evaluation, "writing_seconds": writing}


def _computed(
    cube: Cube, todo: list[tuple[int, Chunk]], scheduler: str | None
) -> Iterator[tuple[int, Chunk, NDArray[np.float32]]]:
    """Yield the values of chunks as they are ready."""
    if scheduler is not None:
        from roofline.sweeping.cluster import computed

        yield from computed(cube, todo, scheduler)
        return
    for number, chunk in todo:
        yield number, chunk, cube.compute(chunk)


def to_xarray(cube: Cube) -> Any:
    """Return a sweep as an xarray Dataset in memory.

    Raises
    ------
    RooflineError
        If xarray is missing.
    """
    from roofline.errors import RooflineError

    try:
        import xarray
    except ImportError:
        raise RooflineError("datasets need xarray: pip install 'roofline[datasets]'") from None
    import numpy

    from roofline.sweeping.cube import VALUES

    cube.check()
    values = numpy.empty(cube.shape, dtype=numpy.float32)
    for chunk in cube.chunks():
        values[cube.index(chunk)] = cube.compute(chunk)
    data = {cube.value: (cube.dims, values, {"units": VALUES[cube.value]})}
    return xarray.Dataset(data, coords=cube.coordinates, attrs=dict(cube.attributes))


class Progress:
    """A bar on stderr for work that takes long; nothing where stderr is not a terminal."""

    def __init__(self, total: int, done: int) -> None:
        """Start at `done` of `total`."""
        self.total, self.done, self.began = total, done, time.monotonic()
        self.shown = False

    def step(self) -> None:
        """Count one more."""
        self.done += 1
        if sys.stderr.isatty() and time.monotonic() - self.began > PATIENCE:
            filled = 40 * self.done // max(1, self.total)
            bar = "#" * filled + "." * (40 - filled)
            sys.stderr.write(f"\r[{bar}] {self.done:,} of {self.total:,} chunks")
            sys.stderr.flush()
            self.shown = True

    def close(self) -> None:
        """End the line."""
        if self.shown:
            sys.stderr.write("\n")
