"""The JSON interface: the commands' own numbers, and one line for whatever else is sent."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import roofline
from roofline import catalog

pytest.importorskip("fastapi")
pytest.importorskip("altair")
from fastapi.testclient import TestClient

from roofline.web.app import POLICY, create

CLIENT = TestClient(create(), raise_server_exceptions=True)


def get(path: str, **query: Any) -> Any:
    return CLIENT.get(path, params=query)


def test_a_point_is_that_of_the_command() -> None:
    found = get("/api/decode", hw="h100", model="llama-3.1-8b", batch="8", context="4096").json()["records"]
    assert found == json.loads(json.dumps(roofline.decode("h100", "llama-3.1-8b", batch=8, context=4096).records()))


def test_a_grid_is_that_of_the_python_interface() -> None:
    (grid,) = get("/api/grid", hw="h100", model="llama-3.1-8b", batch="1:100:1", context="100:10000:100").json()[
        "grids"
    ]
    known = roofline.decode("h100", "llama-3.1-8b", batch=grid["batch"], context=grid["context_tokens"])
    assert [len(grid["step_seconds"]), len(grid["step_seconds"][0])] == [100, 100]
    for row, times, fits in zip(grid["step_seconds"], known.step_seconds, known.fits, strict=True):
        assert row == [t if held else None for t, held in zip(times.tolist(), fits.tolist(), strict=True)]
    refused = get("/api/grid", hw="h100", model="llama-3.1-8b", batch="1:1000:1", context="1:1000:1")
    assert refused.status_code == 422
    assert "1,000,000 points asked for" in refused.json()["error"]


def test_compare_has_list_price_and_electricity() -> None:
    found = get("/api/compare").json()["records"]
    assert [r["hardware"] for r in found] == ["wse3", "h100", "b200"]
    for record in found:
        assert record["retail_usd_per_million_output_tokens"] > 0
        assert record["electricity_usd_per_million_output_tokens"] > 0


@pytest.mark.parametrize("kind", ["frontier", "dollars", "fit", "roofline"])
def test_charts_hold_their_data_and_fetch_nothing(kind: str) -> None:
    answer = get(f"/api/chart/{kind}", hw="h100", model="llama-3.1-8b")
    spec = answer.json()
    assert spec["datasets"]
    assert '"url"' not in answer.text


def test_a_file_of_ones_own_is_evaluated_as_if_it_were_in_the_catalogue() -> None:
    """A copy of a shipped chip, or of a shipped model, gives the same numbers under the same state; nothing is kept."""
    state = {"model": "llama-3.1-8b", "batch": "8", "context": "4096", "tp": 2, "weights": "fp8", "concurrency": 16}
    compared = get("/api/compare", hw="h100", **state).json()["records"]
    served = get("/api/serve", hw="h100", **state).json()["records"]
    for kind, family, name in (("chip", "hardware", "h100"), ("model", "models", "llama-3.1-8b")):
        text = catalog.read_text(catalog.find(family, name))  # type: ignore[arg-type]
        mine = CLIENT.post("/api/upload", json={"kind": kind, "text": text, "hw": "h100", **state}).json()
        for found, known in ((mine["compare"], compared), (mine["serve"], served)):
            assert [r["tp"] for r in found] == [2]
            for key in ("tpot_seconds", "ttft_seconds", "usd_per_million_output_tokens"):
                assert [r[key] for r in found] == [r[key] for r in known]
        assert ("retail_usd_per_million_output_tokens" in mine["compare"][0]) == (kind == "chip")
    config = (Path(__file__).parent / "data" / "hf" / "llama-3.1-70b.json").read_text()
    mine = CLIENT.post("/api/upload", json={"kind": "config", "text": config, "hw": "h100,b200"}).json()
    assert [r["hardware"] for r in mine["compare"]] == ["h100", "b200"]
    assert all(r["fits"] and r["tokens_per_second"] > 0 for r in mine["compare"])


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("chip", 'name = "x', "your file: not valid TOML"),
        ("chip", 'name = "x"\nyear = 3', "your file: "),
        ("config", '{"model_type": "warp"}', "your file"),
        ("config", "[" * 100_000, "your file"),
        ("model", "", "your file"),
    ],
)
def test_a_broken_file_is_one_line(kind: str, text: str, says: str) -> None:
    answer = CLIENT.post("/api/upload", json={"kind": kind, "text": text})
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_model_file_names_no_path() -> None:
    lines = catalog.read_text(catalog.find("models", "gpt-5.5")).splitlines()
    text = "\n".join(
        'proxies = ["../../../etc/passwd.toml", "/etc/passwd"]' if line.startswith("proxies") else line
        for line in lines
    )
    assert "passwd" in text
    answer = CLIENT.post("/api/upload", json={"kind": "model", "text": text})
    assert answer.status_code == 422
    assert "no such file" not in answer.json()["error"]


@pytest.mark.parametrize("field", ["class", "default_engine"])
def test_a_file_names_no_path(field: str) -> None:
    lines = catalog.read_text(catalog.find("hardware", "h100")).splitlines()
    text = "\n".join(f'{field} = "../../../etc/passwd"' if line.startswith(f"{field} =") else line for line in lines)
    assert "passwd" in text
    answer = CLIENT.post("/api/upload", json={"kind": "chip", "text": text})
    assert answer.status_code == 422
    assert "is not the name of" in answer.json()["error"] or "unknown" in answer.json()["error"]


def test_answers_say_what_a_browser_may_do() -> None:
    for path in ("/", "/api/names", "/static/app.js", "/api/decode?hw=nothing"):
        assert CLIENT.get(path).headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY


def test_what_is_too_large_is_refused() -> None:
    assert CLIENT.post("/api/upload", content=b"x" * 1_100_000).status_code == 413
    assert get("/api/decode", hw="h" * 5000).status_code == 413
    assert get("/api/decode", hw=",".join(["h100"] * 20), model="llama-3.1-8b").status_code == 422


def hostile(draw: random.Random) -> tuple[str, dict[str, Any]]:
    """Return a request that nobody should send."""
    bad = [
        "../../etc/passwd",
        "/etc/passwd",
        "..%2f..%2f",
        "h100\x00",
        "a.toml",
        "C:\\x",
        "'; DROP",
        "${7*7}",
        "é" * 60,
    ]
    bad += ["nan", "inf", "-1", "1e999", "9" * 400, "[]", "{}", "true", "", " ", "\n", "null", "0x10", "１２"]
    name = draw.choice(["hw", "model", "engine", "weights", "kv", "batch", "context", "isl", "chips", "width", "warp"])
    path = draw.choice(["decode", "compare", "fit", "chart/frontier", "chart/../names", "chart/%2e%2e", "upload"])
    return f"/api/{path}", {name: draw.choice(bad), "model": draw.choice([*bad, "llama-3.1-8b"])}


def test_a_thousand_hostile_requests() -> None:
    """Malformed names, numbers and bodies: the client's fault each time, one line, and the server goes on."""
    draw = random.Random(7)
    for _ in range(700):
        path, query = hostile(draw)
        answer = CLIENT.get(path, params=query)
        assert answer.status_code < 500, (path, query)
        assert "Traceback" not in answer.text
    deep = '{"kind":' * 3000 + "1" + "}" * 3000
    bodies = [b"", b"{", b"null", b"[]", deep.encode(), b"\xff\xfe", b'{"kind": "chip"}', b'{"kind":"chip","text":NaN}']
    bodies += [
        json.dumps({"kind": "chip", "text": t, "hw": "../x"}).encode() for t in ("", "a = 1", "\x00", "🙂" * 1000)
    ]
    for i in range(300):
        answer = CLIENT.post(
            "/api/upload", content=bodies[i % len(bodies)], headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text
    assert get("/api/decode", hw="h100", model="llama-3.1-8b").status_code == 200


def test_clients_that_never_finish_keep_nobody_waiting() -> None:
    """Forty connections with half a request each, and the server still answers a forty-first."""
    uvicorn = pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    try:
        for one in slow:
            one.sendall(b"POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{")
        address = f"http://127.0.0.1:{port}/api/decode?hw=h100&model=llama-3.1-8b"
        with urllib.request.urlopen(address, timeout=20) as found:
            assert found.status == 200
    finally:
        for one in slow:
            one.close()
        server.should_exit = True
        thread.join(10)


def test_static_files_are_only_those() -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static//etc/passwd"):
        assert CLIENT.get(path).status_code == 404
