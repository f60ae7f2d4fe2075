"""Results in notebooks: a table of their own, and charts."""

from __future__ import annotations

from pathlib import Path

import pytest

import roofline
from roofline.errors import RooflineError
from roofline.units import significant


def test_a_decode_result_shows_its_table() -> None:
    result = roofline.decode(hw=["h100", "b200"], model="llama-3.1-8b", batch=[1, 8])
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + 4
    for record in result.records():
        assert f"<td>{significant(record['tokens_per_second_per_user'])}</td>" in page
    one = roofline.decode(hw="wse3", model="llama4-maverick")._repr_html_()
    assert "as served" in one and "wafers needed" in one


def test_a_long_result_says_how_much_more_there_is() -> None:
    page = roofline.decode(hw="h100", model="llama-3.1-8b", batch=range(1, 52))._repr_html_()
    assert page.count("<tr>") == 1 + 40 and "11 further points" in page


def test_records_are_a_list_with_a_table() -> None:
    records = roofline.compare(["h100", "b200"], "llama-3.1-8b")
    assert isinstance(records, list) and [r["hardware"] for r in records] == ["h100", "b200"]
    assert "rent per hour" in records._repr_html_()
    assert "users" in roofline.fit("h100", "llama-3.1-8b")._repr_html_()


def test_charts_of_results(tmp_path: Path) -> None:
    several = roofline.decode(hw="h100", model="llama-3.1-8b", batch=[1, 8, 32, 64])
    assert several.plot().spec["usermeta"]["title"].startswith("Throughput per chip")
    assert [p["at"] for p in several.plot("dollars").spec["datasets"]["points"]] == [1, 8, 32]
    # 51 sequences of 8,192 tokens fit.
    assert "1 point does not fit and is not drawn." in several.plot().spec["usermeta"]["caption"]
    with pytest.raises(RooflineError, match="one batch and one length; this result has several"):
        several.plot("step")
    one = roofline.decode(hw="h100", model="llama-3.1-8b")
    assert one.plot().spec["usermeta"]["title"] == "Time of a step by operation"
    with pytest.raises(RooflineError, match="has no 'tornado' chart; use one of frontier, dollars"):
        one.plot("tornado")
    prompt = roofline.prefill(hw="h100", model="llama-3.1-8b", isl=2048)
    assert prompt.plot("roofline", width=300).spec["usermeta"]["subtitle"].startswith("prefill")
    one.plot().save(tmp_path / "step.svg")
    assert one.plot()._repr_svg_() == (tmp_path / "step.svg").read_text()
    with pytest.raises(RooflineError, match="exists"):
        one.plot().save(tmp_path / "step.svg")


def test_charts_of_a_comparison_and_a_fit() -> None:
    compared = roofline.compare(["h100", "b200"], "llama-3.3-70b", batch=24, utilisation=0.5)
    points = compared.plot().spec["datasets"]["points"]
    # The compared batch is on the curves, on the chips that hold it.
    for record in compared:
        shown = [p for p in points if p["at"] == 24 and p["x"] == record["tokens_per_second_per_user"]]
        assert len(shown) == 1, record["hardware"]
    dollars = {p["y"] for p in compared.plot("dollars").spec["datasets"]["points"]}
    assert {r["usd_per_million_output_tokens"] for r in compared} <= dollars
    cells = (
        roofline.fit("h100", "llama-3.1-8b", batch=[1, 512], context=[1024, 131072]).plot().spec["datasets"]["cells"]
    )
    assert [c["fits"] for c in cells] == [True, True, False, False]  # 512 x 1,024 x 131,072 B are 69 GB
    assert {c["chips"] for c in cells} == {1}
