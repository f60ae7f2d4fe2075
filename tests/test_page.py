"""The page in a headless browser: it loads alone, moves with its sliders, and its address holds its state."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from roofline import catalog
from roofline.cli.main import cli
from roofline.report.words import seconds
from roofline.units import significant

CI = bool(os.environ.get("CI"))
#: Read here: within a test no variable of the user's is left.
PICTURES = os.environ.get("ROOFLINE_SCREENSHOTS")
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
    return settled(page)


def settled(page: Any) -> Any:
    """Wait until table and charts answer the state."""
    page.wait_for_selector("#answer[aria-busy=false]")
    return page


def pictured(page: Any, name: str) -> None:
    """Keep a picture where CI asks for one."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


def cell(page: Any, row: str, chip: str) -> str:
    return str(page.inner_text(f'td[data-row="{row}"][data-chip="{chip}"]'))


def ran(line: str) -> list[dict[str, Any]]:
    """Return the records that a command prints, as it is typed."""
    program, *words = shlex.split(line)
    assert program == "roofline"
    done = CliRunner().invoke(cli, [*words, "--format", "json"], standalone_mode=False)
    assert done.exception is None, line
    records: list[dict[str, Any]] = json.loads(done.stdout)
    return records


#: Rows of the table, whether of a step or of a service, and the key and form of what the command prints for it.
DOLLARS, PLAIN = ("${}", significant), ("{}", significant)
ROWS: dict[str, tuple[str, str, tuple[str, Callable[[float], str]]]] = {
    "chips": ("compare", "chips", ("{}", "{:,}".format)),
    "speed": ("compare", "tokens_per_second_per_user", PLAIN),
    "all": ("compare", "tokens_per_second", PLAIN),
    "first": ("compare", "ttft_seconds", ("{}", seconds)),
    "ttft": ("serve", "ttft_seconds", ("{}", seconds)),
    "ttft99": ("serve", "ttft_p99_seconds", ("{}", seconds)),
    "tpot": ("serve", "tpot_seconds", ("{}", seconds)),
    "served-speed": ("serve", "tokens_per_second_per_user", PLAIN),
    "requests": ("serve", "requests_per_second", PLAIN),
    "served-dollars": ("serve", "usd_per_million_output_tokens", DOLLARS),
    "rent": ("compare", "usd_per_hour", DOLLARS),
    "input": ("compare", "usd_per_million_input_tokens", DOLLARS),
    "output": ("compare", "usd_per_million_output_tokens", DOLLARS),
    "list": ("compare", "retail_usd_per_million_output_tokens", DOLLARS),
    "electricity": ("compare", "electricity_usd_per_million_output_tokens", DOLLARS),
}


def is_what_the_commands_print(page: Any, chips: list[str]) -> list[str]:
    """Hold every number of the table against the commands that stand below it; return these."""
    lines = str(page.inner_text("#commands")).splitlines()
    printed: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        for record in ran(line):
            printed["serve" if "load" in record else "compare", record["hardware"]] = record
    assert {chip for _, chip in printed} == set(chips)
    for chip in chips:
        for row, (command, key, (form, write)) in ROWS.items():
            value = printed[command, chip].get(key)
            assert cell(page, row, chip) == ("-" if value is None else form.format(write(value))), (chip, row)
    return lines


def test_it_loads_alone(page: Any, address: str) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    opened(page, address)
    for chart in ("frontier", "dollars", "fit", "roofline"):
        page.wait_for_selector(f"#{chart} svg")
    assert page.problems == []
    assert elsewhere == []
    step, service = is_what_the_commands_print(page, ["wse3", "h100", "b200"])
    assert step.endswith("--hw wse3,h100,b200 --model llama-4-maverick --batch 1 --context 8192 --isl 4096")
    assert service.endswith("--isl 4096 --osl 1024 --concurrency 8")


@pytest.mark.parametrize(
    ("slider", "key", "presses", "option", "row"),
    [
        ("batch", "ArrowRight", 5, "--batch 32", "speed"),
        ("context", "ArrowLeft", 2, "--context 2048", "speed"),
        ("isl", "ArrowRight", 2, "--isl 16384", "first"),
        ("osl", "ArrowLeft", 3, "--osl 128", "requests"),
        ("concurrency", "ArrowRight", 2, "--concurrency 32", "served-speed"),
        ("utilisation", "ArrowLeft", 10, "--utilisation 0.5", "output"),
    ],
)
def test_a_slider_moves_the_number_to_what_the_command_prints(
    page: Any, address: str, slider: str, key: str, presses: int, option: str, row: str
) -> None:
    opened(page, address)
    before = cell(page, row, "b200")
    page.focus(f"#{slider}")
    for _ in range(presses):
        page.keyboard.press(key)
    settled(page)
    assert cell(page, row, "b200") != before
    assert option in page.inner_text("#commands")
    assert f"{slider}=" in page.url
    is_what_the_commands_print(page, ["wse3", "h100", "b200"])


