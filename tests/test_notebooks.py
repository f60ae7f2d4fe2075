"""The notebooks in docs/ run, and say what they said when they were written."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NAMES = ("gpu-or-wafer", "what-will-my-cluster-cost")
#: Large enough for a handful of charts, too small for a picture per cell to go unnoticed [B].
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_notebooks", ROOT / "bench" / "make_notebooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(cell: Any) -> list[str]:
    """Return what a cell printed and its tables; of a chart that it is one, since its strokes are the renderer's."""
    found = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        found += [output["text"]] if "text" in output else []
        found += [data[kind] for kind in ("text/html", "text/plain") if kind in data]
        found += ["a chart"] if data.get("image/svg+xml", "").startswith("<svg") else []
    return found


def test_all_notebooks_are_listed() -> None:
    assert sorted(p.stem for p in (ROOT / "docs").glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_and_is_current(maker: ModuleType, name: str) -> None:
    path = ROOT / "docs" / f"{name}.ipynb"
    assert path.stat().st_size < MOST_BYTES
    kept, now = nbformat.read(path, as_version=4), maker.executed(path)
    for before, after in zip(kept.cells, now.cells, strict=True):
        assert said(before) == said(after), f"{before.source}\nrun: python bench/make_notebooks.py"
    assert sum(output == "a chart" for cell in kept.cells for output in said(cell)) >= 2
