"""`roofline price` and `roofline session` as a user meets them: pages, records, exit codes, start-up."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = [sys.executable, "-c", "from roofline.cli.main import run; run()"]


def roofline(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *args], capture_output=True, text=True, env=os.environ | env, check=False)


def records(*args: str) -> list[dict[str, object]]:
    result = roofline(*args, "--format", "json")
    assert result.returncode == 0, result.stderr
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def error(*args: str) -> str:
    result = roofline(*args)
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize(("hour", "expected"), [("12", (0.15, 0.003, 0.6)), ("02", (0.3, 0.006, 1.2))])
def test_show_by_the_hour(hour: str, expected: tuple[float, ...]) -> None:
    (record,) = records(
        "price", "show", "deepseek-v4-flash", "--provider", "deepseek", "--at", f"2026-11-23T{hour}:00Z"
    )
    kinds = ("input", "cached_input", "output")
    assert tuple(record[f"usd_per_million_{kind}_tokens"] for kind in kinds) == expected
    assert record["source"] == "genai-prices 0.2.3"
    assert record["price_date"] == "2026-11-23"


def test_show_names_source_and_date_of_every_price() -> None:
    text = roofline("price", "show", "gpt-oss-120b").stdout
    assert "Median of 18 unflagged offers" in text
    lines = [line for line in text.splitlines() if "$" in line and "Median" not in line and "$/M" not in line]
    assert len(lines) > 20
    assert all(("genai-prices 0.2.3" in line or "litellm 1.109.1" in line) and ", " in line for line in lines)


def test_the_articles_table() -> None:
    text = roofline("price", "list", "--as-of", "2026-05-11").stdout
    assert "Input spread 35.7x (gpt-5.5 $5.00 / deepseek-v4-flash $0.14), output spread 107x" in text
    assert "2026-05-11" in text
    assert len(records("price", "list", "--as-of", "2026-05-11")) == 6


def test_list_filters() -> None:
    everything = records("price", "list")
    assert len(everything) >= 40
    assert {r["model"] for r in records("price", "list", "--model", "gpt-4.1,opus-4.7")} == {
        "gpt-4.1",
        "claude-opus-4.7",
    }
    assert all(r["provider"] == "groq" for r in records("price", "list", "--provider", "Groq"))
    rows = records("price", "list", "--rows")
    assert len(rows) > 500
    assert any("flags" in r for r in rows)


def test_every_format() -> None:
    for kind in ("jsonl", "csv", "md"):
        result = roofline("price", "list", "--model", "gpt-4.1", "--format", kind)
        assert result.returncode == 0
        assert "gpt-4.1" in result.stdout
    table = list(csv.DictReader(io.StringIO(roofline("session", "--format", "csv").stdout)))
    assert len(table) >= 40


def test_compare_puts_retail_beside_cost_beside_electricity() -> None:
    args = ("price", "compare", "--hw", "b200", "--model", "deepseek-v4-flash", "--batch", "64", "--utilisation", "0.5")
    (r,) = records(*args)
    for kind, joules in (("input", "joules_per_input_token"), ("output", "joules_per_token")):
        cost, price = float(r[f"usd_per_million_{kind}_tokens"]), float(r[f"retail_usd_per_million_{kind}_tokens"])  # type: ignore[arg-type]
        # $/M = J/token x PUE 1.2 x 0.0929 $/kWh / 3.6e6 J/kWh x 1e6
        power = float(r[joules]) * 1.2 * 0.0929 / 3.6  # type: ignore[arg-type]
        assert r[f"electricity_usd_per_million_{kind}_tokens"] == pytest.approx(power)
        assert power < cost
        assert r[f"gross_margin_{kind}"] == pytest.approx(1 - cost / price)
    assert r["peak_usd_per_million_output_tokens"] == 1.2
    assert r["off_peak_usd_per_million_output_tokens"] == 0.6
    text = roofline(*args).stdout
    for part in (
        "retail, median",
        "retail, peak",
        "predicted cost",
        "electricity",
        "gross margin",
        "EIA",
        "utilisation 50%",
    ):
        assert part in text


def test_compare_of_a_chip_without_a_price_and_of_a_closed_model() -> None:
    text = roofline("price", "compare", "--hw", "b200", "--model", "gpt-4.1", "--batch", "16").stdout
    assert "end of its scenario" in text
    both = roofline("price", "compare", "--hw", "wse3,b200", "--model", "gpt-4.1")
    assert both.returncode == 0, both.stderr


def test_ones_own_list_price() -> None:
    """At its cost a token has no margin; at twice that, half of it, and machines that are half busy break even."""
    point = ("price", "compare", "--hw", "b200", "--model", "gpt-oss-120b", "--batch", "64")
    (known,) = records(*point)
    costs = [float(known[f"usd_per_million_{kind}_tokens"]) for kind in ("input", "output")]  # type: ignore[arg-type]
    (r,) = records(*point, "--list-price", f"{costs[0]!r},{2 * costs[1]!r}")
    assert r["gross_margin_input"] == pytest.approx(0, abs=1e-12)
    assert r["gross_margin_output"] == pytest.approx(0.5)
    assert r["break_even_utilisation_output"] == pytest.approx(0.5)
    assert "retail, as given" in roofline(*point, "--list-price", "0.1,0.4").stdout
    for wrong in (("--list-price", "0.1"), ("--list-price", "-1,2"), ("--list-price", "1,2", "--provider", "groq")):
        result = roofline(*point, *wrong)
        assert result.returncode == 1
        assert result.stderr.startswith("Error: --list-price") and result.stderr.count("\n") == 1


def test_a_closed_model_on_a_wafer_is_compared_as_it_is_served() -> None:
    """One record per end of the scenario, and never the naive bound, which is thousands of times what is sold."""
    found = records("compare", "--hw", "wse3", "--model", "gpt-5.5")
    assert [r["scenario"] for r in found] == ["low", "high"]
    assert {r["estimate"] for r in found} == {"estimate"}
    assert {r["estimate_kind"] for r in found} == {"as_served"}
    every = records("decode", "--hw", "wse3", "--model", "gpt-5.5")
    assert [r["estimate_kind"] for r in every] == ["no_speculation", "as_served", "naive_bandwidth"] * 2
    assert [r["tokens_per_second_per_user"] for r in found] == [
        r["tokens_per_second_per_user"] for r in every if r["estimate_kind"] == "as_served"
    ]


def test_live_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("genai_prices")
    from roofline.cost import live
    from roofline.cost.prices import snapshot
    from roofline.cost.quotes import When, parse_instant

    monkeypatch.setattr(live, "_fetch", lambda: None)  # no network in tests
    when = When(parse_instant("2026-11-23T02:00Z", "--at"))
    (record,) = live.live(snapshot(), "deepseek-v4-flash", "deepseek", when)
    assert record["usd_per_million_input_tokens"] == 0.3
    assert record["usd_per_million_output_tokens"] == 1.2
    assert "no network" in record["warnings"][0]
    (record,) = live.live(snapshot(), "gpt-5.5", "openai", when, 300_000)
    assert record["usd_per_million_cached_input_tokens"] == 1.0


def test_live_without_the_package(tmp_path: Path) -> None:
    (tmp_path / "genai_prices.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = roofline("price", "show", "gpt-5.5", "--live", PYTHONPATH=path)
    assert result.returncode == 1
    assert result.stderr.strip() == "Error: --live needs the genai-prices package: pip install 'roofline[prices]'"


def test_session_page() -> None:
    text = roofline("session", "--model", "claude-opus-4.7,gpt-5.5").stdout
    for part in ("$10.04", "62%", "TraceLab", "genai-prices 0.2.3", "retrieved 2026-11-23", "84 calls"):
        assert part in text


def test_session_from_a_log_and_a_log_cut_in_half(tmp_path: Path) -> None:
    tokens = {"input_tokens": 1_000_000, "output_tokens": 0}
    line = json.dumps({"message": {"id": "m", "usage": tokens}})
    log = tmp_path / "log.jsonl"
    log.write_text(line + "\n")
    (record,) = records("session", str(log), "--model", "gpt-4.1")
    assert record["session_usd"] == pytest.approx(2.0)  # a million input tokens at $2
    log.write_text(line + "\n" + line[: len(line) // 2])
    assert f"{log}: line 2: not a whole JSON record" in error("session", str(log))


def test_a_budget_below_the_cheapest_says_the_cheapest() -> None:
    pytest.importorskip("scipy")
    line = error("session", "--budget", "0.01")
    assert "below the cheapest mix, which costs $0.196" in line
    assert "gemini-2.5-flash-lite" in line


def test_mix(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    path = tmp_path / "floors.csv"
    path.write_text("model,quality\nfloors,0.8\ndeepseek-v4-flash,0.7\nclaude-opus-4.7,0.9\n")
    found = records("session", "--mix", str(path), "--sessions", "10", "--budget", "100")
    assert [r["share"] for r in found] == pytest.approx([0.5, 0.5])
    assert all(r["source"] and r["price_date"] for r in found)
    assert "Cheapest mix" in roofline("session", "--mix", str(path)).stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("price", "show", "gpt-9"), "no list price for model 'gpt-9' (did you mean"),
        (("price", "show", "gpt-5.5", "--as-of", "2026-02-30"), "--as-of: '2026-02-30' is not a date"),
        (("price", "show", "gpt-5.5", "--at", "noon"), "--at: 'noon' is not a date"),
        (("price", "list", "--as-of", "1999-01-01"), "no list price is known for 1999-01-01"),
        (("price", "list", "--at", "2026-11-23", "--as-of", "2026-11-23"), "give one of them"),
        (("price", "list", "--source", "hearsay"), "no list price from source 'hearsay'"),
        (("price", "show", "gpt-5.5", "--prices", "/nowhere.csv"), "/nowhere.csv"),
        (("price", "compare", "--hw", "b200", "--model", "llama-2-7b"), "no list price for model 'llama-2-7b'"),
        (("price", "compare", "--hw", "b200", "--model", "deepseek-v3", "--usd-per-kwh", "-1"), "--usd-per-kwh: -1"),
        (("session", "--profile", "nap"), "unknown workload 'nap'"),
        (("session", "--isl", "1k", "--osl", "10", "--turns", "2", "--cache-hit", "1.5"), "a hit rate is from 0 to 1"),
        (("session", "--isl", "1k", "--profile", "coding-agent"), "each describe a session"),
        (("session", "--system", "20k"), "--new is missing"),
        (("session", "--budget", "-1"), "--budget: -1"),
        (("session", "--sessions", "0"), "--sessions: 0 is out of range"),
        (("session", "--mix", "/nowhere.toml"), "/nowhere.toml: no such file"),
        (("session", "/nowhere.jsonl"), "/nowhere.jsonl: no such file"),
    ],
)
def test_one_line_for_every_mistake(args: tuple[str, ...], message: str) -> None:
    assert message in error(*args)


@pytest.mark.parametrize(
    "args", [("--help",), ("price", "show", "gpt-5.5"), ("price", "list"), ("session", "--budget", "50")]
)
def test_nothing_heavy_is_imported(args: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom roofline.cli.main import cli\n"
        f"cli.main({list(args)!r}, standalone_mode=False)\n"
        "heavy = {'numpy', 'scipy', 'numba', 'pydantic', 'genai_prices', 'pandas'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "set()", result.stderr
