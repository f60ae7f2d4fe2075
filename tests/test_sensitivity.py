"""Elasticities against hand arithmetic and sum rules; the inverse against a round trip."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from click.testing import CliRunner

import roofline
from roofline import catalog
from roofline.cli.main import cli
from roofline.errors import RooflineError

RATES, TIMES = ("B/s", "FLOP/s", "Hz"), ("s",)


def by_figure(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["figure"]: record for record in records}


def test_a_memory_bound_ideal_step_is_bandwidth_over_bytes() -> None:
    # Batch 1 under `ideal`: every operation of llama-3.1-8b reads weights or cache, so tok/s = bandwidth / bytes.
    found = by_figure(roofline.sensitivity("h100", "llama-3.1-8b", engine="ideal", batch=1, context=8192))
    bandwidth = found["hw.memory.0.bandwidth"]
    assert bandwidth["elasticity"] == pytest.approx(1.0, abs=1e-6)
    assert bandwidth["change_up"] == pytest.approx(0.1, rel=1e-9)
    assert bandwidth["change_down"] == pytest.approx(-0.1, rel=1e-9)
    assert found["hw.peak.bf16"]["elasticity"] == 0
    # Bytes of a step: 32 layers of (q, o: 2 x 4096^2; k, v: 2 x 4096 x 1024; FFN: 3 x 4096 x 14336) x 2 B, their cache
    # of 2 x 8 x 128 x 2 B x 8193 entries, and the LM head of 4096 x 128256 x 2 B.
    layer = 2 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    cache, head = 2 * 8 * 128 * 2 * 8193, 4096 * 128256 * 2
    total = 32 * (layer + cache) + head
    # The share of the cache in the bytes, times d ln(context + 1) / d ln context, is what context costs.
    share = 32 * cache / total * 8192 / 8193
    assert found["context"]["elasticity"] == pytest.approx(-share, rel=2e-3)
    # Layers move by whole numbers: 32 to 28 (-10 % rounded away from 32) and to 36.
    few, many = (n * (layer + cache) + head for n in (28, 36))
    assert found["model.layers.0.repeat"]["elasticity"] == pytest.approx(
        math.log(few / many) / math.log(36 / 28), rel=2e-3
    )
    width = found["model.d_model"]["elasticity"] + found["context"]["elasticity"]
    assert width == pytest.approx(-1.0, abs=2e-3), "every weight has one side d_model; the rest is cache"


@pytest.mark.parametrize(
    ("hw", "model", "options"),
    [
        ("h100", "llama-3.1-8b", {}),
        ("h100", "llama-3.3-70b", {"chips": 8, "batch": 32}),
        ("b200", "deepseek-v3", {"chips": 8, "ep": 8, "batch": 64, "context": 2048}),
        ("mi300x", "gpt-oss-120b", {"batch": 8, "output": "tokens_per_second"}),
        ("h100", "llama-3.3-70b", {"chips": 8, "phase": "prefill", "output": "tokens_per_second"}),
        ("wse3", "llama-3.1-8b", {}),
        ("wse3", "llama-3.3-70b", {"phase": "prefill", "output": "tokens_per_second"}),
        ("groq-lpu", "llama-3.3-70b", {}),  # only times: per layer and per hop
    ],
)
def test_speeds_are_homogeneous_in_rates_and_times(hw: str, model: str, options: dict[str, Any]) -> None:
    # Scale every rate by f and every time by 1/f and a speed scales by f (units of time cannot matter), so
    # sum of elasticities to rates - sum of elasticities to times = 1, whatever binds.
    found = roofline.sensitivity(hw, model, **options)
    rates = sum(r["elasticity"] for r in found if r["unit"] in RATES)
    times = sum(r["elasticity"] for r in found if r["unit"] in TIMES)
    assert rates - times == pytest.approx(1.0, abs=2e-3)


def test_dollars_follow_price_and_utilisation() -> None:
    found = by_figure(roofline.sensitivity("h100", "llama-3.1-8b", output="$/M", basis="rental-median"))
    assert found["hw.price.rental.median"]["elasticity"] == pytest.approx(1.0, abs=1e-9)
    assert found["utilisation"]["elasticity"] == pytest.approx(-1.0, abs=1e-6)
    assert "change_up" not in found["utilisation"], "it is at its bound of 1"
    assert found["hw.price.rental.low"]["elasticity"] == 0
    own = by_figure(roofline.sensitivity("h100", "llama-3.1-8b", output="$/M", usd_per_hour=2.0))
    assert own["usd_per_hour"]["change_up"] == pytest.approx(0.1)


def test_a_time_moves_against_its_rate_and_ranks_are_in_order() -> None:
    speed = by_figure(roofline.sensitivity("h100", "llama-3.1-8b"))
    time = by_figure(roofline.sensitivity("h100", "llama-3.1-8b", output="tpot"))
    for name, record in speed.items():
        assert time[name]["elasticity"] == pytest.approx(-record["elasticity"], abs=1e-6)
    ordered = sorted(speed.values(), key=lambda r: r["rank"])
    swings = [record["swing"] for record in ordered]
    assert swings == sorted(swings, reverse=True)
    assert [r["rank"] for r in ordered] == list(range(1, len(ordered) + 1))


def test_what_no_longer_fits_is_said() -> None:
    # 8B in bf16 is 16.06 GB; 17 GB hold it and 15.3 GB do not.
    found = by_figure(
        roofline.sensitivity(
            "h100", "llama-3.1-8b", engine="ideal", chips=1, context=128, set=["hw.memory.0.capacity=17GB"]
        )
    )
    assert found["hw.memory.0.capacity"]["fits_down"] is False
    assert found["hw.memory.0.capacity"]["change_up"] == 0


def test_services_and_full_machines() -> None:
    found = roofline.sensitivity("h100", "llama-3.1-8b", phase="serve", isl=1024, osl=256, concurrency=16)
    assert {record["output"] for record in found} == {"tokens_per_second_per_chip"}
    assert by_figure(found)["hw.memory.0.bandwidth"]["elasticity"] > 0.1
    # Users who wait for no one gain less than all of it.
    assert 0 < by_figure(found)["concurrency"]["elasticity"] < 1


@pytest.mark.parametrize(
    ("hw", "vary", "factor", "output"),
    [
        ("h100", "hw.memory.0.bandwidth", 1.5, "tokens_per_second_per_user"),
        ("h100", "hw.memory.HBM3.bandwidth", 0.5, "tpot"),
        ("h100", "engine.host_per_step", 2.0, "tokens_per_second_per_user"),
        ("h100", "hw.price.rental.median", 0.25, "usd_per_million_output_tokens"),
        ("h100", "context", 3.0, "tokens_per_second_per_user"),
        ("wse3", "hw.spatial.clock", 1.3, "tokens_per_second_per_user"),
    ],
)
def test_the_inverse_returns_what_went_in(hw: str, vary: str, factor: float, output: str) -> None:
    money = {"basis": "rental-median"} if output.startswith("usd") else {}
    records = by_figure(roofline.sensitivity(hw, "llama-3.1-8b", output=output, step=0.1, **money))
    path = vary.replace("HBM3", "0")
    now = records[path]["figure_value"]
    # The output at so many times the figure, asked directly, is the target; the inverse must find the figure.
    if path == "context":
        there = roofline.decode(hw, "llama-3.1-8b", context=int(now * factor), chips=1).records()[0]
    else:
        there = roofline.decode(hw, "llama-3.1-8b", set=f"{path}={now * factor!r}", chips=1, **money).records()[0]
    name = records[path]["output"]
    [found] = roofline.sensitivity(hw, "llama-3.1-8b", output=output, target=there[name], vary=vary, **money)
    assert found["reached"]
    assert found["figure_needed"] == pytest.approx(now * factor, rel=1e-6)
    assert found["output_reached"] == pytest.approx(there[name], rel=1e-9)


def test_whole_numbers_reach_a_target_in_whole_numbers() -> None:
    [found] = roofline.sensitivity(
        "h100", "llama-3.1-8b", output="tpot", target=0.005, vary="model.layers.0.repeat", engine="ideal"
    )
    n = found["figure_needed"]
    assert n == int(n)
    near = [
        roofline.decode("h100", "llama-3.1-8b", engine="ideal", set=f"model.layers.0.repeat={int(k)}").tpot_seconds
        for k in (n - 1, n)
    ]
    assert near[0] < 0.005 <= near[1]


def test_a_target_out_of_reach_names_what_binds() -> None:
    [found] = roofline.sensitivity(
        "h100", "llama-3.1-8b", output="tok/s/user", target=1e5, vary="hw.memory.0.bandwidth"
    )
    assert found["reached"] is False
    # With endless bandwidth what is left is launches and floors: times of the chip or the engine.
    assert found["bound"] == "launch and host"
    assert found["limited_by_elasticity"] < 0
    assert found["output_best"] == pytest.approx(
        1 / roofline.decode("h100", "llama-3.1-8b", set="hw.memory.0.bandwidth=1e24").tpot_seconds.item(), rel=1e-6
    )


def test_a_figure_without_effect_is_as_near_as_any() -> None:
    # A region of a wafer computes; the ports of all its memory together do not bind.
    result = run("--hw", "wse3", "--model", "llama-3.1-8b", "--target", "tpot=1ms", "--vary", "hw.memory.0.bandwidth")
    assert "No value of hw.memory.0.bandwidth reaches the target; today's is as near as any." in result.output


def test_releases_of_a_date_take_overrides() -> None:
    # A model of 2020: what kernels lack for a new one stretches the host's time too, by 3e-5 after 53 months.
    where = {"hw": "h100", "model": "gpt-3-175b", "engine": "vllm@2024-10"}
    plain, quick = (roofline.decode(**where, set=s).tpot_seconds.item() for s in ((), "engine.host_per_step=0.82ms"))
    # engines/vllm.toml has a host time of its own for releases until 2024-12, which today's do not have.
    old = next(epoch for epoch in catalog.engine("vllm").epochs if epoch.until == "2024-12").host_per_step
    assert old is not None and old.value != catalog.engine("vllm").host_per_step.value
    assert plain - quick == pytest.approx(old.value - 0.82e-3, rel=1e-4)
    found = by_figure(roofline.sensitivity(**where))
    assert found["engine.host_per_step"]["figure_value"] == pytest.approx(old.value)
    assert found["engine.host_per_step"]["elasticity"] == pytest.approx(-old.value / plain, rel=1e-3)


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["sensitivity", *words])


def test_the_command_prints_table_and_records() -> None:
    where = ("--hw", "h100,wse3", "--model", "llama-3.1-8b")
    table = run(*where)
    assert table.exit_code == 0, table.output
    assert "hw.memory.0.bandwidth" in table.output
    assert "hw.spatial.clock" in table.output
    records = json.loads(run(*where, "--format", "json").stdout)
    assert {r["hardware"] for r in records} == {"h100", "wse3"}
    assert all(math.isfinite(v) for r in records for v in r.values() if isinstance(v, float))
    served = json.loads(run(*where[:1], "wse3", *where[2:], "--estimate", "as_served", "--format", "json").stdout)
    assert served[0]["estimate"] == "as_served"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output", "speed"), "not among the numbers of decode"),
        (("--step", "0"), "--step"),
        (("--step", "10 GB"), "--step"),
        (("--batch", "1,2"), "takes one value"),
        (("--target", "tpot=20ms"), "--target and --vary go together"),
        (("--target", "tpot", "--vary", "batch"), "write OUTPUT=VALUE"),
        (("--target", "tpot=fast", "--vary", "batch"), "--target tpot"),
        (("--target", "tpot=-1ms", "--vary", "batch"), "must be above 0"),
        (("--target", "tpot=1ms", "--vary", "hw.memory.0.bandwith"), "did you mean 'hw.memory.0.bandwidth'"),
        (("--estimate", "as_served"), "--estimate as_served"),
        (("--batch", "100000"), "does not fit"),
        (("--phase", "serve", "--estimate", "as_served"), "--estimate"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], message: str) -> None:
    result = run("--hw", "h100", "--model", "llama-3.1-8b", "--chips", "1", *words)
    assert isinstance(result.exception, RooflineError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
