"""Generated pages are what their commands print today; the site has them all; a shell can complete names."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "bench" / "make_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "cookbook.md", "adding.md", "cost-of-speed.svg"])
def test_pages_are_current(name: str) -> None:
    if name.endswith(".svg"):
        pytest.importorskip("altair")
        pytest.importorskip("vl_convert")
    made = load().PAGES[name]()
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == made, "run: python bench/make_docs.py"


def test_the_cookbook_answers_twenty_questions() -> None:
    assert len(load().QUESTIONS) == 20
    assert "Error" not in (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")


def test_every_page_is_on_the_site() -> None:
    listed = re.findall(r"^  - .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_readmes_error_is_the_measured_one() -> None:
    rows = list(csv.DictReader((ROOT / "calibration" / "held_out.csv").read_text(encoding="utf-8").splitlines()))
    row = next(r for r in rows if (r["left_out"], r["kind"]) == ("configurations", "TPOT under concurrency"))
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"On {int(row['n']):,} published readings of time per output token" in text
    assert f"the median error is {float(row['median_absolute_error']):.1%}" in text


def complete(*words: str) -> list[str]:
    """Return what bash would offer for the last word."""
    given = {"_ROOFLINE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    code = (
        "import sys; sys.argv = ['roofline']; from roofline.cli.main import run\n"
        "try:\n    run()\nfinally:\n    assert 'numpy' not in sys.modules, 'numpy was imported'"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | given, capture_output=True, text=True, check=False
    )
    assert "numpy was imported" not in found.stderr
    return [line.partition(",")[2] for line in found.stdout.splitlines()]


def test_a_shell_completes_names_without_numpy() -> None:
    assert "h100" in complete("roofline", "decode", "--hw", "h1")
    assert "wse3,h100" in complete("roofline", "decode", "--hw", "wse3,h1")
    assert "llama-4-maverick" in complete("roofline", "decode", "--model", "llama-4")
    assert complete("roofline", "dec") == ["decode"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str) -> None:
    code = "import sys; sys.argv = ['roofline']; from roofline.cli.main import run; run()"
    given = os.environ | {"_ROOFLINE_COMPLETE": f"{shell}_source"}
    if shell == "bash" and subprocess.run(["bash", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("needs bash, whose version the script asks for")
    found = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert "roofline" in found.stdout and "complet" in found.stdout
