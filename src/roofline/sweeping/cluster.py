"""Chunks on a Dask cluster: a few per worker at a time; what a lost worker had is done again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from roofline.errors import RooflineError
from roofline.sweeping.cube import Chunk, Cube

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Chunks in flight per thread of the cluster: what bounds memory here, and keeps every worker busy.
AHEAD = 2
#: How long to look for a scheduler, and how long to wait for any result before giving up on a cluster [s].
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 300.0


@contextmanager
def client(scheduler: str) -> Iterator[Any]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://host:8786``, or ``local`` for a cluster on this machine.

    Raises
    ------
    RooflineError
        If Dask is missing, the scheduler does not answer, or it has no workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise RooflineError("--scheduler needs Dask: pip install 'roofline[distributed]'") from None
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    cluster = None
    try:
        if scheduler == "local":
            cluster = LocalCluster(threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL)
            found = Client(cluster)
        else:
            found = Client(scheduler, timeout=CONNECT_SECONDS)
            found.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except (TimeoutError, OSError, ValueError) as error:
        if cluster is not None:
            cluster.close()
        what = str(error).splitlines()[0] if str(error) else "it does not answer"
        raise RooflineError(
            f"--scheduler {scheduler}: {what}; start one with `dask scheduler` and `dask worker`"
        ) from None
    try:
        yield found
    finally:
        found.close(timeout=2)
        if cluster is not None:
            cluster.close(timeout=5)


def _work(cube: Cube, chunk: Chunk) -> NDArray[np.float32]:
    return cube.compute(chunk)


def computed(
    cube: Cube, todo: list[tuple[int, Chunk]], scheduler: str
) -> Iterator[tuple[int, Chunk, NDArray[np.float32]]]:
    """Yield the values of chunks in the order in which a cluster finishes them.

    Raises
    ------
    RooflineError
        If the scheduler is lost, or no chunk comes back for minutes.
    """
    from distributed import as_completed

    with client(scheduler) as dask:
        threads = max(1, sum(dask.nthreads().values()))
        waiting = iter(todo)
        flying: dict[Any, tuple[int, Chunk]] = {}
        queue = as_completed(timeout=SILENCE_SECONDS)

        def send() -> None:
            for number, chunk in waiting:
                future = dask.submit(_work, cube, chunk, pure=False, retries=3)
                flying[future.key] = (number, chunk)
                queue.add(future)
                return

        for _ in range(AHEAD * threads):
            send()
        try:
            while flying:
                future = next(queue)
                number, chunk = flying.pop(future.key)
                values = future.result(timeout=SILENCE_SECONDS)
                future.release()
                send()
                yield number, chunk, values
        except RooflineError:
            raise
        except Exception as error:
            lost = "the scheduler was lost" if dask.status != "running" else type(error).__name__
            then = "run the same command again to go on"
            raise RooflineError(
                f"--scheduler {scheduler}: {lost} with {len(flying):,} chunks under way; {then}"
            ) from None
