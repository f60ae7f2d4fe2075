"""Work on a Dask cluster: a few tasks per worker at a time; what a lost worker had is done again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from roofline import __version__
from roofline.errors import RooflineError

#: Tasks in flight per thread of the cluster: what bounds memory here, and keeps every worker busy.
AHEAD = 2
#: How long to look for a scheduler and its workers, to be without any worker, and to wait for the next result [s].
CONNECT_SECONDS, DESERTED_SECONDS, SILENCE_SECONDS = 10.0, 30.0, 600.0

Key = TypeVar("Key")


@contextmanager
def client(scheduler: str) -> Iterator[Any]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://host:8786``, or ``local`` for a cluster on this machine.

    Yields
    ------
    distributed.Client

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
    cluster = found = None
    try:
        if scheduler == "local":
            cluster = LocalCluster(threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL)
        found = Client(cluster or scheduler, timeout=CONNECT_SECONDS)
        found.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except (TimeoutError, OSError, ValueError) as error:
        for opened in (found, cluster):
            if opened is not None:
                opened.close(timeout=2)
        what = "it has no workers" if found is not None else str(error).partition("\n")[0] or "it does not answer"
        raise RooflineError(
            f"--scheduler {scheduler}: {what}; start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from None
    try:
        yield found
    finally:
        found.close(timeout=2)
        if cluster is not None:
            cluster.close(timeout=5)


def _same(version: str, work: Callable[..., Any], *given: Any) -> Any:
    """Run on a worker: the bytes of a dataset must not depend on where a part of it was computed."""
    if version != __version__:
        raise RooflineError(f"a worker has roofline {__version__}, this machine {version}; install the same on both")
    return work(*given)


def run(
    dask: Any, work: Callable[..., Any], tasks: Iterable[tuple[Key, tuple[Any, ...]]], where: str
) -> Iterator[tuple[Key, Any]]:
    """Run tasks on a cluster and yield each key and result, in the order in which they are finished.

    Parameters
    ----------
    dask : distributed.Client
    work : callable
        A function of a module that the workers have too.
    tasks : iterable of (key, arguments)
        Taken as the cluster gets on with them.
    where : str
        The scheduler's address, for messages.

    Raises
    ------
    RooflineError
        If the scheduler or every worker is lost, or a worker fails.
    """
    from distributed import wait

    window = AHEAD * max(1, sum(dask.nthreads().values()))
    waiting, flying = iter(tasks), dict[Any, Key]()
    try:
        while True:
            while len(flying) < window and (task := next(waiting, None)) is not None:
                flying[dask.submit(_same, __version__, work, *task[1], pure=False, retries=3)] = task[0]
            if not flying:
                return
            for future in _finished(dask, wait, list(flying)):
                found = future.result(timeout=SILENCE_SECONDS)
                yield flying.pop(future), found
    except RooflineError as error:
        raise RooflineError(f"--scheduler {where}: {error}") from None
    except (ImportError, AttributeError) as error:
        raise RooflineError(f"--scheduler {where}: a worker says {error}; install roofline on every worker") from None
    except Exception as error:
        lost = "the scheduler was lost" if dask.status != "running" else f"{type(error).__name__} on a worker"
        raise RooflineError(
            f"--scheduler {where}: {lost} with {len(flying):,} chunks under way; run the same command again to go on"
        ) from None


def _finished(dask: Any, wait: Callable[..., Any], futures: list[Any]) -> set[Any]:
    """Return futures that are done; give up on a cluster that has no workers, or is silent for too long."""
    deserted = 0.0
    for _ in range(int(SILENCE_SECONDS / 5.0)):
        try:
            done: set[Any] = wait(futures, timeout=5.0, return_when="FIRST_COMPLETED").done
            return done
        except TimeoutError:
            deserted = 0.0 if dask.nthreads() else deserted + 5.0
            if deserted >= DESERTED_SECONDS:
                raise RooflineError("every worker was lost; run the same command again to go on") from None
    raise RooflineError(f"no result for {SILENCE_SECONDS:.0f} s; run the same command again to go on")
