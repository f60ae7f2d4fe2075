"""Charts: the data of every specification against the records, units on every axis, no series by colour alone."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import roofline
from roofline import ceilings, evaluate, validate
from roofline.errors import RooflineError
from roofline.measurements import Measurement
from roofline.report import charts
from roofline.report.charts import frame, render, sources
from roofline.resolve import Request

Record = dict[str, Any]
MAVERICK = [Request(chip, "llama4-maverick") for chip in ("wse3", "h100", "b200")]
SWINGS: list[Record] = [
    {"name": "batch", "low": 140.0, "high": 150.0, "base": 148.0, "unit": "tok/s/user"},
    {"name": "bandwidth", "low": 120.0, "high": 190.0, "base": 148.0, "unit": "tok/s/user", "low_label": "-20 %"},
]


@pytest.fixture(scope="module")
def decoded() -> list[Record]:
    return evaluate.decode(MAVERICK, [1, 2, 4, 8, 16, 32], [8192])


@pytest.fixture(scope="module")
def checked() -> list[Record]:
    """Return every twentieth of the shipped measurements, predicted."""
    rows: list[Measurement] = validate.shipped()[::20]
    return [validate.with_results(one) for one in validate.check_all(rows)]


@pytest.fixture(scope="module")
def specs(decoded: list[Record], checked: list[Record]) -> dict[str, Record]:
    fits = evaluate.fit(MAVERICK, [1, 8, 64], [1024, 8192, 65536], fixed=True)
    steps = [r for one in MAVERICK for r in evaluate.explain(one, "decode", 4, 8192, 0)]
    roofs = [r for one in MAVERICK for r in ceilings.records(one, "decode", 4, 8192)]
    given = {"roofline": roofs, "frontier": decoded, "dollars": decoded, "fit": fits}
    given |= {"step": steps, "validate": checked, "tornado": SWINGS}
    assert set(given) == set(charts.KINDS)
    return {kind: charts.spec(kind, records) for kind, records in given.items()}


def parts(spec: Any) -> Iterator[Record]:
    """Yield a specification and everything inside it that is a dictionary."""
    if isinstance(spec, dict):
        yield spec
        for value in spec.values():
            yield from parts(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from parts(value)


@pytest.mark.parametrize("kind", charts.KINDS)
def test_every_kind_is_valid_vega_lite_and_draws(specs: dict[str, Record], kind: str) -> None:
    import altair

    spec = specs[kind]
    altair.Chart.from_dict(spec, validate=True) if "concat" not in spec else altair.ConcatChart.from_dict(spec)
    json.dumps(spec, allow_nan=False)
    assert render.render(spec, ".png").startswith(b"\x89PNG")
    assert b"<svg" in render.render(spec, ".svg")
    # Equal input, equal bytes.
    assert render.render(spec, ".svg") == render.render(spec, ".svg")


@pytest.mark.parametrize("kind", charts.KINDS)
def test_every_quantity_on_an_axis_has_its_unit(specs: dict[str, Record], kind: str) -> None:
    titles = []
    for part in parts({k: v for k, v in specs[kind].items() if k != "datasets"}):
        for channel in ("x", "y"):
            axis = part.get(channel)
            if isinstance(axis, dict) and axis.get("type") in ("quantitative", "ordinal") and axis.get("title"):
                titles.append(axis["title"])
    assert titles
    for title in titles:
        assert "[" in title and title.endswith("]"), title


@pytest.mark.parametrize("kind", charts.KINDS)
def test_every_dataset_a_chart_names_is_there(specs: dict[str, Record], kind: str) -> None:
    spec = specs[kind]
    inner = {k: v for k, v in spec.items() if k != "datasets"}
    names = {part["data"]["name"] for part in parts(inner) if isinstance(part.get("data"), dict)}
    assert names == set(spec["datasets"])


def test_a_page_may_draw_the_caption_itself(decoded: list[Record]) -> None:
    spec = charts.spec("frontier", decoded, caption=False, sources=["a datasheet"], notes=["What if: x."])
    assert "concat" not in spec
    assert spec["usermeta"]["caption"][-2:] == ["What if: x.", "Sources: a datasheet."]


def test_series_differ_in_colour_shape_and_dash() -> None:
    style = frame.scales([f"series {i}" for i in range(7)])
    for name in ("color", "shape", "dash"):
        values = style[name].to_dict()["range"]
        assert len({str(v) for v in values}) == 7, name
    # Sixteen that a black and white print tells apart: eight shapes, filled and open.
    style = frame.scales([f"series {i}" for i in range(16)])
    hollow = [c == "white" for c in style["fill"].to_dict()["range"]]
    assert len(set(zip(style["shape"].to_dict()["range"], hollow, strict=True))) == 16
    # 7 colours and 8 shapes have no common factor: 56 pairs before one comes again.
    style = frame.scales([f"series {i}" for i in range(56)])
    pairs = zip(style["color"].to_dict()["range"], style["shape"].to_dict()["range"], strict=True)
    assert len(set(pairs)) == 56


# Roofline


def test_roofline_of_an_h100() -> None:
    """HBM 3.35 TB/s and 989.4 TFLOP/s in bf16: the ridge is at 295 FLOP per byte."""
    records = ceilings.records(Request("h100", "llama-3.1-8b"), "decode", 32, 8192)
    data = charts.spec("roofline", records)["datasets"]
    roofs = {}
    for line in data["roofs"]:
        roofs.setdefault(line["name"], []).append((line["x"], line["y"]))
    hbm = roofs["HBM3 3.35 TB/s"]
    assert all(y == pytest.approx(3.35e12 * x) for x, y in hbm)
    assert {y for _, y in roofs["bf16, fp16 989 TFLOP/s"]} == {989.4e12}
    assert roofs["bf16, fp16 989 TFLOP/s"][0][0] == pytest.approx(989.4e12 / 5.5e12)  # where the L2 line meets it
    assert max(y for _, y in hbm) == pytest.approx(1.9789e15)  # up to the highest peak, fp8

    operations = [r for r in records if "operation" in r]
    for point in data["operations"]:
        name = "step" if point["operation"] == "whole step" else point["operation"].replace(" ", "_")
        rows = [r for r in operations if r["operation"] == name]
        flops, moved, seconds = (sum(r[key] for r in rows) for key in ("flops", "bytes", "seconds"))
        assert point["intensity"] == pytest.approx(flops / moved)
        assert point["rate"] == pytest.approx(flops / seconds)
    drawn = {point["operation"] for point in data["operations"]}
    assert drawn == {"whole step", "qkv", "attention", "o", "gate up", "down", "lm head"}


@pytest.mark.parametrize("chip", ["a100", "h100", "b200", "mi300x", "tpu-v5e", "wse3", "groq-lpu"])
@pytest.mark.parametrize("batch", [1, 64])
def test_no_operation_is_above_the_roof(chip: str, batch: int) -> None:
    data = charts.spec("roofline", ceilings.records(Request(chip, "llama-3.1-8b"), "decode", batch, 2048))["datasets"]
    records = ceilings.ceilings(Request(chip, "llama-3.1-8b"))
    peak = max(r["flops_per_second"] for r in records if "flops_per_second" in r)
    bandwidth = max(r["bytes_per_second"] for r in records if "bytes_per_second" in r)
    assert data["operations"]
    for point in data["operations"]:
        assert point["rate"] <= 1.001 * min(peak, bandwidth * point["intensity"]), point


def test_a_wafer_shows_how_far_the_step_is_below_the_bound() -> None:
    data = charts.spec("roofline", ceilings.records(Request("wse3", "llama4-maverick")))["datasets"]
    rate = {p["operation"]: p["rate"] for p in data["operations"]}
    # 22 wafers: naive 2.07 microseconds for a token against 777 predicted.
    assert 200 < rate["weights"] / rate["whole step"] < 600
    assert all("share" not in p for p in data["operations"] if p["operation"] != "whole step")


# Frontier


def test_the_frontier_of_a_closed_model_on_a_wafer_is_what_is_served() -> None:
    found = evaluate.decode([Request("wse3", "gpt-5.5")], [1, 2, 4], [8192])
    points = charts.spec("frontier", found)["datasets"]["points"]
    served = [r["tokens_per_second_per_user"] for r in found if r.get("estimate_kind") == "as_served" and r["fits"]]
    assert sorted(p["x"] for p in points) == sorted(served)


def test_frontier_points_are_the_records(decoded: list[Record]) -> None:
    points = charts.spec("frontier", decoded)["datasets"]["points"]
    shown = {(p["x"], p["y"]) for p in points}
    wanted = [r for r in decoded if r["estimate"] in ("predicted", "as_served") and r["fits"]]
    assert shown == {(r["tokens_per_second_per_user"], r["tokens_per_second_per_chip"]) for r in wanted}
    assert {p["series"] for p in points} == {"wse3 x 22", "h100 x 16", "b200 x 8"}
    h100 = [p for p in points if p["series"].startswith("h100")]
    assert [p["at"] for p in h100] == [1, 2, 4, 8, 16, 32]
    assert [p.get("label") for p in h100] == ["1", None, None, None, None, "32"]
    # More users share a chip: each is slower, the chip does more.
    assert all(a["x"] >= b["x"] and a["y"] < b["y"] for a, b in pairwise(h100))
    for p in h100:
        assert p["x_low"] < p["x"] < p["x_high"] and p["y_low"] < p["y"] < p["y_high"]


def test_dollars_fall_where_the_user_is_fast(decoded: list[Record]) -> None:
    spec = charts.spec("dollars", decoded)
    for p in (p for p in spec["datasets"]["points"] if "x_low" in p):
        assert p["x_low"] < p["x_high"] and p["y_low"] > p["y"] > p["y_high"]
    caption = " ".join(spec["usermeta"]["caption"])
    assert "h100 $2.95 per chip-hour (rental median, 2026-05)" in caption and "Utilisation 100%" in caption


def test_one_point_each_has_no_line(decoded: list[Record]) -> None:
    spec = charts.spec("frontier", [r for r in decoded if r["batch"] == 1])
    marks = [part["mark"]["type"] for part in parts(spec) if isinstance(part.get("mark"), dict)]
    assert "line" not in marks and "point" in marks


def test_many_deployments_are_told_apart_by_chip_alone() -> None:
    asked = [
        Request("h100", "llama-3.3-70b", weights="fp8", tp=tp, dp=dp) for tp in (2, 4, 8) for dp in (1, 2, 4, 8, 16)
    ]
    points = charts.spec("frontier", evaluate.decode(asked, [16, 32], [1024]))["datasets"]["points"]
    assert {p["series"] for p in points} == {"h100"}


# A plan


def test_a_plan_is_drawn_by_the_role_of_its_records() -> None:
    records = roofline.plan("h100", "llama-3.3-70b", isl=8192, osl=1024, ttft=2.0, tpot=0.02, max_chips=16)
    roles = {r["role"] for r in records}
    assert {"cheapest", "fastest", "frontier"} <= roles
    for kind, key in (("dollars", "usd_per_million_tokens"), ("frontier", "tokens_per_second_per_chip")):
        spec = charts.spec(kind, records)
        points = spec["datasets"]["points"]
        # A plan has a frontier in dollars and one in output per chip; each chart shows its own.
        line, other = ("frontier", "chip-frontier") if kind == "dollars" else ("chip-frontier", "frontier")
        shown = [r | {"role": r["role"].replace(line, "frontier")} for r in records if r["role"] != other]
        wanted = sorted((r["tokens_per_second_per_user"], r[key], r["role"]) for r in shown)
        assert sorted((p["x"], p["y"], p["role"]) for p in points) == wanted
        caption = " ".join(spec["usermeta"]["caption"])
        assert "Cheapest: " in caption and "Prices: rental median" in caption
        assert b"<svg" in render.render(spec, ".svg")
    best = next(p for p in points if p["role"] == "cheapest")
    assert f"Cheapest: {best['what']}." in caption


# Fit


def test_fit_map_of_an_h100() -> None:
    """Llama 3.1 8B holds 131,072 B a token in bf16: 256 tokens are 33.6 MB, inside an L2 of 50 MB; 512 are not."""
    records = evaluate.fit([Request("h100", "llama-3.1-8b")], [1, 2, 64], [256, 512, 131072], fixed=True)
    data = charts.spec("fit", records)["datasets"]
    cells = {(c["context"], c["batch"]): c for c in data["cells"]}
    assert {key for key, c in cells.items() if c["on_chip"]} == {(256, 1)}
    assert {(e["context"], e["batch"], e["side"]) for e in data["edges"]} == {(256, 1, "right"), (256, 1, "top")}
    # 64 x 131,072 x 131,072 B are 1.1 TB.
    assert cells[131072, 64]["text"] == "×" and "share" not in cells[131072, 64]
    assert cells[512, 2]["text"] == "130 MB"  # 2 x 512 x 131,072 B = 134 MB
    for r in records:
        cell = cells[r["context_tokens"], r["batch"]]
        assert cell["kv_bytes"] == r["kv_bytes"] and cell["fits"] == r["fits"]
        if r["fits"]:
            assert cell["share"] == r["batch"] / r["users"] <= 1


def test_edges_part_what_is_on_chip_from_what_is_not(specs: dict[str, Record]) -> None:
    data = specs["fit"]["datasets"]
    edges = {(e["panel"], e["context"], e["batch"], e["side"]) for e in data["edges"]}
    wanted = set()
    for panel in {c["panel"] for c in data["cells"]}:
        state = {(c["context"], c["batch"]): c["on_chip"] for c in data["cells"] if c["panel"] == panel}
        contexts, batches = sorted({x for x, _ in state}), sorted({y for _, y in state})
        for (x, y), inside in state.items():
            i, j = contexts.index(x), batches.index(y)
            if i + 1 < len(contexts) and state[contexts[i + 1], y] != inside:
                wanted.add((panel, x, y, "right"))
            if j + 1 < len(batches) and state[x, batches[j + 1]] != inside:
                wanted.add((panel, x, y, "top"))
    assert edges == wanted != set()
    # All that fits a wafer is on the wafer.
    wafer = [c for c in data["cells"] if c["panel"].startswith("wse3")]
    assert all(c["on_chip"] == c["fits"] for c in wafer) and len({c["fits"] for c in wafer}) == 2


def test_a_growing_deployment_shows_its_chips() -> None:
    records = evaluate.fit([Request("h100", "llama-3.1-8b")], [1, 64], [1024, 131072])
    spec = charts.spec("fit", records)
    texts = {(c["context"], c["batch"]): c["text"] for c in spec["datasets"]["cells"]}
    assert texts[1024, 1] == "1" and texts[131072, 64] == "16"  # 1.1 TB over chips of 72 GB, in powers of two
    assert "fewest chips" in spec["usermeta"]["caption"][0]


# Step


def test_bars_add_up_to_the_operations() -> None:
    records = evaluate.explain(Request("h100", "deepseek-v3", chips=8, weights="fp8"), "decode", 32, 8192, 0)
    rows = charts.spec("step", records)["datasets"]["parts"]
    operations = [r for r in records if r["operation"] != "step"]
    assert math.fsum(row["seconds"] for row in rows) == pytest.approx(math.fsum(r["seconds"] for r in operations))
    assert math.fsum(row["share"] for row in rows) == pytest.approx(1.0)
    times = [row["seconds"] for row in rows if "others" not in row["operation"]]
    assert times == sorted(times, reverse=True)
    assert rows[0]["operation"] == "expert gate up" and rows[0]["bound"] == "weight bandwidth"
    assert rows[-1]["operation"].endswith("others") and all(row["share"] >= 0.01 for row in rows[:-1])
    assert rows[0]["time"] == pytest.approx(rows[0]["seconds"] * 1e3)  # milliseconds, as the axis says


# Validation


def test_measured_and_predicted_in_one_unit(checked: list[Record]) -> None:
    spec = charts.spec("validate", checked)
    rows = spec["datasets"]["rows"]
    predicted = [r for r in checked if r["predicted"] is not None]
    assert len(rows) == len(predicted)
    for row, r in zip(rows, predicted, strict=True):
        assert row["predicted"] / row["measured"] == pytest.approx(r["predicted"] / float(r["value"]))
        assert (row["panel"] == "times [ms]") == r["metric"].endswith(("_ms", "_us"))
    micro = charts.spec("validate", [predicted[0] | {"metric": "latency_us", "value": 1500, "predicted": 3000}])
    assert micro["datasets"]["rows"][0]["measured"] == 1.5
    within = sum(abs(r["error"]) <= 0.2 for r in predicted) / len(predicted)
    assert f"{within:.0%} within 20 %" in spec["usermeta"]["subtitle"]


# Tornado


def test_tornado_is_sorted_and_starts_at_the_base() -> None:
    data = charts.spec("tornado", SWINGS)["datasets"]
    assert [(e["name"], e["from"], e["to"], e["side"]) for e in data["ends"]] == [
        ("bandwidth", 148.0, 120.0, "left"),
        ("bandwidth", 148.0, 190.0, "right"),
        ("batch", 148.0, 140.0, "left"),
        ("batch", 148.0, 150.0, "right"),
    ]
    assert data["base"] == [{"value": 148.0}]
    assert data["ends"][0]["text"] == "120 (-20 %)"


def test_tornado_of_a_sampled_cost() -> None:
    from roofline import costing
    from roofline.cost.copies import Load, Rules

    load, sampling = Load(isl=4096.0, osl=1024.0, hit=0.0), costing.Sampling(200)
    records = costing.cost([Request("h100", "llama-3.1-8b")], load, Rules(), costing.Purse(), None, sampling)
    sampled = records[-1]
    data = charts.spec("tornado", records)["datasets"]
    price = {e["end"]: e for e in data["ends"] if e["name"] == "price"}
    assert price["input at its low end"]["to"] == sampled["swing_price_low"]
    assert price["input at its high end"]["to"] == sampled["swing_price_high"]
    base = sampled["usd_per_million_tokens_at_medians"]
    assert sampled["swing_price_low"] < base < sampled["swing_price_high"]
    # In a rent the electricity is paid already: the answer stays where it is.
    power = [e for e in data["ends"] if e["name"] == "power"]
    assert [e["to"] for e in power] == pytest.approx([base, base])


# What does not draw


def test_nothing_to_draw_is_said() -> None:
    for kind in charts.KINDS:
        with pytest.raises(RooflineError, match="nothing to draw"):
            charts.spec(kind, [])
    unpriced = evaluate.decode([Request("wse2", "llama-3.1-8b")], [1], [1024])
    with pytest.raises(RooflineError, match="no price is published for wse2; give --usd-per-hour"):
        charts.spec("dollars", unpriced)
    with pytest.raises(RooflineError, match="'pie' is not known; use one of roofline, frontier"):
        charts.spec("pie", [])


def test_the_message_says_how_to_get_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "altair"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(RooflineError, match=r"pip install 'roofline\[plot\]'"):
        charts.spec("tornado", SWINGS)
    with pytest.raises(RooflineError, match=r"pip install 'roofline\[plot\]'"):
        render.ready(tmp_path / "a.svg", overwrite=False)


def test_a_hostile_name_is_data_not_code(decoded: list[Record]) -> None:
    name = "x' || datum.batch > 0 || '"
    fits = evaluate.fit(MAVERICK[:2], [1, 8], [1024, 8192], fixed=True)
    fits = [r | {"hardware": name if r["hardware"] == "wse3" else r["hardware"]} for r in fits]
    spec = charts.spec("fit", fits)
    filters = [part["filter"] for part in parts(spec) if "filter" in part]
    assert {"field": "panel", "equal": f"{name} x 22"} in filters
    assert not any("x'" in f for f in filters if isinstance(f, str))
    assert b"<svg" in render.render(spec, ".svg")


def test_sources_are_short() -> None:
    found = sources.short(
        "https://www.example.com/a/b; https://github.com/owner/project/tree/main/x; owner/other configs: llama; "
        "vendor page, not re-read: https://vendor.com/x"
    )
    assert found == ["example.com", "github.com/owner/project", "owner/other configs"]
    said = sources.of([Request("h100", "llama-3.1-8b"), Request("h100", "llama-3.1-8b")])
    assert len(said) == 2 and said[0].startswith("h100: chipsandcheese.com")
