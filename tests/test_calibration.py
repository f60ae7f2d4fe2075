"""Calibration: known constants are found again, bounds hold, and the files written are catalogue files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from roofline import calibrate, catalog, constants, predict, validate
from roofline.cli.main import cli
from roofline.constants import Parameter
from roofline.errors import RooflineError
from roofline.measurements import read_csv

COLUMNS = (
    "id source hardware n_chips tp engine model weight_precision kv_precision mode isl osl batch metric value "
    "spec_decode date"
)


def made_up(path: Path, change: dict[Parameter, float]) -> Path:
    """Write rows that a machine with other constants would give."""
    rows = []
    for batch in (1, 2, 4, 8, 16, 32, 64, 128):
        for isl, osl in ((1024, 1024), (8192, 512)):
            base = {"hardware": "h100", "n_chips": 2, "tp": 2, "engine": "vllm", "model": "llama-3.1-8b"}
            base |= {"weight_precision": "bf16", "mode": "concurrency", "isl": isl, "osl": osl, "batch": batch}
            rows.append(base | {"metric": "tpot_ms", "value": 1.0, "spec_decode": "false", "source": "made up"})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS.split(), restval="")
        writer.writeheader()
        writer.writerows(rows)
    values = [predict.predict(m, lambda s: constants.apply(s, change)).value for m in read_csv(path)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS.split(), restval="")
        writer.writeheader()
        writer.writerows({**row, "value": value} for row, value in zip(rows, values, strict=True))
    return path


def test_a_known_constant_is_found_again(tmp_path: Path) -> None:
    host = Parameter("engine", "vllm", "host_per_step")
    now = catalog.engine("vllm").host_per_step
    assert now is not None
    rows = read_csv(made_up(tmp_path / "rows.csv", {host: 8 * now.value}))
    fit = calibrate.fit(rows, [host], processes=1)
    # The prior holds back a little; the rows say eight times as much.
    assert fit.values[host] == pytest.approx(8 * now.value, rel=0.25)
    assert abs(fit.after).max() < abs(fit.before).max() / 3


def test_fitted_constants_stay_in_their_bounds(tmp_path: Path) -> None:
    rows = [replace(m, value=m.value / 50) for m in read_csv(made_up(tmp_path / "rows.csv", {}))]
    parameters = [Parameter("chip", "h100", "weights", "bf16"), Parameter("engine", "vllm", "host_per_step")]
    for parameter, value in calibrate.fit(rows, parameters, processes=1).values.items():
        low, high = parameter.bounds
        assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)


def test_the_command_writes_catalogue_files(tmp_path: Path) -> None:
    now = catalog.engine("vllm").host_per_step
    assert now is not None
    rows = made_up(tmp_path / "rows.csv", {Parameter("engine", "vllm", "host_per_step"): 4 * now.value})
    folder = tmp_path / "mine"
    run = CliRunner().invoke(cli, ["calibrate", str(rows), "--fit", "host_per_step", "-o", str(folder)])
    assert run.exit_code == 0, run.output
    spec = catalog.engine(str(folder / "engines" / "vllm.toml"))
    assert spec.host_per_step is not None
    assert spec.host_per_step.value > 2 * now.value
    assert "rows.csv: 16 rows, median error" in (spec.note or "")
    again = CliRunner().invoke(cli, ["calibrate", str(rows), "--fit", "host_per_step", "-o", str(folder)])
    assert isinstance(again.exception, RooflineError)
    assert "give --overwrite" in str(again.exception)


def test_unknown_constants_and_useless_rows_are_one_line(tmp_path: Path) -> None:
    rows = made_up(tmp_path / "rows.csv", {})
    run = CliRunner().invoke(cli, ["calibrate", str(rows), "--fit", "speed", "-o", str(tmp_path)])
    assert "--fit 'speed' is not a constant" in str(run.exception)
    text = rows.read_text().replace("h100", "h1000")
    rows.write_text(text)
    run = CliRunner().invoke(cli, ["calibrate", str(rows), "-o", str(tmp_path)])
    assert "no row of the file can be predicted" in str(run.exception)


def test_every_row_is_predicted_or_has_a_reason(tmp_path: Path) -> None:
    checked = validate.check_all(validate.shipped())
    assert len(checked) == len(validate.shipped())
    for one in checked:
        assert (one.predicted is None) == bool(one.skipped)
    stated = [c for c in checked if c.measurement.isl is not None and c.measurement.batch is not None]
    assert sum(not c.skipped for c in stated) >= 0.97 * len(stated)


def test_rows_file_keeps_every_input_column(tmp_path: Path) -> None:
    rows, out = made_up(tmp_path / "rows.csv", {}), tmp_path / "out.txt"
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join([lines[0] + ",mine", *(f"{line},{i}" for i, line in enumerate(lines[1:]))]) + "\n")
    run = CliRunner().invoke(cli, ["validate", str(rows), "--rows", str(out)])
    assert run.exit_code == 0, run.output
    found = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["mine"] for row in found] == [str(i) for i in range(16)]
    for row in found:
        error = abs(float(row["predicted"]) / float(row["value"]) - 1)
        assert float(row["error"]) == pytest.approx(error)
        assert float(row["low"]) < float(row["predicted"]) < float(row["high"])
        assert row["skipped_because"] == ""


def test_published_accuracy_holds() -> None:
    """Medians over the shipped rows: a change that makes predictions worse is seen here."""
    by = {r["kind"]: r for r in validate.summary(validate.check_all(validate.shipped()), ["kind"])}
    limits = {
        "TPOT under concurrency": 0.15,
        "saturated output throughput": 0.12,
        "static batch, 2024 and later": 0.15,
        "llama.cpp and gpt-fast decode": 0.12,
        "kernel-level decode step": 0.17,
        "kernel-level prefill step": 0.17,
        "first token at low load": 0.15,
        "TTFT under concurrency": 0.45,
    }
    for kind, limit in limits.items():
        assert by[kind]["median_absolute_error"] < limit, kind
