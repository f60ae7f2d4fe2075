"""Datasets of sweeps: right values, named axes, stopped and resumed, here and on a cluster."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import roofline
from roofline import serving
from roofline.cli.main import cli
from roofline.errors import RooflineError
from roofline.resolve import Request, resolve
from roofline.sweeping import cube as cubes
from roofline.sweeping import datasets, run
from roofline.sweeping.cube import Cube
from roofline.sweeping.parts import Parts

xarray = pytest.importorskip("xarray")
pytest.importorskip("zarr")
pytest.importorskip("h5netcdf")

OUTER = {"hw": ["h100", "b200"], "model": ["llama-3.1-8b"], "tp": [1, 2]}


def cube(**changes: object) -> Cube:
    given: dict[str, object] = {"batches": list(range(1, 41)), "lengths": list(range(1, 2001, 50))}
    return Cube("decode", OUTER, **(given | changes))  # type: ignore[arg-type]


def digest(path: Path) -> str:
    """Return a digest of a file, or of every file of a folder."""
    found = hashlib.sha256()
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if one.is_file():
            found.update(str(one.relative_to(path)).encode() + one.read_bytes())
    return found.hexdigest()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the cube above into 4 deployments x 10 chunks."""
    monkeypatch.setattr(cubes, "CHUNK_POINTS", 160)


def test_values_are_those_of_a_point() -> None:
    data = roofline.sweep(["h100", "b200"], "llama-3.1-8b", batch=[1, 7, 64], context=[128, 8192], tp=[1, 2])
    assert data["step_seconds"].dims == ("hardware", "model", "tp", "batch", "context_tokens")
    system = resolve(Request("b200", "llama-3.1-8b", tp=2))
    at = data["step_seconds"].sel(hardware="b200", tp=2, batch=64, context_tokens=8192).item()
    assert at == pytest.approx(serving.decode_seconds(system, 64.0, 8192.0), rel=1e-6)


def test_any_figure_is_an_axis() -> None:
    # At batch 1 a step reads the weights and little else: twice the bandwidth, and it takes less, but not half.
    data = roofline.sweep(
        "h100", "llama-3.1-8b", vary={"hw.memory.0.bandwidth": ["3.35 TB/s", "6.7 TB/s"]}, value="tokens_per_second"
    )
    slow, fast = data["tokens_per_second"].values.ravel()
    assert slow < fast < 2 * slow


def test_prices_are_an_axis() -> None:
    made = Cube("decode", OUTER | {"usd_per_hour": [2.0, 4.0]}, [8], [1024], "usd_per_million_tokens")
    data = datasets.in_memory(made)["usd_per_million_tokens"]
    assert (data.sel(usd_per_chip_hour=4.0) / data.sel(usd_per_chip_hour=2.0)).values == pytest.approx(2.0)
    step = serving.decode_seconds(resolve(Request("h100", "llama-3.1-8b", tp=1)), 8.0, 1024.0)
    # $2 an hour for 8 tokens a step.
    assert data.sel(hardware="h100", tp=1, usd_per_chip_hour=2.0).item() == pytest.approx(
        2 / 3600 * step / 8 * 1e6, rel=1e-6
    )


def test_points_that_do_not_fit_are_nan_along_either_axis() -> None:
    system = resolve(Request("h100", "llama-3.3-70b", tp=4))
    edge = system.memory.max_batch(8192.0)
    few = Cube("decode", {"hw": ["h100"], "model": ["llama-3.3-70b"], "tp": [4]}, [edge], list(range(1, 16385, 64)))
    many = Cube("decode", few.outer, [1, edge, edge + 1], [8192])
    longest = system.memory.max_context(float(edge))
    row = datasets.in_memory(few)["step_seconds"].values.ravel()
    assert (np.isnan(row) == (np.arange(1, 16385, 64) > longest)).all()
    assert np.isnan(datasets.in_memory(many)["step_seconds"].values.ravel()).tolist() == [False, False, True]


