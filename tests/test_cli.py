"""The command line: the main job, formats, exit codes, and one line for every mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roofline.report.words import rate, seconds

RUN = [sys.executable, "-c", "from roofline.cli.main import run; run()"]


def roofline(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *args], capture_output=True, text=True, env=os.environ | env, check=False)


def one_line_error(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_the_main_job() -> None:
    result = roofline("decode", "--hw", "wse3", "--model", "llama4-maverick")
    assert result.returncode == 0
    text = result.stdout
    for part in ("wafers needed", "22", "users that fit", "without speculation", "as served", "naive bandwidth bound"):
        assert part in text
    for part in ("bound by", "power", "550 kW", "per million", "utilisation 100%", "owner", "too high", "on chip"):
        assert part in text
    assert "\x1b" not in text  # no colour in a pipe


def test_json_is_flat_finite_and_echoes_its_inputs() -> None:
    result = roofline("decode", "--hw", "h100,wse3", "--model", "llama-3.1-8b", "--batch", "1,8", "--format", "json")
    records = json.loads(result.stdout)
    assert [r["estimate"] for r in records if r["batch"] == 1] == [
        "predicted",
        "no_speculation",
        "as_served",
        "naive_bandwidth",
    ]
    keys = """hardware model engine execution estimate chips tp pp dp ep batch context_tokens weights_dtype kv_dtype
    step_seconds tpot_seconds tokens_per_second_per_user tokens_per_second tokens_per_second_per_chip bound mfu mbu
    weights_bytes kv_bytes fits on_chip chips_needed users max_batch max_context usd_per_hour
    usd_per_million_output_tokens watts joules_per_token warnings"""
    assert set(keys.split()) <= set(records[0])
    for record in records:
        for value in record.values():
            assert value == value
            assert value not in (float("inf"), float("-inf"))
            assert not isinstance(value, dict)


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["decode", "--hw", "h100,b200"], ["tokens_per_second_per_user"]),
        (["prefill", "--hw", "h100,b200", "--isl", "2k"], ["ttft_seconds"]),
        (["serve", "--hw", "h100,gaudi3", "--concurrency", "8"], ["ttft_seconds", "tpot_seconds"]),
    ],
)
def test_tables_tell_how_wrong_a_point_may_be(command: list[str], keys: list[str]) -> None:
    command = [*command, "--model", "llama-3.1-8b"]
    page = roofline(*command).stdout
    for record in json.loads(roofline(*command, "--format", "json").stdout):
        assert record["confidence"] in page
        for key in keys:
            show = rate if key.startswith("tokens") else seconds
            assert f"{show(record[key + '_low'])} to {show(record[key + '_high'])}" in page


def test_formats_hold_the_same_numbers(tmp_path: Path) -> None:
    args = ["decode", "--hw", "h100", "--model", "llama-3.1-8b", "--batch", "1,2,4..16"]
    records = json.loads(roofline(*args, "--format", "json").stdout)
    assert [r["batch"] for r in records] == [1, 2, 4, 8, 16]
    lines = [json.loads(line) for line in roofline(*args, "--format", "jsonl").stdout.splitlines()]
    assert lines == records
    rows = list(csv.DictReader(io.StringIO(roofline(*args, "--format", "csv").stdout)))
    assert [float(row["step_seconds"]) for row in rows] == [r["step_seconds"] for r in records]
    assert roofline(*args, "--format", "md").stdout.count("\n") == 7
    import pyarrow.parquet as pq

    binary = subprocess.run([*RUN, *args, "--format", "parquet"], capture_output=True, check=True).stdout
    table = pq.read_table(io.BytesIO(binary))
    assert table["step_seconds"].to_pylist() == [r["step_seconds"] for r in records]


def test_every_attention_rank_decodes_as_many_as_an_engine_does() -> None:
    # vLLM decodes 1,024 sequences at most, and each of 160 ranks is an engine of its own.
    where = ["decode", "--hw", "ascend-910c", "--model", "deepseek-r1", "--weights", "int8", "--engine", "vllm"]
    shape = ["--chips", "160", "--tp", "1", "--dp", "160", "--ep", "160", "--context", "512", "--format", "json"]
    record = json.loads(roofline(*where, *shape).stdout)[0]
    assert record["users"] > record["max_batch"] == 160 * 1024


def test_what_does_not_fit_gets_no_throughput() -> None:
    # Two hold it: TensorRT-LLM's pages of 0.10 and 0.12 tell of Llama 70B in FP16 on two chips of 80 GB.
    args = ["decode", "--hw", "h100", "--chips", "1", "--model", "llama-3.1-70b"]
    text = roofline(*args).stdout
    assert "Does not fit" in text
    assert "it takes 2 chips" in text
    assert "tok/s" not in text
    record = json.loads(roofline(*args, "--format", "json").stdout)[0]
    assert record["fits"] is False
    assert record["chips_needed"] == 2
    assert not {"tokens_per_second", "step_seconds", "usd_per_million_output_tokens"} & set(record)
    assert roofline(*args, "--strict").returncode == 3
    assert roofline("decode", "--hw", "h100", "--model", "llama-3.1-8b", "--strict").returncode == 0


def test_closed_models_are_ranges_marked_estimate() -> None:
    result = roofline("decode", "--hw", "b200", "--model", "claude-opus-4.7", "--format", "json")
    records = json.loads(result.stdout)
    assert len(records) >= 2
    assert {r["estimate"] for r in records} == {"estimate"}
    assert {r["model"] for r in records} == {"claude-opus-4.7"}
    assert [records[0]["scenario"], records[-1]["scenario"]] == ["low", "high"]


def test_fallback_of_a_format_is_said() -> None:
    args = ["decode", "--hw", "a100", "--model", "llama-3.1-8b", "--weights", "fp8"]
    assert "no fp8 units" in roofline(*args).stdout
    result = roofline(*args, "--format", "json")
    assert "no fp8 units" in result.stderr
    assert "no fp8 units" in json.loads(result.stdout)[0]["warnings"][0]


def test_explain_adds_up() -> None:
    args = ["--hw", "h200", "--model", "deepseek-v3", "--tp", "8", "--weights", "fp8", "--batch", "16"]
    records = json.loads(roofline("explain", *args, "--format", "json").stdout)
    step = records[-1]
    assert step["operation"] == "step"
    assert sum(r["seconds"] for r in records[:-1]) == pytest.approx(step["seconds"], rel=1e-9)
    assert sum(r["share"] for r in records[:-1]) == pytest.approx(1)
    assert step["seconds"] == json.loads(roofline("decode", *args, "--format", "json").stdout)[0]["step_seconds"]
    assert "expert_gate_up" in roofline("explain", *args).stdout


def test_compare_and_cost() -> None:
    text = roofline("compare", "--hw", "wse3,h100,b200", "--model", "llama4-maverick").stdout
    assert "as served" in text
    assert "$/M output" in text
    records = json.loads(
        roofline("cost", "--hw", "h100", "--model", "llama-3.1-8b", "--utilisation", "0.5", "--format", "json").stdout
    )
    by = {r["price_basis"]: r for r in records}
    median = by["rental-median"]
    # $/M = $/h / 3600 / (tok/s x utilisation) x 10^6
    expected = median["usd_per_hour"] / 3600 / (median["tokens_per_second"] * 0.5) * 1e6
    assert median["usd_per_million_output_tokens"] == pytest.approx(expected)
    assert by["rental-low"]["usd_per_million_output_tokens"] < by["rental-high"]["usd_per_million_output_tokens"]


def test_own_price_and_unknown_price() -> None:
    args = ["decode", "--hw", "groq-lpu", "--model", "llama-3.1-8b"]
    assert "give --usd-per-hour" in roofline(*args).stdout
    record = json.loads(roofline(*args, "--usd-per-hour", "2", "--format", "json").stdout)[0]
    assert record["usd_per_hour"] == 2 * record["chips"]
    assert record["price_basis"] == "given"
    assert "no published price" in one_line_error(roofline("cost", "--hw", "maia-200", "--model", "llama-3.1-8b"))
    # a purchase price is known: it can be owned, but nobody publishes a price per hour
    args = ["cost", "--hw", "groq-lpu", "--model", "llama-3.1-8b", "--format", "json"]
    assert {r["price_basis"] for r in json.loads(roofline(*args).stdout)} == {"owned"}


def test_sweep_to_files(tmp_path: Path) -> None:
    args = ["sweep", "--hw", "h100,wse3", "--model", "llama-3.1-8b", "--batch", "1:64:x2", "--context", "1k:8k:x2"]
    args += ["--chips", "2"]
    out = tmp_path / "grid.csv"
    assert roofline(*args, "-o", str(out)).returncode == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    # 7 batches x 4 contexts, once for the GPU and twice for the wafer (without speculation and as served).
    assert len(rows) == 7 * 4 * 3
    one = ["--hw", "h100", "--model", "llama-3.1-8b", "--batch", "64", "--context", "8k", "--format", "json"]
    one += ["--chips", "2"]
    expected = json.loads(roofline("decode", *one).stdout)[0]["step_seconds"]
    same = next(r for r in rows if (r["hardware"], r["batch"], r["context_tokens"]) == ("h100", "64", "8192"))
    assert float(same["step_seconds"]) == pytest.approx(expected, rel=1e-12)
    assert "give --overwrite" in one_line_error(roofline(*args, "-o", str(out)))
    assert roofline(*args, "-o", str(out), "--overwrite").returncode == 0
    assert "unknown ending '.xyz'" in one_line_error(roofline(*args, "-o", str(tmp_path / "a.xyz")))
    assert one_line_error(roofline(*args, "-o", str(tmp_path / "no" / "a.csv"))).endswith("nothing was left behind")
    assert [p.name for p in tmp_path.iterdir()] == ["grid.csv"]


CHIP = """
name = "Mine"
vendor = "Me"
year = 2026
source = "my desk"
kind = "estimate"
[peak]
bf16 = "500 TFLOP/s"
[[memory]]
name = "HBM"
capacity = "100 GB"
bandwidth = "4 TB/s"
"""


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("vendor =", "vendr =", ["vendr: unknown key"]),
        ('"4 TB/s"', '"4 TB"', ["memory.0.bandwidth", "unknown unit 'TB'"]),
        ('"4 TB/s"', '"-4 TB/s"', ["memory.0.bandwidth", "out of range"]),
        ('"4 TB/s"', '"nan TB/s"', ["memory.0.bandwidth", "not a finite number"]),
        ('"4 TB/s"', "true", ["memory.0.bandwidth", "True is not a quantity"]),
        ("year = 2026", 'year = "soon"', ["year", "valid integer"]),
        ('source = "my desk"\n', "", ["peak.bf16", "no source"]),
        ("bf16 =", "bf17 =", ["peak.bf17", "unknown unit"]),
        ('name = "HBM"\n', "", ["memory.0.name", "missing"]),
        ("[peak]", "[peak", ["not valid TOML"]),
        ("[[memory]]", "[memory]", ["memory"]),
    ],
)
def test_a_wrong_chip_file_names_file_key_and_reason(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    path = tmp_path / "mine.toml"
    assert old in CHIP
    path.write_text(CHIP.replace(old, new, 1))
    for command in (["decode", "--hw", str(path), "--model", "llama-3.1-8b"], ["hw", "validate", str(path)]):
        result = roofline(*command)
        assert result.returncode == 1
        line = result.stderr.strip()
        assert "\n" not in line
        assert str(path) in line
        for part in parts:
            assert part in line


def test_own_files_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "hardware"
    folder.mkdir()
    (folder / "mine.toml").write_text(CHIP)
    assert roofline("hw", "validate", str(folder / "mine.toml")).returncode == 0
    by_path = roofline("decode", "--hw", str(folder / "mine.toml"), "--model", "llama-3.1-8b", "--format", "json")
    by_name = roofline(
        "decode", "--hw", "mine", "--model", "llama-3.1-8b", "--format", "json", ROOFLINE_PATH=str(tmp_path)
    )
    assert json.loads(by_path.stdout) == json.loads(by_name.stdout)
    listed = json.loads(roofline("hw", "list", "--format", "json", ROOFLINE_PATH=str(tmp_path)).stdout)
    assert next(r for r in listed if r["name"] == "mine")["origin"] == "path"
    assert "is not a folder" in one_line_error(roofline("hw", "list", ROOFLINE_PATH=str(tmp_path / "none")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_user_folder(tmp_path: Path) -> None:
    folder = tmp_path / "hardware"
    folder.mkdir(mode=0o000)
    assert "cannot read this folder" in one_line_error(roofline("hw", "list", ROOFLINE_PATH=str(tmp_path)))


def test_user_folder_that_the_system_refuses_to_look_up() -> None:
    # A path component above 255 bytes: the look-up itself fails (ENAMETOOLONG), as it does behind a closed folder.
    one_line_error(roofline("hw", "list", ROOFLINE_PATH="/" + 300 * "a"))


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe\x00name")
    assert "not UTF-8" in one_line_error(roofline("decode", "--hw", str(path), "--model", "llama-3.1-8b"))


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--hw", "h10o"], "unknown chip 'h10o' (did you mean 'h100'"),
        (["--model", "lama-3.1-8b"], "unknown model 'lama-3.1-8b' (did you mean 'llama-3.1-8b'"),
        (["--engine", "vlm"], "unknown engine 'vlm' (did you mean 'vllm'"),
        (["--weights", "fp9"], "unknown dtype 'fp9'"),
        (["--batch", "0"], "--batch: 0 is out of range"),
        (["--batch", "-1"], "--batch: -1 is out of range"),
        (["--batch", "nan"], "--batch: 'nan' is not a whole number"),
        (["--batch", "1e400"], "--batch"),
        (["--context", "99999999999999999999"], "--context: 99,999,999,999,999,999,999 is out of range"),
        (["--context", "8k:1k:x2"], "the last value is below the first"),
        (["--tp", "3"], "--tp 3 does not divide the 32 heads of Llama 3.1 8B; use one of 1, 2, 4, 8, 16, 32"),
        (["--ep", "8"], "has no experts"),
        (["--usd-per-hour", "-3"], "is negative"),
        (["--utilisation", "1.5"], "out of range"),
        (["--basis", "friends"], "has no 'friends' price"),
        (["--hw", "missing.toml"], "missing.toml: no such file"),
        (["--hw", ","], "empty item"),
        (["--batch", "1:1000000000:1"], "at most 1,000,000"),
    ],
)
def test_mistakes_are_one_line(args: list[str], part: str) -> None:
    base = {"--hw": "h100", "--model": "llama-3.1-8b"} | dict(zip(args[::2], args[1::2], strict=True))
    assert part in one_line_error(roofline("decode", *(word for pair in base.items() for word in pair)))


def test_an_option_given_twice_is_an_axis() -> None:
    commas = roofline("decode", "--hw", "h100,b200", "--model", "llama-3.1-8b", "--batch", "1,8", "--format", "csv")
    assert commas.stdout.count("\n") == 5
    chips, batches = ("--hw", "h100", "--hw", "b200"), ("--batch", "1", "--batch", "8")
    apart = roofline("decode", *chips, "--model", "llama-3.1-8b", *batches, "--format", "csv")
    assert apart.stdout == commas.stdout


def test_usage_mistakes_exit_with_2() -> None:
    assert roofline("decode").returncode == 2
    assert roofline("decode", "--frob").returncode == 2
    result = roofline("decod")
    assert result.returncode == 2
    assert "decode" in result.stderr


def test_closed_pipe_is_no_error() -> None:
    command = " ".join(
        [sys.executable, "-c", "'from roofline.cli.main import run; run()'", "hw list --format jsonl | head -1"]
    )
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.returncode in (0, 1, 141)


def test_catalogue_commands() -> None:
    show = json.loads(roofline("model", "show", "deepseek-v3", "--context", "8192", "--format", "json").stdout)
    assert len(show) == 1
    # 61 layers x (512 + 64) elements x 2 B x 8,192 tokens = 549 MiB.
    assert show[0]["kv_bytes"] == 549 * 2**20
    assert show[0]["total_parameters"] == 671_026_404_352
    assert show[0]["source"]
    figures = json.loads(roofline("hw", "show", "h100", "--format", "json").stdout)
    by = {r["figure"]: r for r in figures}
    assert by["memory.0.bandwidth"]["value"] == 3.35e12
    assert all(r["source"] and r["kind"] for r in figures)
    assert roofline("engine", "show", "vllm").returncode == 0
    for family in ("hw", "model", "engine"):
        assert roofline(family, "list").returncode == 0
        assert roofline(family, "validate").returncode == 0
    assert json.loads(roofline("schema", "model").stdout)["title"] == "Model"
