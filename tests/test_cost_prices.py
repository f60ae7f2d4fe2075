"""List prices: which row holds when, what is in a median, and one line for every mistake."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from roofline.cost import quotes, retail
from roofline.cost.prices import Row, Snapshot, snapshot
from roofline.cost.quotes import When, parse_instant
from roofline.errors import RooflineError

HEADER = "model,provider,input_usd_per_mtok,output_usd_per_mtok,source,retrieved"


@pytest.fixture(scope="module")
def shipped() -> Snapshot:
    return snapshot()


def when(text: str, printed: bool = False) -> When:
    return When(parse_instant(text, "--at"), printed)


def first_party(shipped: Snapshot, model: str, text: str) -> tuple[float, float | None, float]:
    (row,) = quotes.quotes(shipped, when(text), model, "deepseek")
    return row.input, row.cached, row.output


# DeepSeek's own page through genai-prices 0.2.3: $0.14/$0.0028/$0.28 at the launch, $0.22/$0.007/$0.66 off-peak from
# 2026-08-17 (peak double), the V4.1 Flash price $0.15/$0.003/$0.60 off-peak, $0.30/$0.006/$1.20 peak from 2026-09-10.
# Peak is 01:00-04:00 and 06:00-10:00 UTC from Monday to Friday.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T12:00Z", (0.15, 0.003, 0.60)),  # a Monday, off-peak
        ("2026-11-23T02:00Z", (0.30, 0.006, 1.20)),
        ("2026-11-23T01:00Z", (0.30, 0.006, 1.20)),  # the first minute of the window
        ("2026-11-23T04:00Z", (0.15, 0.003, 0.60)),  # the first minute after it
        ("2026-11-23T09:59Z", (0.30, 0.006, 1.20)),
        ("2026-11-23T17:00+08:00", (0.30, 0.006, 1.20)),  # 09:00 UTC
        ("2026-11-22T02:00Z", (0.15, 0.003, 0.60)),  # a Sunday
        ("2026-08-20T12:00Z", (0.22, 0.007, 0.66)),
        ("2026-08-20T02:00Z", (0.44, 0.014, 1.32)),
        ("2026-05-20T02:00Z", (0.14, 0.0028, 0.28)),  # before there was a peak
    ],
)
def test_deepseek_v4_flash_through_the_year(shipped: Snapshot, text: str, expected: tuple[float, float, float]) -> None:
    assert first_party(shipped, "DeepSeek V4 Flash", text) == expected


def test_four_dated_bills_of_one_request(shipped: Snapshot) -> None:
    # 0.5M fresh + 0.5M cached + 0.1M output, as genai-prices computes it:
    # May 0.5 x 0.14 + 0.5 x 0.0028 + 0.1 x 0.28 = 0.0994; 20 August 0.11 + 0.0035 + 0.066 = 0.1795;
    # November off-peak 0.075 + 0.0015 + 0.06 = 0.1365; peak twice that, 0.273.
    for text, usd in {
        "2026-05-20": 0.0994,
        "2026-08-20": 0.1795,
        "2026-11-23T12:00Z": 0.1365,
        "2026-11-23T02:00Z": 0.273,
    }.items():
        fresh, cached, output = first_party(shipped, "deepseek-v4-flash", text)
        assert 0.5 * fresh + 0.5 * (cached or 0) + 0.1 * output == pytest.approx(usd)


def test_the_articles_own_table(shipped: Snapshot) -> None:
    rows = quotes.quotes(shipped, when("2026-05-11", printed=True))
    assert {row.model: (row.input, row.output) for row in rows} == {
        "deepseek-v4-flash": (0.14, 0.28),
        "llama-4-maverick": (0.15, 0.60),
        "gemini-2.5-pro": (1.25, 10.0),
        "gpt-4.1": (2.0, 8.0),
        "claude-opus-4.7": (5.0, 25.0),
        "gpt-5.5": (5.0, 30.0),
    }
    records = {r["model"]: r for r in retail.by_model(rows, when("2026-05-11", printed=True), [])}
    assert records["gpt-5.5"]["input_times_cheapest"] == pytest.approx(35.7, abs=0.05)  # 5 / 0.14 = 35.71
    assert records["gpt-5.5"]["output_times_cheapest"] == pytest.approx(107, abs=0.5)  # 30 / 0.28 = 107.1
    assert all(r["at"] == "2026-05-11" and "article" in r["source"] for r in records.values())


def test_the_article_is_used_for_its_day_or_by_name_only(shipped: Snapshot) -> None:
    for moment in (when("2026-05-11"), when("2026-11-23"), when("2026-05-12", printed=True)):
        assert not any(row.status == "article" for row in quotes.quotes(shipped, moment))
    assert len(quotes.quotes(shipped, when("2026-11-23"), source="article")) == 6


def test_the_snapshot_has_forty_models_each_with_an_ordinary_price(shipped: Snapshot) -> None:
    assert len(shipped.models) >= 40
    assert shipped.date == date(2026, 11, 23)
    rows = quotes.quotes(shipped, When(quotes.noon(shipped.date)))
    assert {row.model for row in rows if row.plain} == set(shipped.models)
    for row in shipped.rows:
        assert row.source and row.retrieved and row.license


def test_medians_leave_flagged_and_ended_rows_out(shipped: Snapshot) -> None:
    # gpt-oss-120b, 2026-11-23: 18 ordinary offers from 0.09 to 0.35, the usual one 0.15/0.60 (Groq, Together, Nebius).
    rows = quotes.quotes(shipped, when("2026-11-23"), "gpt-oss-120b")
    middle = quotes.middle(rows)
    plain = [row.input for row in rows if not row.flags and not row.status]
    assert len(plain) < len(rows)
    assert middle["offers"] == len(plain)
    assert (middle["usd_per_million_input_tokens"], middle["usd_per_million_output_tokens"]) == (0.15, 0.60)
    assert middle["usd_per_million_input_tokens_low"] == min(plain)
    assert middle["usd_per_million_input_tokens_high"] == max(plain)


def test_median_of_an_even_number() -> None:
    assert quotes.median([4.0, 1.0, 2.0]) == 2.0
    assert quotes.median([4.0, 1.0, 2.0, 3.0]) == 2.5


def test_an_undated_source_gives_way_to_one_that_knows_the_hour(shipped: Snapshot) -> None:
    # LiteLLM lists the peak price of the same endpoint as if it held always.
    listed = [row for row in shipped.rows if row.model == "deepseek-v4.1-flash" and row.provider == "deepseek"]
    assert {row.family for row in listed} == {"genai-prices", "litellm"}
    assert first_party(shipped, "deepseek-v4.1-flash", "2026-11-23T12:00Z") == (0.15, 0.003, 0.60)


def test_tiers_by_input_length(shipped: Snapshot) -> None:
    # GPT-5.5 above 272,000 input tokens: 10/45 instead of 5/30, cached 1.00 instead of 0.50 (OpenAI's page).
    for row in quotes.quotes(shipped, when("2026-11-23"), "gpt-5.5"):
        short, long = row.prices(272_000), row.prices(272_001)
        assert (short.input, short.cached, short.output) == (5.0, 0.5, 30.0)
        assert (long.input, long.cached, long.output) == (10.0, 1.0, 45.0)


def test_batch_prices_by_tier(shipped: Snapshot) -> None:
    # Gemini 2.5 Pro: batch 0.625/5, above 200,000 tokens 1.25/7.5 (genai-prices 0.2.3).
    rows = [r for r in quotes.quotes(shipped, when("2026-11-23"), "gemini-2.5-pro") if r.batch_input]
    for row in rows:
        assert (row.prices().batch_input, row.prices().batch_output) == (0.625, 5.0)
        assert (row.prices(300_000).batch_input, row.prices(300_000).batch_output) == (1.25, 7.5)
    assert rows


def test_a_cached_or_written_token_without_a_price_is_an_input_token(shipped: Snapshot) -> None:
    row = next(row for row in shipped.rows if row.cached is None and row.write is None)
    assert row.prices().cached == row.prices().write == row.input
    free_write = next(row for row in shipped.rows if row.write == 0)
    assert free_write.prices().write == free_write.input


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("DeepSeek V4 Flash", "deepseek-v4-flash"),
        ("llama4_maverick", "llama-4-maverick"),
        ("opus-4.7", "claude-opus-4.7"),  # an alias of the model catalogue
        ("gpt-oss", "gpt-oss-120b"),
        ("deepseek-r1-0528", "deepseek-r1"),  # a provider's name for it
    ],
)
def test_names(shipped: Snapshot, name: str, model: str) -> None:
    assert shipped.model(name) == model


@pytest.mark.parametrize("name", ["gpt-9", "kimi-k2.7-code", "minimax-m2.7", "", "llama-2-7b"])
def test_no_price_is_made_up(shipped: Snapshot, name: str) -> None:
    # kimi-k2.7-code and minimax-m2.7 are aliases of architectures whose other releases have a price.
    with pytest.raises(RooflineError, match="no list price for model"):
        shipped.model(name)


def test_suggestions(shipped: Snapshot) -> None:
    with pytest.raises(RooflineError, match="did you mean 'deepseek-v4-flash'"):
        shipped.model("deepseek-v4-flsh")
    with pytest.raises(RooflineError, match="did you mean 'fireworks'"):
        shipped.provider("firework")


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", "", "11/23/2026"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(RooflineError, match="is not a date; write 2026-11-23"):
        parse_instant(text, "--at")


def test_a_day_of_which_nothing_is_known(shipped: Snapshot) -> None:
    with pytest.raises(RooflineError, match=r"known for 2019-01-01; prices here are from 2025-07-03"):
        quotes.quotes(shipped, when("2019-01-01"))


def test_a_snapshot_without_dates_says_nothing_of_the_past(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEADER}\na,x,1,2,mine,2026-06-01\n")
    own = snapshot(path)
    assert quotes.quotes(own, when("2026-06-02"), "a")
    with pytest.raises(RooflineError, match="no list price of a is known for 2026-05-31"):
        quotes.quotes(own, when("2026-05-31"), "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEADER}\na,x,1,2,mine,2026-06-01\na,x,-1,2,mine,2026-06-01\n",
            "line 3: input_usd_per_mtok: -1 is negative",
        ),
        (f"{HEADER}\na,x,nan,2,mine,2026-06-01\n", "line 2: input_usd_per_mtok: nan is not finite"),
        (f"{HEADER}\na,x,€1,2,mine,2026-06-01\n", "line 2: input_usd_per_mtok: '€1' is not a number of US dollars"),
        (f"{HEADER},cached_input_eur_per_mtok\na,x,1,2,mine,2026-06-01,1\n", "more than one currency (EUR, USD)"),
        (f"{HEADER},currency\na,x,1,2,mine,2026-06-01,USD\nb,x,1,2,mine,2026-06-01,EUR\n", "line 3: currency: 'EUR'"),
        (HEADER.replace("usd", "eur") + "\na,x,1,2,mine,2026-06-01\n", "prices are in EUR"),
        (f"{HEADER}\na,x,1,,mine,2026-06-01\n", "line 2: input_usd_per_mtok and output_usd_per_mtok: give both"),
        (f"{HEADER}\na,x,1,2,mine,2026-06-31\n", "line 2: retrieved: '2026-06-31' is not a date"),
        (f"{HEADER}\na,x,1,2,mine,\n", "line 2: retrieved: empty"),
        (f"{HEADER}\na,x,1,2,,2026-06-01\n", "line 2: source: empty"),
        (f"{HEADER},schedule\na,x,1,2,mine,2026-06-01,at night\n", "line 2: schedule: 'at night'"),
        ("model,provider\na,x\n", "column input_usd_per_mtok is missing"),
        (f"{HEADER}\n", "no prices in this file"),
        ("", "is missing"),
    ],
)
def test_bad_price_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RooflineError) as error:
        snapshot(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_hours_over_midnight(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    text = f"{HEADER},schedule\na,x,2,4,mine,2026-06-01,\na,x,1,2,mine,2026-06-01,daily 22:00-02:00 UTC\n"
    path.write_text(text)
    own = snapshot(path)
    found = [
        quotes.quotes(own, when(f"2026-06-02T{hour}Z"), "a")[0].input for hour in ("21:59", "22:00", "01:59", "02:00")
    ]
    assert found == [2.0, 1.0, 1.0, 2.0]


def test_peak_and_off_peak(shipped: Snapshot) -> None:
    rows = [row for row in shipped.rows if row.model == "deepseek-v4-pro"]
    ((peak, flat, words),) = quotes.hours(rows, shipped, when("2026-11-23"))
    assert (peak.input, flat.input) == (1.32, 0.66)
    assert words == "weekdays 01:00-04:00, 06:00-10:00 UTC"
    assert quotes.hours(rows, shipped, when("2026-06-30")) == []


def test_margin_and_break_even() -> None:
    # Costs $0.20 at utilisation 0.5 and sells at $0.80: margin 75 %, break-even when busy 0.5 x 0.2 / 0.8 = 12.5 %.
    cost = {"usd_per_million_input_tokens": 0.2, "usd_per_million_output_tokens": 5.0}
    sold = {"retail_usd_per_million_input_tokens": 0.8, "retail_usd_per_million_output_tokens": 1.0}
    found = retail.beside(cost, sold, 0.1, 0.5)
    assert found["gross_margin_input"] == pytest.approx(0.75)
    assert found["break_even_utilisation_input"] == pytest.approx(0.125)
    assert found["gross_margin_output"] == pytest.approx(-4.0)
    assert "break_even_utilisation_output" not in found  # 0.5 x 5 / 1 = 2.5: never


def test_the_file_is_as_its_readme_counts() -> None:
    folder = Path(__file__).parents[1] / "prices"
    with (folder / "api_prices.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    readme = (folder / "README.md").read_text(encoding="utf-8")
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["source"]] = counts.get(row["source"], 0) + 1
        assert row["license"] in ("MIT", "n/a")
    assert sorted(counts.values()) == [2, 6, 301, 409]
    assert all(f"| {count} |" in readme for count in counts.values())


def test_rows_are_immutable(shipped: Snapshot) -> None:
    row: Row = shipped.rows[0]
    with pytest.raises(AttributeError):
        row.input = 0.0  # type: ignore[misc]
