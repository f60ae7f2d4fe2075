"""Workload profiles: shipped files, traces, and the loads that `roofline cost` makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from roofline import catalog
from roofline.cli.main import cli
from roofline.errors import RooflineError
from roofline.trace import read_trace

FOLDER = catalog.shipped_folder() / "workloads"
NAMES = ["chat", "code-completion", "coding-agent", "lighter-agent", "long-chat", "rag", "reasoning", "summarise"]


def cost(*args: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(cli, ["cost", *args, "--format", "json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def problem(*args: str) -> str:
    result = CliRunner().invoke(cli, [*args])
    assert isinstance(result.exception, RooflineError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_all_are_there() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_source_date_and_kind(name: str) -> None:
    spec = catalog.workload(str(FOLDER / f"{name}.toml"))
    for path, figure in spec.figures():
        assert figure.source, path
        assert figure.kind, path
        assert figure.checked, path
    for lengths in (spec.isl, spec.osl):
        assert lengths.p50 is None or lengths.p90 is None or lengths.p50.value < lengths.p90.value
    assert (FOLDER / f"{name}.toml").read_text().startswith("#:schema ../schemas/workload.schema.json\n")


def test_names_and_aliases() -> None:
    assert catalog.find("workloads", "Coding Agent").stem == "coding-agent"
    assert catalog.find("workloads", "light-agent").stem == "lighter-agent"
    with pytest.raises(RooflineError, match="did you mean 'summarise'"):
        catalog.workload("sumarise")


def test_coding_agent_is_tracelab() -> None:
    spec = catalog.workload("coding-agent")
    # 54.9e9 input tokens over 357,161 calls; 52.6e9 of them cached; 186.9e6 output
    assert spec.isl.mean.value == pytest.approx(54.9e9 / 357_161, rel=0.001)
    assert spec.cache_hit.value == pytest.approx(52.6 / 54.9, rel=0.001)
    assert spec.osl.mean.value == pytest.approx(186.9e6 / 357_161, rel=0.001)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "Mine"\nsource = "me"\ncache_hit = 1.2\nisl = { mean = 10 }\nosl = { mean = 5 }\n')
    with pytest.raises(RooflineError, match=r"cache_hit: 1.2 is out of range; it must be at least 0 and at most 1"):
        catalog.workload(str(path))
    path.write_text(
        'name = "Mine"\nsource = "me"\ncache_hit = "20 %"\nisl = { mean = 10 }\nosl = { mean = 5, p50 = 9, p90 = 3 }\n'
    )
    with pytest.raises(RooflineError, match="below the median"):
        catalog.workload(str(path))
    path.write_text('name = "Mine"\nsource = "me"\ncache_hit = "20 %"\nisl = { mean = 10 }\nosl = { mean = 5 }\n')
    assert catalog.workload(str(path)).cache_hit.value == pytest.approx(0.2)


def test_commands() -> None:
    run = CliRunner().invoke
    assert "coding-agent" in run(cli, ["workload", "list"]).output
    assert f"{len(NAMES)} of {len(NAMES)}" in run(cli, ["workload", "validate"]).output
    shown = json.loads(run(cli, ["workload", "show", "chat", "--format", "json"]).stdout)
    assert {r["figure"]: r["value"] for r in shown}["isl.mean"] == 1150


def test_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,isl,osl,cached\n0,100,20,10\n1,300,60,100\n2,200,10,\n")
    spec = read_trace(path)
    # (100 + 300 + 200) / 3, (20 + 60 + 10) / 3, 110 of 600
    assert (spec.isl.mean.value, spec.osl.mean.value) == (200, 30)
    assert spec.cache_hit.value == pytest.approx(110 / 600)
    assert spec.isl.p50 is not None
    assert spec.isl.p50.value == 200


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("isl,osl\n100,20\n3,x\n", "line 3: osl: 'x' is not a number"),
        ("isl,osl\n100\n", "line 2: osl: ''"),
        ("isl,osl\n-5,2\n", "line 2: isl: -5 is out of range"),
        ("isl,osl,cached\n5,2,6\n", "line 2: cached: 6 is more than the 5"),
        ("isl\n5\n", "column osl is missing"),
        ("isl,osl\n", "no requests"),
        ("isl,osl\n5,nan\n", "line 2: osl: nan"),
    ],
)
def test_broken_traces(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(RooflineError, match=says):
        read_trace(path)


H100 = ("--hw", "h100", "--model", "llama-3.1-8b")


def test_cost_of_a_profile() -> None:
    records = cost(*H100, "--profile", "chat", "--rate", "40")
    by = {r["price_basis"]: r for r in records}
    assert {"rental-median", "owner-neocloud", "owned"} <= set(by)
    r = by["rental-median"]
    for key in ("price_date", "utilisation", "replicas", "joules_per_token", "electricity_usd_per_million_tokens"):
        assert key in r, key
    assert r["cache_hit"] == 0.35
    # replicas x capacity x utilisation is the load
    assert r["replicas"] * r["capacity_requests_per_second"] * r["utilisation"] == pytest.approx(40)  # type: ignore[operator]
    # blend x all tokens of an hour is the rent
    tokens = 3600 * 40 * (1150 + 211)
    assert r["usd_per_million_tokens"] * tokens / 1e6 == pytest.approx(r["total_usd_per_hour"])  # type: ignore[operator]
    assert r["usage_usd_per_million_tokens"] <= r["usd_per_million_tokens"]  # type: ignore[operator]
    # per request: fresh, cached and output at their prices
    fresh, cached = 0.65 * 1150, 0.35 * 1150
    parts = [("input", fresh), ("cached_input", cached), ("output", 211)]
    each = sum(float(str(r[f"usd_per_million_{kind}_tokens"])) * count for kind, count in parts) / 1e6
    assert each == pytest.approx(r["usd_per_request"])


def test_flags_win_over_the_profile(tmp_path: Path) -> None:
    record = cost(*H100, "--profile", "chat", "--osl", "500", "--cache-hit", "0", "--usd-per-hour", "2")[0]
    assert (record["osl"], record["cache_hit"], record["isl"]) == (500, 0, 1150)
    assert "usd_per_million_cached_input_tokens" not in record
    (tmp_path / "t.csv").write_text("isl,osl\n1000,100\n")
    record = cost(*H100, "--trace", str(tmp_path / "t.csv"), "--usd-per-hour", "2")[0]
    assert (record["isl"], record["osl"], record["profile"]) == (1000, 100, "t.csv")


def test_versus_api() -> None:
    args = (*H100, "--isl", "1000", "--osl", "1000", "--usd-per-hour", "2", "--rate", "1")
    record = cost(*args, "--versus-api", "1,3", "--staff", "500")[0]
    # 1,000 x 1 + 1,000 x 3 USD per million: 0.004 USD per request
    assert record["api_usd_per_million_tokens"] == pytest.approx(2.0)
    assert record["api_usd_per_month"] == pytest.approx(0.004 * 3600 * 730.5)
    assert record["own_usd_per_month"] == pytest.approx(2 * 730.5 + 500)
    assert record["own_is_cheaper"]
    # (2 x 730.5 + 500) / 0.004 requests a month
    per_second = (2 * 730.5 + 500) / 0.004 / (3600 * 730.5)
    assert record["break_even_requests_per_second"] == pytest.approx(per_second)
    cheap = cost(*args, "--versus-api", "0.0001,0.0001")[0]
    assert cheap["break_even_possible"] is False
    listed = cost("--hw", "h100", "--model", "llama-3.3-70b", "--profile", "chat", "--versus-api", "list")[0]
    assert "llama-3.3-70b" in str(listed["api_source"])


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    wrong = [
        (("--profile", "chatt"), "did you mean 'chat'"),
        (("--isl", "1k", "--osl", "1k", "--cache-hit", "1.2"), "--cache-hit: 1.2 is out of range"),
        (("--profile", "chat", "--rate", "-3"), "--rate: -3"),
        (("--profile", "chat", "--versus-api", "1,-2"), "negative"),
        (("--profile", "chat", "--versus-api", "1"), "IN,OUT"),
        (("--profile", "chat", "--usd-per-hour", "-2"), "negative"),
        (("--profile", "chat", "--rate", "3", "--utilisation", "0.4"), "give one of them"),
        (("--profile", "chat", "--capex", "-2"), "--capex"),
        (("--profile", "chat", "--usd-per-kwh", "-2"), "--usd-per-kwh"),
        (("--profile", "chat", "--samples", "2"), "--samples"),
        (("--profile", "chat", "--prefill-pool", "x=2"), "unknown key 'x'"),
        (("--rate", "3"), "a load needs its lengths"),
        (("--trace", str(tmp_path / "none.csv")), "no such file"),
    ]
    for args, says in wrong:
        assert says in problem("cost", *H100, *args)
    assert "give --usd-per-hour" in problem("cost", "--hw", "maia-200", "--model", "llama-3.1-8b", "--profile", "chat")


def test_owner_on_ones_own_terms() -> None:
    args = ("--hw", "wse3", "--model", "llama-3.1-8b", "--profile", "chat", "--capex", "1000000")
    [record] = cost(*args, "--years", "4", "--wacc", "10%", "--usd-per-kwh", "0", "--colo", "0")
    assert record["price_basis"] == "owned"
    assert record["usd_per_chip_hour"] == pytest.approx(35.99, abs=0.005)


def test_closed_models_and_samples() -> None:
    args = ("--hw", "b200", "--model", "gpt-5.5", "--chips", "16", "--profile", "rag", "--samples", "2000")
    records = cost(*args, "--basis", "rental-median")
    assert [r.get("scenario") for r in records] == ["low", "high", "low to high"]
    sampled = records[-1]
    assert sampled["usd_per_million_tokens_p10"] < sampled["usd_per_million_tokens_p90"]  # type: ignore[operator]
    assert "swing_scenario_low" in sampled
    assert cost(*args, "--basis", "rental-median")[-1] == sampled
    page = CliRunner().invoke(cli, ["cost", *args]).output
    assert "What matters most" in page
    assert "Electricity" in page
