"""Intervals: they hold the prediction, name their confidence, widen with distance, and were seen to hold."""

from __future__ import annotations

import csv
import importlib
import math
import random
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roofline import catalog
from roofline.interval import factors_of, interval
from roofline.resolve import Request, resolve
from roofline.system import System
from roofline.validate import QUESTIONS, SPATIAL_QUESTIONS


def system(hw: str, model: str, engine: str, chips: int = 8) -> System:
    return resolve(Request(hw, model, engine, chips=chips), 1.0, 1024.0)


@pytest.mark.parametrize("question", sorted({*QUESTIONS.values()}))
@pytest.mark.parametrize(
    ("hw", "engine", "word"),
    [("h100", "vllm", "calibrated"), ("gaudi3", "vllm", "transferred"), ("tpu-v5e", "jetstream", "spec-sheet")],
)
def test_every_question_has_an_interval_that_holds_the_prediction(
    hw: str, engine: str, word: str, question: str
) -> None:
    for model in ("llama-3.3-70b", "gpt-oss-120b"):
        found = interval(system(hw, model, engine), question)
        assert found is not None
        assert found.confidence == word
        # A range that leaves out what is predicted would say that the prediction is known to be wrong.
        assert found.low <= 1.0 <= found.high
        assert found.low < found.high


def test_a_model_of_a_new_shape_is_less_sure() -> None:
    # Same chip, engine and kind of FFN; the shape of Llama 70B was fitted, that of Mistral Large 2 was not.
    names = ("llama-3.3-70b", "mistral-large-2")
    known, new = (interval(system("h100", name, "tensorrt-llm"), "saturated") for name in names)
    assert known is not None and new is not None
    assert known.confidence == new.confidence == "calibrated"
    assert new.high / new.low > known.high / known.low


def test_the_ideal_engine_predicts_nothing() -> None:
    assert interval(system("h100", "llama-3.3-70b", "ideal"), "decode") is None


@pytest.mark.parametrize("question", sorted({*SPATIAL_QUESTIONS.values(), "decode"}))
def test_a_wafer_has_a_range_of_its_own(question: str) -> None:
    found = interval(resolve(Request("wse3", "llama-3.1-8b"), 1.0, 1024.0), question)
    assert found is not None
    assert found.low <= 0.8 < 1.25 <= found.high


def test_an_interval_is_the_range_of_its_table_times_the_scale_of_its_factors() -> None:
    table = tomllib.loads(catalog.read_text(catalog.shipped_folder() / "calibration" / "intervals.toml"))
    found = interval(system("h100", "llama-3.3-70b", "vllm"), "tpot")
    assert found is not None
    # Llama 3.3 70B is shipped in BF16.
    names = ["tpot", "h100", "vllm", "dense", "tpot 16-bit", "tpot h100 vllm dense"]
    assert factors_of("tpot", "h100", "vllm", "dense", "16-bit") == names
    scale = math.prod(table["calibrated"]["scale"].get(name, 1.0) for name in names)
    low, high = table["calibrated"]["range"]["tpot"]
    assert (found.low, found.high) == pytest.approx((math.exp(low * scale), math.exp(high * scale)))


def test_a_service_that_prefills_much_is_less_sure() -> None:
    served = system("h100", "llama-3.3-70b", "vllm")
    for question in ("tpot", "ttft"):
        idle, half, full = (interval(served, question, busy) for busy in (0.0, 0.5, 1.0))
        assert idle is not None and half is not None and full is not None
        assert idle.high < half.high < full.high
        # One factor to the power of the share: the scale of half is the geometric mean of both.
        logs = [math.log(one.high) for one in (idle, half, full)]
        assert logs[1] == pytest.approx(math.sqrt(logs[0] * logs[2]))


@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm@2024-10"])
def test_an_engine_that_is_new_to_a_family_has_the_table_of_ports(engine: str) -> None:
    # TensorRT-LLM was never seen on AMD, vLLM only from 2025 on: its port of 2024 ran up to five times slower.
    ported, usual = (interval(system("mi300x", "llama-3.3-70b", e), "static") for e in (engine, "vllm"))
    assert ported is not None and usual is not None
    assert ported.high > 2.0 * usual.high
    notes = ["; ".join(system("mi300x", "llama-3.3-70b", e).warnings) for e in (engine, "vllm")]
    assert [f"{engine} on mi300x: no fit has seen this engine on such chips" in note for note in notes] == [True, False]


