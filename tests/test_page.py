"""The page in a headless browser: it loads alone, moves with its sliders, and its address holds its state."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from roofline.cli.main import cli
from roofline.units import significant

CI = bool(os.environ.get("CI"))
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
if BROWSER is None and CI:
    pytest.fail("no Chromium: the page cannot be tested; apt-get install chromium", pytrace=False)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
pytest.importorskip("fastapi")
pytest.importorskip("playwright")
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from roofline.web.app import create

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    found = browser.new_page(viewport={"width": 1440, "height": 1000})
    found.problems = []
    found.on("console", lambda m: found.problems.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda error: found.problems.append(str(error)))
    yield found
    found.close()


def opened(page: Any, url: str) -> Any:
    page.goto(url)
    page.wait_for_selector("#table td[data-speed]")
    return page


def speed(page: Any, chip: str) -> str:
    return str(page.inner_text(f'td[data-speed="{chip}"]'))


def printed(chip: str, batch: int, context: int) -> str:
    """Return what the command says of a user's speed, as its table writes it."""
    words = ["compare", "--hw", chip, "--model", "llama-4-maverick", "--batch", str(batch), "--context", str(context)]
    (record,) = json.loads(CliRunner().invoke(cli, [*words, "--format", "json"], standalone_mode=False).stdout)
    return significant(record["tokens_per_second_per_user"])


def test_it_loads_alone(page: Any, address: str) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    opened(page, address)
    for chart in ("frontier", "dollars", "fit", "roofline"):
        page.wait_for_selector(f"#{chart} svg")
    assert page.problems == []
    assert elsewhere == []
    assert [speed(page, chip) for chip in ("wse3", "h100", "b200")] == [
        printed(chip, 1, 8192) for chip in ("wse3", "h100", "b200")
    ]


def test_a_slider_moves_the_number_to_what_the_command_prints(page: Any, address: str) -> None:
    opened(page, address)
    before = speed(page, "b200")
    page.focus("#batch")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('td[data-speed=b200]').textContent !== before", arg=before)
    page.wait_for_load_state("networkidle")
    assert page.inner_text("#batch-shown") == "32"
    assert speed(page, "b200") == printed("b200", 32, 8192)
    assert "batch=32" in page.url


def test_the_address_holds_the_state(page: Any, address: str) -> None:
    opened(page, f"{address}/?hw=h100&model=llama-3.3-70b&weights=fp8&chips=4&batch=16&context=4096")
    assert page.input_value("#hw") == "h100"
    assert page.input_value("#model") == "llama-3.3-70b"
    assert page.input_value("#weights") == "fp8"
    assert page.input_value("#chips") == "4"
    assert page.inner_text("#context-shown") == "4,096"
    assert page.locator("td[data-speed]").count() == 1


def test_a_broken_file_shows_its_error(page: Any, address: str, tmp_path: Path) -> None:
    opened(page, address)
    broken = tmp_path / "mine.toml"
    broken.write_text('name = "x')
    page.set_input_files("#file", str(broken))
    page.wait_for_selector("#error:not([hidden])")
    assert "not valid TOML" in page.inner_text("#error")


def test_an_unknown_chip_shows_its_error(page: Any, address: str) -> None:
    page.goto(f"{address}/?hw=h10o")
    page.wait_for_selector("#error:not([hidden])")
    assert "unknown chip 'h10o'" in page.inner_text("#error")


def test_keys_alone_reach_every_control(page: Any, address: str) -> None:
    opened(page, address)
    seen = []
    for _ in range(15):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
    assert [name for name in seen if name] == [
        *("hw", "add", "model", "weights", "kv", "chips", "batch", "context", "kind", "file", "json", "csv", "svg")
    ]


@pytest.mark.parametrize("width", [390, 1440])
def test_no_width_cuts_the_page(page: Any, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, address)
    page.wait_for_selector("#frontier svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = os.environ.get("ROOFLINE_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/page-{width}.png", full_page=True)


def test_no_serious_barrier(page: Any, address: str, tmp_path: Path) -> None:
    """axe-core, from npm, finds nothing serious or critical."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine")
    packed = subprocess.run([npm, "pack", "axe-core@4"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip("npm cannot fetch axe-core here")
    shutil.unpack_archive(tmp_path / packed.stdout.split()[-1], tmp_path)
    opened(page, address)
    page.wait_for_selector("#roofline svg")
    # The page's own policy lets no other script in; the tester's comes through the debugger.
    page.evaluate((tmp_path / "package" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == [], sys.stderr.write(json.dumps(found["violations"])[:2000])
