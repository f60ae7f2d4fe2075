"""Sweeps and plans on a real Dask scheduler with two real workers on loopback, one of them killed half-way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roofline.errors import RooflineError
from roofline.planning import search, space
from roofline.planning.points import Load
from roofline.planning.space import Space
from roofline.sweeping import cluster, run
from roofline.sweeping import cube as cubes
from test_sweep import cube, digest

pytest.importorskip("distributed")
pytest.importorskip("zarr")


@contextmanager
def dask(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers; yield the address and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, command, here = f"tcp://127.0.0.1:{port}", [sys.executable, "-m", "dask"], ["--host", "127.0.0.1"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5"}
    scheduler = subprocess.Popen([*command, "scheduler", *here, "--port", str(port), "--no-dashboard"], **quiet)
    worker = [*command, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", *here]
    places = [str(folder / f"worker-{number}") for number in range(2)]
    workers = [subprocess.Popen([*worker, "--local-directory", place], **quiet) for place in places]
    try:
        yield address, workers
    finally:
        for process in [*workers, scheduler]:
            process.kill()
            process.wait()


def killed_when(worker: subprocess.Popen[bytes], ready: Callable[[], bool]) -> threading.Event:
    """Kill a worker as soon as `ready`; the event says that it was."""
    killed = threading.Event()

    def watch() -> None:
        while not ready():
            time.sleep(0.01)
        worker.kill()
        killed.set()

    threading.Thread(target=watch, daemon=True).start()
    return killed


def test_a_sweep_that_loses_a_worker_has_the_bytes_of_a_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubes, "CHUNK_POINTS", 160)
    path, local = tmp_path / "grid.zarr", tmp_path / "local.zarr"
    journal = tmp_path / ".grid.zarr.part" / "journal"
    with dask(tmp_path) as (address, workers):
        killed = killed_when(workers[0], lambda: journal.exists() and len(journal.read_text().splitlines()) > 6)
        run.to_file(cube(), path, scheduler=address)
        assert killed.is_set()
    run.to_file(cube(), local)
    assert digest(path) == digest(local)


def test_a_plan_that_loses_a_worker_is_the_local_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "TOGETHER", 8)
    where = Space(("h100", "b200"), ("llama-3.3-70b",), engines=("vllm",), pp=(1, 2), most_chips=16)
    asked, done = Load(8192.0, 1024.0), list[int]()
    step = search.Progress.step

    def count(self: Any, number: int = 1) -> None:
        done.append(number)
        step(self, number)

    monkeypatch.setattr(search.Progress, "step", count)
    with dask(tmp_path) as (address, workers):
        killed = killed_when(workers[0], lambda: len(done) > 1)
        there = search._evaluate(where, asked, (None,), address, ())
        assert killed.is_set()
    here = search._evaluate(where, asked, (None,), None, ())
    assert len(here) == len(list(space.systems(where, 9216.0))) > 5 * 8
    for one, other in zip(there, here, strict=True):
        assert one.system.deployment == other.system.deployment
        assert all(
            np.array_equal(getattr(one, name), getattr(other, name)) for name in ("batch", "ttft", "tpot", "rate")
        )


def test_only_silence_ends_a_run_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that come one by one for longer than the limit between two of them are all taken."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "SILENCE_SECONDS", 10.0)
    one = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**one) as local, distributed.Client(local) as client:
        tasks = ((number, (0.75,)) for number in range(16))
        found = dict(cluster.run(client, time.sleep, tasks, "here"))
    assert sorted(found) == list(range(16))


def test_a_cluster_without_workers_is_given_up_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "DESERTED_SECONDS", 5.0)
    with dask(tmp_path) as (address, workers), cluster.client(address) as client:
        for worker in workers:
            killed_when(worker, lambda: True).wait()
        with pytest.raises(RooflineError, match="every worker was lost; run the same command again"):
            list(cluster.run(client, time.sleep, [(0, (0.1,))], address))
