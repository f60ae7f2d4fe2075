"""docs/performance.md is what the committed measurements say, and they are of today's benchmarks. No timing here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    yield importlib.import_module("performance"), importlib.import_module("performance_page")
    for name in ("performance", "performance_page"):
        sys.modules.pop(name)


def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "bench" / "performance.json").read_text())
    return found


def test_the_page_is_written_from_the_committed_measurements(bench: Any) -> None:
    _, pages = bench
    assert (ROOT / "docs" / "performance.md").read_text() == pages.page(results()), "run: python bench/performance.py"


def test_every_benchmark_was_measured_on_a_named_machine(bench: Any) -> None:
    performance, _ = bench
    found = results()
    assert set(found) == {"machine", *performance.BENCHMARKS}, "run: python bench/performance.py"
    assert all(found["machine"][key] for key in ("cpu", "cores", "python", "numpy", "numba", "date"))
    assert not any("/" in str(value) for value in found["machine"].values()), "no paths"
    for kernel in ("grid", "scattered"):
        assert [row["model"] for row in found[kernel]] == list(performance.MODELS)
        assert {row["operations"] for row in found[kernel]} == {
            len(performance.table(m).rows) for m in performance.MODELS
        }
    for name in performance.BENCHMARKS:
        for row in found[name]:
            assert all(value >= 0 for value in row.values() if isinstance(value, float)), (name, row)