def test_one_port_of_an_engine_serves_a_family_of_chips_and_not_a_vendor() -> None:
    families = {
        "h100": "nvidia",
        "rtx4090": "nvidia",
        "mi300x": "amd-cdna3",
        "mi355x": "amd-cdna3",
        "radeon-r9700": "amd-rdna",
        "arc-pro-b60": "intel-xe",
        "gaudi3": "intel-gaudi",
    }
    assert {name: catalog.chip_family(catalog.hardware(name).hardware_class) for name in families} == families
    # vLLM was fitted on Intel's Arc cards; GLM-4.7 on Gaudi 3 took 2.8 times as long as predicted from them.
    arc, gaudi = (interval(system(hw, "llama-3.1-8b", "vllm", 1), "tpot") for hw in ("arc-pro-b60", "gaudi3"))
    assert arc is not None and gaudi is not None
    assert gaudi.high > max(2.0 * arc.high, 2.8)


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "bench"))
    return importlib.import_module("scales")


def _rows(scales: Any, draw: random.Random, sizes: dict[str, float], n: int) -> list[Any]:
    kind = "TPOT under concurrency"
    return [
        scales.Row(kind, chip, "vllm", "dense", "shape", "source", f"{chip} {i}", draw.gauss(0.0, size), "8-bit")
        for chip, size in sizes.items()
        for i in range(n)
    ]


def test_a_chip_that_is_predicted_well_has_a_narrow_interval_that_still_holds(scales: Any) -> None:
    draw = random.Random(1)
    sizes = {"h100": 0.05, "mi300x": 0.2}
    made = scales.fitted(_rows(scales, draw, sizes, 400))
    widths = {}
    for chip, size in sizes.items():
        low, high = made.bounds(_rows(scales, draw, {chip: size}, 1)[0])
        widths[chip] = math.log(high / low)
        fresh = [row.error for row in _rows(scales, draw, {chip: size}, 2000)]
        # 2,000 rows at 0.9: the share is within 0.9 +- 0.02, and what 400 rows do not know adds as much again.
        held = sum(math.log(low) <= error <= math.log(high) for error in fresh) / len(fresh)
        assert held == pytest.approx(0.9, abs=0.05)
    # 0.2 / 0.05 = 4; the penalty and the cap on errors draw the two a little together.
    assert widths["mi300x"] / widths["h100"] == pytest.approx(4.0, rel=0.25)


def test_a_range_is_wider_where_errors_grow_with_the_share_of_prefills(scales: Any) -> None:
    # Errors four times as wide on a machine that does nothing but prefill: the factor is 4, the width at half of it 2.
    draw = random.Random(2)
    rows = [
        scales.Row("TTFT under concurrency", "h100", "vllm", "dense", "shape", "source", str(i), error, "8-bit", busy)
        for i in range(2000)
        for busy in (draw.random(),)
        for error in (draw.gauss(0.0, 0.05 * 4.0**busy),)
    ]
    made = scales.fitted(rows)
    widths = []
    for busy in (0.0, 0.5):
        low, high = made.bounds(replace(rows[0], busy=busy))
        widths.append(math.log(high / low))
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.1)


def test_few_rows_move_a_factor_little(scales: Any) -> None:
    draw = random.Random(2)
    rows = _rows(scales, draw, {"h100": 0.1}, 400) + _rows(scales, draw, {"a40": 0.001}, 2)
    made = scales.fitted(rows)
    # Two rows against a penalty of ten: far from the hundredth that they say themselves.
    assert made.factors["a40"] > 0.5


def test_a_range_holds_its_share_and_the_prediction(scales: Any) -> None:
    # 19 errors of 1 to 19: at 0.9 the size is ceil(0.9 x 20) = 18 of them, and 0 is always inside.
    assert scales.shortest([float(i) for i in range(1, 20)], 0.9) == (0.0, 18.0)


def test_intervals_held_on_rows_that_neither_fit_nor_interval_had_seen() -> None:
    path = catalog.shipped_folder() / "calibration" / "held_out.csv"
    rows = [r for r in csv.DictReader(catalog.read_text(path).splitlines()) if int(r["n"]) >= 40]
    seen = [r for r in rows if r["left_out"] == "configurations"]
    assert len(seen) >= 7
    for r in seen:
        # 85 to 95 %, and the chance of n rows on top: sqrt(0.9 x 0.1 / n) is 5 % of 40 rows and 1 % of 650.
        allowed = 0.05 + 1.5 * math.sqrt(0.09 / int(r["n"]))
        assert float(r["interval_coverage"]) == pytest.approx(0.9, abs=allowed), r