@pytest.mark.parametrize(
    ("control", "value", "row"),
    [
        ("weights", "fp8", "chips"),
        ("experts", "mxfp4", "speed"),
        ("kv", "fp8", "served-speed"),
        ("engine", "ideal", "speed"),
        ("chips", "32", "chips"),
        ("tp", "4", "speed"),
        ("pp", "4", "chips"),
        ("dp", "2", "split"),
        ("ep", "8", "speed"),
        ("usd_per_hour", "1.5", "rent"),
        ("basis", "owned", "output"),
        ("usd_per_kwh", "0.25", "electricity"),
        ("provider", "groq", "list"),
        ("list_price", "0.5,1.25", "list"),
    ],
)
def test_a_control_changes_the_number_to_what_the_command_prints(
    page: Any, address: str, control: str, value: str, row: str
) -> None:
    opened(page, address)
    page.wait_for_selector("#provider option[value=groq]", state="attached")
    before = cell(page, row, "b200")
    if page.evaluate(f"document.getElementById('{control}').tagName") == "SELECT":
        page.select_option(f"#{control}", value)
    else:
        page.fill(f"#{control}", value)
        page.keyboard.press("Enter")
    settled(page)
    assert cell(page, row, "b200") != before
    assert f"--{control.replace('_', '-')} {value}" in page.inner_text("#commands")
    assert urlencode({control: value}) in page.url
    is_what_the_commands_print(page, ["wse3", "h100", "b200"])


def test_the_address_holds_the_state(page: Any, address: str) -> None:
    given = {"hw": "h100", "model": "llama-3.3-70b", "weights": "fp8", "kv": "fp8", "engine": "vllm", "chips": "4"}
    given |= {"tp": "2", "pp": "2", "usd_per_hour": "1.25", "usd_per_kwh": "0.2", "provider": "groq"}
    sizes = {"batch": "16", "context": "4096", "isl": "2048", "osl": "512", "concurrency": "64"}
    opened(page, f"{address}/?{urlencode(given | sizes | {'utilisation': '0.35'})}")
    assert {key: page.input_value(f"#{key}") for key in given} == given
    assert {key: page.inner_text(f"#{key}-shown").replace(",", "") for key in sizes} == sizes
    assert page.inner_text("#utilisation-shown") == "35 %"
    assert page.locator("td[data-row=speed]").count() == 1
    is_what_the_commands_print(page, ["h100"])


def test_a_chip_that_cannot_leaves_the_others(page: Any, address: str) -> None:
    opened(page, f"{address}/?hw=wse3,h100&engine=vllm")
    assert "Cerebras WSE-3" in page.inner_text("#error")
    assert page.locator("td[data-row=speed]").count() == 1
    is_what_the_commands_print(page, ["h100"])


def test_a_file_of_ones_own_stays_beside_the_others(page: Any, address: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(catalog.read_text(catalog.find("hardware", "h100")))
    opened(page, f"{address}/?hw=h100&model=llama-3.1-8b")
    page.set_input_files("#file", str(mine))
    page.wait_for_selector("td[data-row=speed] >> nth=1")
    page.focus("#batch")
    page.keyboard.press("ArrowRight")
    settled(page)
    page.select_option("#tp", "2")
    settled(page)
    for row in ROWS:
        theirs, own = page.locator(f"td[data-row={row}]").all_inner_texts()
        assert theirs == own, row
    assert page.inner_text("#table thead").split()[-1] == "(mine.toml)"
    is_what_the_commands_print(page, ["h100"])


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
    for _ in range(45):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
    reached = [name for name in seen if name]
    controls = page.evaluate("[...document.querySelectorAll('input, select, button')].map(e => e.id)")
    assert len(controls) == 30
    assert reached[: len(controls)] == controls


def test_the_interface_has_a_page_for_people(page: Any, address: str) -> None:
    """Linked from the page; lists every operation of the OpenAPI document, with parameters and answers."""
    opened(page, address)
    page.click("footer a >> text=The JSON interface")
    page.wait_for_selector("#api h2")
    document = json.loads(urllib.request.urlopen(f"{address}/openapi.json").read())
    operations = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert page.locator("#api h2").all_inner_texts() == operations
    page.click("#api section:has-text('GET /api/decode') summary >> text=Parameters")
    shown = page.inner_text("#api section:has-text('GET /api/decode') details[open]")
    for parameter in document["paths"]["/api/decode"]["get"]["parameters"]:
        assert parameter["name"] in shown
    for link in page.locator("#api section a").all():
        assert page.request.get(address + link.get_attribute("href")).status == 200
    assert page.problems == []
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictured(page, f"docs-{width}")


@pytest.mark.parametrize("width", [390, 1440])
def test_no_width_cuts_the_page(page: Any, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Three chips stand side by side at any width, and a narrow screen keeps their speeds in sight.
    assert page.locator("#table").bounding_box()["width"] <= page.locator(".scroll").first.bounding_box()["width"]
    assert page.is_visible("#glance") == (width == 390)
    pictured(page, f"page-{width}")


@pytest.mark.parametrize(("path", "ready"), [("/", "#roofline svg"), ("/docs", "#api h2")])
def test_no_serious_barrier(page: Any, address: str, tmp_path: Path, path: str, ready: str) -> None:
    """axe-core, from npm, finds nothing serious or critical."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine")
    packed = subprocess.run([npm, "pack", "axe-core@4"], cwd=tmp_path, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip("npm cannot fetch axe-core here")
    shutil.unpack_archive(tmp_path / packed.stdout.split()[-1], tmp_path)
    page.goto(address + path)
    page.wait_for_selector(ready)
    # The page's own policy lets no other script in; the tester's comes through the debugger.
    page.evaluate((tmp_path / "package" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == [], sys.stderr.write(json.dumps(found["violations"])[:2000])
