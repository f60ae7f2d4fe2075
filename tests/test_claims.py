"""docs/claims.md is what its commands print today."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("claims", ROOT / "bench" / "claims.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "claims.md").read_text(encoding="utf-8") == load().page(), "run: python bench/claims.py"


def test_every_chip_and_model_of_the_article_has_a_row() -> None:
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    claims = load()
    for name in [*claims.CHIPS.split(","), *claims.OPEN, *claims.CLOSED]:
        assert re.search(rf"^\| {re.escape(name)} \|", text, re.M), name


def test_the_articles_spread() -> None:
    # Its table of 2026-05-11: $5.00 over $0.14 is 35.7.
    assert "True of its day: 35.7x" in (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
