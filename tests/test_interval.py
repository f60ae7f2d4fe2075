"""Intervals: they hold the prediction, name their confidence, widen with distance, and were seen to hold."""

from __future__ import annotations

import csv
import math

import pytest

from roofline import catalog
from roofline.interval import cells, interval
from roofline.resolve import Request, resolve
from roofline.system import System
from roofline.validate import QUESTIONS, SPATIAL_QUESTIONS


def system(hw: str, model: str, engine: str, chips: int = 8) -> System:
    return resolve(Request(hw, model, engine, chips=chips), 1.0, 1024.0)


@pytest.mark.parametrize("question", sorted({*QUESTIONS.values()}))
@pytest.mark.parametrize(
    ("hw", "engine", "word"),
    [("h100", "vllm", "calibrated"), ("gaudi3", "vllm", "transferred"), ("tpu-v6e", "jetstream", "spec-sheet")],
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
    # Same chip, engine and kind of FFN; the shape of Llama 70B was fitted, that of Llama 405B was not.
    names = ("llama-3.3-70b", "llama-3.1-405b")
    known, new = (interval(system("h100", name, "tensorrt-llm"), "throughput") for name in names)
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


def test_finer_groups_come_first_and_ports_before_them() -> None:
    assert cells("h100", "vllm", "moe", elsewhere=False)[0] == "h100 vllm moe"
    assert cells("h100", "vllm", "moe", elsewhere=False)[-1] == "any"
    assert cells("mi300x", "vllm", "dense", elsewhere=True)[0] == "elsewhere"


def test_intervals_held_on_rows_that_neither_fit_nor_interval_had_seen() -> None:
    path = catalog.shipped_folder() / "calibration" / "held_out.csv"
    rows = [r for r in csv.DictReader(catalog.read_text(path).splitlines()) if int(r["n"]) >= 40]
    seen = [r for r in rows if r["left_out"] == "configurations"]
    assert len(seen) >= 7
    for r in seen:
        # 85 to 95 %, and the chance of n rows on top: sqrt(0.9 x 0.1 / n) is 5 % of 40 rows and 1 % of 650.
        allowed = 0.05 + 1.5 * math.sqrt(0.09 / int(r["n"]))
        assert float(r["interval_coverage"]) == pytest.approx(0.9, abs=allowed), r
