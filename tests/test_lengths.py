"""Requests of many lengths: one length is the plain loop, means hold, spread only costs, tiers cost what they carry."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofline import lengths, open_loop, workload
from roofline.errors import RooflineError
from roofline.mixed import mixed
from roofline.resolve import Request, resolve
from roofline.tiers import cache_in, load_rate
from test_cli import one_line_error, roofline

SYSTEM = resolve(Request("gh200", "llama-3.1-8b", "vllm", chips=1))


@pytest.mark.parametrize(
    "kind, size", [("concurrency", 16.0), ("rate", 2.0), ("saturated", None), ("static_batch", 8.0)]
)
def test_one_length_is_the_plain_loop(kind: str, size: float | None) -> None:
    plain = {
        "concurrency": lambda: workload.closed_loop(SYSTEM, 16.0, 2048, 256, 512.0),
        "rate": lambda: open_loop.at_rate(SYSTEM, 2.0, 2048, 256, 512.0),
        "saturated": lambda: workload.saturated(SYSTEM, 2048, 256, past=512.0),
        "static_batch": lambda: workload.static_batch(SYSTEM, 8.0, 2048, 256),
    }[kind]()
    found = mixed(SYSTEM, kind, size, lengths.fixed(2048, 256, 0.25))
    assert found is not None
    assert found.ttft == pytest.approx(plain.ttft)
    assert found.latency == pytest.approx(plain.latency)
    assert found.service.requests_per_second == pytest.approx(plain.requests_per_second)


@given(isl=st.integers(64, 50_000), osl=st.integers(16, 5_000), s=st.floats(0.0, 1.0), hit=st.floats(0.0, 0.9))
def test_spreads_keep_their_means(isl: int, osl: int, s: float, hit: float) -> None:
    for one in (lengths.uniform(isl, osl, 0.9 * s, hit), lengths.lognormal(isl, osl, s, s, hit)):
        assert one.isl == pytest.approx(isl, rel=0.02)
        assert one.osl == pytest.approx(osl, rel=0.02)
        assert one.mean(lambda item: item.past) == pytest.approx(hit * isl, rel=0.02, abs=1.0)
        assert sum(item.weight for item in one.items) == pytest.approx(1.0)


def test_a_step_sees_long_answers_as_often_as_they_have_tokens() -> None:
    # Answers of 100 and 300 tokens after 1,000: a token belongs to the long one with 3 in 4. Mean context
    # (100 x 1050 + 300 x 1150) / 400 = 1125, of which half the mean answer, 100, is output: 1,025 before it.
    mix = lengths.Lengths((lengths.Item(1000, 100, 0, 0.5), lengths.Item(1000, 300, 0, 0.5)))
    assert mix.alike.isl == pytest.approx(1025)
    # The prompt is still 1,000 fresh tokens.
    assert mix.alike.isl - mix.alike.past == pytest.approx(1000)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 32), s=st.floats(0.1, 1.0))
def test_spread_only_costs(n: int, s: float) -> None:
    # Requests all of one length would come in waves again and again, which is another thing than spread.
    even = mixed(SYSTEM, "concurrency", n, lengths.lognormal(2048, 256, 1e-6, 1e-6))
    wide = mixed(SYSTEM, "concurrency", n, lengths.lognormal(2048, 256, s, s))
    assert even is not None and wide is not None
    assert wide.ttft_percentile(0.99) >= even.ttft_percentile(0.99) * (1 - 1e-6)
    assert wide.service.requests_per_second <= even.service.requests_per_second * (1 + 1e-6)
    assert wide.request_percentile(0.5) <= wide.request_percentile(0.99)
    assert 0 <= wide.goodput(even.ttft, None) <= wide.service.requests_per_second


def test_a_prefix_from_the_host_is_later_by_its_bytes_over_the_link() -> None:
    # Llama 3.1 8B holds 2 x 8 heads x 128 x 32 layers x 2 B = 131,072 B per token; 8,192 tokens are 1.07 GB.
    near, far = (mixed(SYSTEM, "concurrency", 1.0, lengths.fixed(16384, 64, 0.5), hit_tier=tier) for tier in (0, 1))
    assert near is not None and far is not None
    assert far.ttft - near.ttft == pytest.approx(8192 * 131072 / load_rate(SYSTEM, 1))


def test_spilled_caches_let_more_users_decode_but_slower() -> None:
    users, mix = 200.0, lengths.fixed(16384, 512)
    waiting = mixed(SYSTEM, "concurrency", users, mix)
    spilled = mixed(SYSTEM, "concurrency", users, mix, spill_tier=1)
    assert waiting is not None and spilled is not None
    assert spilled.service.batch > waiting.service.batch
    assert spilled.service.tpot > waiting.service.tpot
    # Never slower than with every cache in the far tier.
    n = spilled.service.batch
    assert spilled.service.tpot <= workload.closed_loop(cache_in(SYSTEM, 1), n, 16384, 512).tpot * (1 + 1e-9)


def test_a_tier_that_is_not_there_is_one_line() -> None:
    with pytest.raises(RooflineError, match="has no memory tier 7"):
        mixed(SYSTEM, "concurrency", 1.0, lengths.fixed(64, 64), spill_tier=7)


SERVE = ("serve", "--hw", "h100", "--model", "llama-3.1-8b")


def run(*arguments: str) -> list[dict[str, float]]:
    result = roofline(*SERVE, "--format", "json", *arguments)
    assert result.returncode == 0, result.stderr
    found: list[dict[str, float]] = json.loads(result.stdout)
    return found


def test_a_trace_and_a_profile_are_lengths(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("isl,osl,cached\n1000,100,0\n3000,300,1500\n", encoding="utf-8")
    [record] = run("--trace", str(trace), "--concurrency", "8")
    assert (record["isl"], record["osl"], record["cache_hit"]) == (2000, 200, 0.375)
    assert record["request_p50_seconds"] < record["request_p99_seconds"]
    [chat] = run("--profile", "chat", "--rate", "1", "--ttft", "1s")
    assert chat["isl"] == pytest.approx(1150)
    assert 0 < chat["goodput_requests_per_second"] <= 1.0
    # sigma² = 2 ln(mean / median): sqrt(2 ln(1150 / 1020)) = 0.49
    assert "0.49" in str(chat["lengths"])
    assert math.sqrt(2 * math.log(1150 / 1020)) == pytest.approx(0.49, abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--spread", "normal:0.1"], "--spread 'normal:0.1'"),
        (["--spread", "uniform:2"], "uniform:R"),
        (["--spread", "uniform:0.1", "--profile", "chat"], "give one of them"),
        (["--static", "8", "--spread", "uniform:0.1"], "one length"),
        (["--spill-tier", "1"], "--concurrency"),
        (["--cache-hit", "1.2"], "--cache-hit"),
    ],
)
def test_wrong_lengths_are_one_line(arguments: list[str], says: str) -> None:
    assert says in one_line_error(roofline(*SERVE, *arguments))
