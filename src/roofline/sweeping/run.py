"""Run a sweep: chunks here or on a cluster, progress on stderr, and a file that appears whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofline.report import files, stream
from roofline.report.progress import Progress
from roofline.sweeping import cluster
from roofline.sweeping.cube import Checked, Chunk, Cube, Part, part
from roofline.sweeping.datasets import NetCDF, Zarr
from roofline.sweeping.parts import Parts, told
from roofline.sweeping.tables import Parquet, Text

if TYPE_CHECKING:
    from roofline.report.stream import Block

#: Endings of datasets that hold one value.
DATASETS = (".zarr", ".nc")


def to_file(cube: Cube, path: Path, *, overwrite: bool = False, scheduler: str | None = None) -> dict[str, float]:
    """Write a sweep to a file, going on where an earlier run of the same sweep was stopped.

    Parameters
    ----------
    cube : Cube
    path : Path
        Its ending is the format: ``.zarr`` and ``.nc`` hold one value; ``.csv``, ``.json``, ``.jsonl`` and
        ``.parquet`` one value, or every output.
    overwrite : bool
        Replace what is there.
    scheduler : str, optional
        Address of a Dask scheduler, or ``local`` for a cluster on this machine; this process without it.

    Returns
    -------
    dict
        ``points``; ``chunks`` and how many of them ``resumed``, there from an earlier run; ``evaluation_seconds`` and
        ``writing_seconds``, the time spent on each here, the look at every combination included in the first.

    Raises
    ------
    RooflineError
        If the file exists, cannot be written, or the scheduler is not there.
    """
    kind = stream.kind_of(path, DATASETS)
    files.free(path, overwrite=overwrite)
    for ending, sink_class in ((".zarr", Zarr), (".nc", NetCDF), ("parquet", Parquet)):
        if kind == ending:
            sink_class.ready()
    mark = time.perf_counter()
    with Progress(cube.deployments, "deployments") as bar:
        checked = cube.check(bar.step)
    evaluation, writing = time.perf_counter() - mark, 0.0
    with cluster.client(scheduler) if scheduler else nullcontext() as dask, Parts(path, checked.fingerprint) as parts:
        with told(path):
            sink = _sink(kind, cube, parts, checked)
        resumed = len(parts.where)
        todo = [(number, chunk) for number, chunk in enumerate(cube.chunks()) if number not in parts.where]
        mark = time.perf_counter()
        with Progress(cube.n_chunks, "chunks", resumed) as bar:
            for (number, chunk), found in _computed(cube, todo, dask, scheduler):
                now = time.perf_counter()
                evaluation += now - mark
                with told(path):
                    parts.add(number, sink.encode(chunk, found))
                mark = time.perf_counter()
                writing += mark - now
                bar.step()
        with told(path):
            parts.finish(sink.assemble())
        writing += time.perf_counter() - mark
    return {
        "points": cube.points,
        "chunks": cube.n_chunks,
        "resumed": resumed,
        "evaluation_seconds": evaluation,
        "writing_seconds": writing,
    }


def _sink(kind: str, cube: Cube, parts: Parts, checked: Checked) -> Zarr | NetCDF | Parquet | Text:
    """Return what writes a format."""
    if kind == "parquet":
        return Parquet(cube, parts, checked)
    if kind in DATASETS:
        return Zarr(cube, parts) if kind == ".zarr" else NetCDF(cube, parts)
    return Text(cube, parts, checked, kind)


def _computed(
    cube: Cube, todo: list[tuple[int, Chunk]], dask: Any, scheduler: str | None
) -> Iterator[tuple[tuple[int, Chunk], Part]]:
    """Yield the numbers and values of chunks as they are ready."""
    if scheduler is None:
        for number, chunk in todo:
            yield (number, chunk), cube.compute(chunk)
        return
    tasks = (
        ((number, chunk), (cube.prepare(chunk.outer), cube.phase, cube.value, *cube.sides(chunk)))
        for number, chunk in todo
    )
    yield from cluster.run(dask, part, tasks, scheduler)


def blocks(cube: Cube) -> Iterator[Block]:
    """Yield the blocks of a sweep's table in order, here."""
    for chunk in cube.chunks():
        yield from cube.blocks(chunk, cube.compute(chunk))
