"""Charts: a specification from records, and its PNG. Two seconds are the most a picture may take."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from roofline import ceilings, evaluate, validate
from roofline.report import charts
from roofline.report.charts import render
from roofline.report.record import Record
from roofline.resolve import Request

CHIPS = [Request(chip, "llama4-maverick") for chip in ("wse3", "h100", "b200")]


def records(kind: str) -> list[Record]:
    if kind == "roofline":
        return [r for one in CHIPS for r in ceilings.records(one)]
    if kind == "step":
        return [r for one in CHIPS for r in evaluate.explain(one, "decode", 1, 8192, 0)]
    if kind == "fit":
        return evaluate.fit(CHIPS, [2**k for k in range(9)], [1024 * 2**k for k in range(8)], fixed=True)
    if kind == "validate":
        return [validate.with_results(one) for one in validate.check_all(validate.shipped())]
    if kind == "tornado":
        return [{"name": f"input {k}", "low": 100.0 - k, "high": 100.0 + 2 * k, "base": 100.0} for k in range(20)]
    return evaluate.decode(CHIPS, [2**k for k in range(9)], [8192])


@pytest.mark.parametrize("kind", charts.KINDS)
def test_png(benchmark: BenchmarkFixture, kind: str) -> None:
    given = records(kind)
    picture = benchmark(lambda: render.render(charts.spec(kind, given), ".png"))
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", charts.KINDS)
def test_spec(benchmark: BenchmarkFixture, kind: str) -> None:
    given = records(kind)
    assert benchmark(lambda: charts.spec(kind, given))["datasets"]
