"""`roofline plot`, `--plot` and `roofline report`: files that appear whole or not at all, pages that fetch nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from roofline import evaluate
from roofline.cli.main import cli
from roofline.errors import RooflineError
from roofline.resolve import Request
from roofline.units import significant

H100 = ("--hw", "h100", "--model", "llama-3.1-8b")


def run(*args: str) -> None:
    cli.main(list(args), standalone_mode=False)


def fetches(page: str) -> list[str]:
    """Return what a page would load from elsewhere; a link to click is no load."""
    page = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    found = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*[\"']?(?!data:)([^\"'> ]+)", page)
    return found + re.findall(r"@import|url\(\s*[\"']?https?:", page)


@pytest.mark.parametrize(
    "args",
    [
        ("roofline", *H100, "--batch", "8"),
        ("roofline", *H100, "--phase", "prefill", "--isl", "2k"),
        ("step", *H100),
        ("frontier", *H100, "--batch", "1,4,16"),
        ("dollars", *H100, "--batch", "1,4,16"),
        ("fit", *H100, "--batch", "1,16", "--context", "1k,64k"),
    ],
)
def test_plot_draws(tmp_path: Path, args: tuple[str, ...]) -> None:
    run("plot", *args, "-o", str(tmp_path / "chart.json"))
    spec = json.loads((tmp_path / "chart.json").read_text())
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert any("Sources: h100: chipsandcheese.com" in line for line in spec["usermeta"]["caption"])
    assert [p.name for p in tmp_path.iterdir()] == ["chart.json"]


def test_every_ending(tmp_path: Path) -> None:
    for ending, begins in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".html", b"<!DOCTYPE html>"), (".json", b"{")):
        run("plot", "frontier", *H100, "--batch", "1,4", "-o", str(tmp_path / f"chart{ending}"))
        assert (tmp_path / f"chart{ending}").read_bytes().lstrip().startswith(begins), ending
    page = (tmp_path / "chart.html").read_text()
    assert fetches(page) == [] and "vegaEmbed" in page and "jsdelivr" not in page


def test_an_output_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "chart.svg"
    target.write_text("mine")
    with pytest.raises(RooflineError, match="exists; choose another name or give --overwrite"):
        run("plot", "step", *H100, "-o", str(target))
    assert target.read_text() == "mine"
    run("plot", "step", *H100, "-o", str(target), "--overwrite")
    assert "<svg" in target.read_text()


def test_mistakes_are_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(RooflineError, match=r"unknown ending '\.gif' for a chart; use one of \.svg, "):
        run("plot", "step", *H100, "-o", str(tmp_path / "a.gif"))
    with pytest.raises(RooflineError, match=r"cannot write .*nothing was left behind"):
        run("plot", "step", *H100, "-o", str(tmp_path / "none" / "a.svg"))
    with pytest.raises(RooflineError, match="one batch and one length"):
        run("plot", "step", *H100, "--batch", "1,2", "-o", str(tmp_path / "a.svg"))
    with pytest.raises(RooflineError, match="room for 6"):
        run("plot", "fit", "--hw", "h100", "--model", "llama-3.1-8b", "--chips", "1:8:1", "-o", str(tmp_path / "a.svg"))
    assert list(tmp_path.iterdir()) == []


def test_tornado_reads_what_cost_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("cost", *H100, "--isl", "4k", "--osl", "1k", "--samples", "200", "--format", "json")
    records = capsys.readouterr().out
    (tmp_path / "cost.json").write_text(records)
    run("plot", "tornado", str(tmp_path / "cost.json"), "-o", str(tmp_path / "t.json"))
    ends = json.loads((tmp_path / "t.json").read_text())["datasets"]["ends"]
    [sampled] = [r for r in json.loads(records) if "samples" in r]
    assert {e["to"] for e in ends if e["name"] == "price"} == {sampled["swing_price_low"], sampled["swing_price_high"]}
    for text, reason in (
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a": 1}', "not a list"),
        ("[{}]", "nothing to draw"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RooflineError, match=reason):
            run("plot", "tornado", str(tmp_path / "bad.json"), "-o", str(tmp_path / "bad.svg"))
    assert not (tmp_path / "bad.svg").exists()


@pytest.mark.parametrize(
    ("args", "title"),
    [
        (("decode", *H100), "Time of a step by operation"),
        (("decode", *H100, "--batch", "1,8"), "Throughput per chip against speed per user"),
        (("sweep", *H100, "--batch", "1,8"), "Throughput per chip against speed per user"),
        (("compare", "--hw", "h100,b200", "--model", "llama-3.1-8b"), "Throughput per chip against speed per user"),
    ],
)
def test_plot_option(tmp_path: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], title: str) -> None:
    run(*args)
    plain = capsys.readouterr().out
    run(*args, "--plot", str(tmp_path / "chart.json"))
    assert capsys.readouterr().out == plain  # the table stays as it was
    assert json.loads((tmp_path / "chart.json").read_text())["usermeta"]["title"] == title
    with pytest.raises(RooflineError, match="exists"):
        run(*args, "--plot", str(tmp_path / "chart.json"))


def test_a_closed_model_is_drawn_by_its_proxies(tmp_path: Path) -> None:
    closed = ("--hw", "b200", "--model", "gpt-5.5")
    run("decode", *closed, "--plot", str(tmp_path / "a.json"))
    run("plot", "roofline", *closed, "-o", str(tmp_path / "b.json"))
    panels = {row["panel"] for row in json.loads((tmp_path / "a.json").read_text())["datasets"]["parts"]}
    assert {panel.split()[0] for panel in panels} == {"deepseek-v4-pro", "kimi-k3"}
    assert (tmp_path / "b.json").exists()


def test_validate_draws_its_rows(tmp_path: Path) -> None:
    from roofline import catalog

    lines = (catalog.shipped_folder() / "measurements" / "published.csv").read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:12]) + "\n")
    run("validate", str(tmp_path / "few.csv"), "--plot", str(tmp_path / "a.json"))
    run("plot", "validate", str(tmp_path / "few.csv"), "-o", str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


# Report


def report(*args: str, seed: str) -> None:
    code = "from roofline.cli.main import run; run()"
    subprocess.run([sys.executable, "-c", code, "report", *args], check=True, env=os.environ | {"PYTHONHASHSEED": seed})


def test_report_of_a_comparison(tmp_path: Path) -> None:
    args = ("--hw", "wse3,h100,b200", "--model", "llama4-maverick")
    for seed in ("1", "2"):
        report(*args, "-o", str(tmp_path / f"{seed}.html"), seed=seed)
    page = (tmp_path / "1.html").read_text()
    assert page == (tmp_path / "2.html").read_text()
    assert fetches(page) == [] and "<script" not in page
    for part in ("Question", "Answer", "Assumptions", "Charts", "Tables", "Uncertainty", "Sources", "Version"):
        assert f"<h2>{part}</h2>" in page
    asked = [Request(chip, "llama4-maverick") for chip in ("wse3", "h100", "b200")]
    for r in evaluate.compare(asked, 1, 8192, 4096):
        assert f"{r['chips']} x {r['hardware']}" in page
        assert f"<td>{significant(r['tokens_per_second_per_user'])}</td>" in page
        assert f"<td>${significant(r['usd_per_million_output_tokens'])}</td>" in page
    charts = re.findall(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert [alt.split(":")[0] for alt, _ in charts] == [
        "Throughput per chip against speed per user",
        "Cost of output tokens against speed per user",
        "Room for the KV cache",
        "Time of a step by operation",
        "Roofline",
    ]
    assert all(base64.b64decode(data).startswith(b"<svg") for _, data in charts)
    assert "<code>roofline report --hw wse3,h100,b200 --model llama4-maverick</code>" in page
    # Every figure of the chips and engines is listed with its source.
    from roofline.report import spec

    for chip in ("wse3", "h100", "b200"):
        for figure in spec.hardware_records(chip):
            assert f"{figure['figure']} = {figure['value']:.6g}" in page


def test_report_of_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = ("--isl", "1k", "--osl", "1k", "--concurrency", "1,8,64", "--tpot", "0.02")
    run("serve", "--hw", "h100", "--model", "llama-3.3-70b", "--weights", "fp8", *load, "--format", "json")
    records = json.loads(capsys.readouterr().out)
    (tmp_path / "serve.json").write_text(json.dumps(records))
    run("report", "--records", str(tmp_path / "serve.json"), "-o", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    kept = [r for r in records if r["meets_tpot"]]
    assert 0 < len(kept) < 3
    assert f"{len(kept)} of 3 points keep" in page
    cheapest = min(kept, key=lambda r: r["usd_per_million_output_tokens"])
    assert f"${significant(cheapest['usd_per_million_output_tokens'])} per million output tokens" in page
    assert fetches(page) == []


def test_report_of_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--hw", "h100", "--model", "llama-3.3-70b", "--isl", "8k", "--osl", "1k", "--ttft", "2s", "--tpot", "20ms")
    run("plan", *asked, "--max-chips", "16", "--format", "json", "--plot", str(tmp_path / "plan.json"))
    text = capsys.readouterr().out
    assert json.loads((tmp_path / "plan.json").read_text())["usermeta"]["title"] == "What speed costs"
    (tmp_path / "records.json").write_text(text)
    run("report", "--records", str(tmp_path / "records.json"), "-o", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "the first token within 2 s, each later one within 20 ms?" in page
    best = next(r for r in json.loads(text) if r["role"] == "cheapest")
    assert f"${significant(best['usd_per_million_tokens'])} per million tokens" in page
    for part in ("Why the others lost", "Started by", "What speed costs", "<h2>Uncertainty</h2>", "Chip h100"):
        assert part in page
    assert fetches(page) == [] and "<script" not in page


def test_report_escapes_what_a_file_says(tmp_path: Path) -> None:
    record = {"hardware": "<script>alert(1)</script>", "model": "m&m", "estimate": "predicted", "chips": 1, "batch": 1}
    record |= {"engine": "none", "tokens_per_second_per_user": 5.0, "tokens_per_second_per_chip": 5.0}
    (tmp_path / "r.json").write_text(json.dumps([record]))
    run("report", "--records", str(tmp_path / "r.json"), "-o", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page and "m&amp;m" in page


def test_report_mistakes(tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    with pytest.raises(RooflineError, match=r"give it the ending \.html"):
        run("report", *H100, "-o", str(tmp_path / "r.pdf"))
    with pytest.raises(click.UsageError, match="Missing option '--hw'"):
        run("report", "-o", str(target))
    with pytest.raises(RooflineError, match="one batch, one context"):
        run("report", *H100, "--batch", "1,2", "-o", str(target))
    target.write_text("mine")
    with pytest.raises(RooflineError, match="exists; choose another name or give --overwrite"):
        run("report", *H100, "-o", str(target))
    assert target.read_text() == "mine"


def answer(path: Path) -> list[str]:
    return re.findall(r"<li>(.*?)</li>", path.read_text())


def test_report_names_what_differs(tmp_path: Path) -> None:
    args = ("--model", "llama-3.3-70b", "--weights", "bf16,fp8", "--batch", "16")
    run("report", "--hw", "h100", *args, "-o", str(tmp_path / "r.html"))
    lines = answer(tmp_path / "r.html")
    assert lines[0].startswith("Fastest for a user: 4 x h100 (bf16), ")
    assert lines[1] == "Its interval overlaps that of 2 x h100 (fp8): their order is not certain."
    run("report", "--hw", "rtx4090", "--model", "llama-3.1-70b", "--chips", "1", "-o", str(tmp_path / "none.html"))
    assert answer(tmp_path / "none.html") == ["1 x rtx4090 cannot hold this point."]
    run("report", "--hw", "wse2", "--model", "llama-3.1-8b", "-o", str(tmp_path / "wse2.html"))
    assert "1 x wse2 has no published price; give one with --usd-per-hour." in answer(tmp_path / "wse2.html")


def test_report_of_a_closed_model_is_a_range(tmp_path: Path) -> None:
    run("report", "--hw", "gb200", "--model", "gpt-5.5", "-o", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "(low end, as deepseek-v4-pro)" in page and "(high end, as kimi-k3)" in page
    assert not any("overlaps" in line for line in answer(tmp_path / "r.html"))