@pytest.mark.parametrize("ending", [".zarr", ".nc"])
def test_files_hold_what_memory_holds(tmp_path: Path, ending: str, small_chunks: None) -> None:
    path = tmp_path / f"grid{ending}"
    seen = run.to_file(cube(), path)
    assert seen["points"] == 4 * 40 * 40
    data = xarray.open_zarr(path) if ending == ".zarr" else xarray.open_dataset(path)
    expected = datasets.in_memory(cube())
    assert (data["step_seconds"].values == expected["step_seconds"].values).all()
    assert [str(v) for v in data["hardware"].values] == ["h100", "b200"]
    assert data["step_seconds"].attrs["units"] == "s"
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(RooflineError, match="exists; choose another name or give --overwrite"):
        run.to_file(cube(), path)
    before = digest(path)
    run.to_file(cube(), path, overwrite=True)
    assert digest(path) == before


@pytest.mark.parametrize("ending", [".zarr", ".nc", ".csv", ".jsonl", ".json", ".parquet"])
def test_a_killed_sweep_goes_on(tmp_path: Path, ending: str) -> None:
    """SIGKILL in the middle, then the same command: the bytes are those of a run that nobody stopped."""
    code = (
        "import sys; from pathlib import Path; from roofline.sweeping import cube as c, run; c.CHUNK_POINTS = 160; "
        "slow = c.Cube.compute\n"
        "def compute(self, chunk):\n"
        "    import time; time.sleep(float(sys.argv[2])); return slow(self, chunk)\n"
        "c.Cube.compute = compute\n"
        "made = c.Cube('decode', {'hw': ['h100', 'b200'], 'model': ['llama-3.1-8b'], 'tp': [1, 2]}, "
        "list(range(1, 41)), list(range(1, 2001, 50)))\n"
        "run.to_file(made, Path(sys.argv[1]))"
    )
    whole, path = tmp_path / f"whole{ending}", tmp_path / f"grid{ending}"
    subprocess.run([sys.executable, "-c", code, str(whole), "0"], check=True)
    process = subprocess.Popen([sys.executable, "-c", code, str(path), "0.05"])
    journal = tmp_path / f".grid{ending}.part" / "journal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and len(journal.read_text().splitlines()) > 8):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    done = len(journal.read_text().splitlines()) - 1
    assert 8 <= done < 40
    subprocess.run([sys.executable, "-c", code, str(path), "0"], check=True)
    assert digest(path) == digest(whole)
    assert not journal.parent.exists()


def test_another_sweep_does_not_go_on_with_it(tmp_path: Path, small_chunks: None) -> None:
    class StoppedError(Exception):
        pass

    path = tmp_path / "grid.zarr"
    made = cube()
    steps = iter(range(4 + 3))  # four deployments are looked at first

    def step(self: run.Progress) -> None:
        if next(steps, None) is None:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.Progress, "step", step)
        with pytest.raises(StoppedError):
            run.to_file(made, path)
    with pytest.raises(RooflineError, match="holds another sweep that was stopped"):
        run.to_file(cube(lengths=[1, 2, 3]), path)
    run.to_file(made, path)
    assert path.exists()


def test_too_much_is_refused_with_its_size() -> None:
    with pytest.raises(
        RooflineError, match=r"1,000,000,000,000 points \(4\.0 TB\) .* cut an axis into 2 or more parts"
    ):
        Cube("decode", {"hw": ["h100"], "model": ["llama-3.1-8b"]}, range(10**6), range(10**6))  # type: ignore[arg-type]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_chunks: None) -> None:
    path = tmp_path / "grid.nc"
    add = Parts.add

    def full(self: Parts, number: int, pieces: Any) -> None:
        if number == 3:
            raise OSError(28, "No space left on device")
        add(self, number, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "add", full)
        with pytest.raises(RooflineError, match="No space left on device\\); run the same command again to go on"):
            run.to_file(cube(), path)
    assert not path.exists()
    assert run.to_file(cube(), path)["resumed"] == 3


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--value", "joy"], "--value 'joy': use one of step_seconds"),
        (["--vary", "hw=3"], "--vary 'hw=3': write hw.KEY=VALUE"),
        (["--model", "gpt-5.5"], "gpt-5.5 is closed"),
        (["--hw", "h10o"], "unknown chip 'h10o'"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler tcp://127.0.0.1:1: "),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, args: list[str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from roofline.sweeping import cluster

    if "--scheduler" in args:
        pytest.importorskip("distributed")
        monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    path = tmp_path / "grid.zarr"
    base = ["sweep", "--hw", "h100", "--model", "llama-3.1-8b", "-o", str(path)]
    with pytest.raises(RooflineError) as caught:
        CliRunner().invoke(cli, [*base, *args], standalone_mode=False, catch_exceptions=False)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.exists()
