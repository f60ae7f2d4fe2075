"""The roofline kernel: closed forms against plain sums, and properties that must hold for any table."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline import kernel
from roofline.lower.table import Row, Table

TOKENS = st.integers(1, 300)
PAST = st.integers(0, 5000)


def attended_one_by_one(span: float, ratio: float, cap: float, n: int, p: int) -> float:
    """Walk over the new tokens, as the definition says."""
    total = 0.0
    for position in range(p + 1, p + n + 1):
        if span == kernel.CHUNKED:
            total += (position - 1) % cap + 1
        else:
            total += min(position / ratio, cap)
    return total


@given(n=TOKENS, p=PAST, cap=st.integers(1, 4000))
def test_sliding_window_closed_form(n: int, p: int, cap: int) -> None:
    expected = attended_one_by_one(kernel.DENSE, 1.0, cap, n, p)
    assert kernel.attended_pairs(kernel.DENSE, 1.0, float(cap), float(n), float(p)) == pytest.approx(
        expected, rel=1e-12
    )


@given(n=TOKENS, p=PAST, w=st.integers(1, 4000))
def test_chunked_closed_form(n: int, p: int, w: int) -> None:
    expected = attended_one_by_one(kernel.CHUNKED, 1.0, w, n, p)
    assert kernel.attended_pairs(kernel.CHUNKED, 1.0, float(w), float(n), float(p)) == pytest.approx(
        expected, rel=1e-12
    )


@given(n=TOKENS, p=PAST, ratio=st.sampled_from([4, 128]), cap=st.integers(1, 600))
def test_compressed_closed_form(n: int, p: int, ratio: int, cap: int) -> None:
    expected = attended_one_by_one(kernel.DENSE, ratio, cap, n, p)
    found = kernel.attended_pairs(kernel.DENSE, float(ratio), float(cap), float(n), float(p))
    assert found == pytest.approx(expected, rel=1e-12)


def test_full_causal_prefill_is_the_triangle() -> None:
    # 4,096 tokens: 4096 x 4097 / 2 = 8,390,656 pairs.
    assert kernel.attended_pairs(kernel.DENSE, 1.0, kernel.UNCAPPED, 4096.0, 0.0) == 8_390_656.0


def test_entries_read_by_kind() -> None:
    # Full attention reads all p + n; a window of 1,024 reads at most W + n - 1 = 1,279 for 256 new tokens.
    assert kernel.entries_read(kernel.DENSE, 1.0, kernel.UNCAPPED, 256.0, 8192.0) == 8448.0
    assert kernel.entries_read(kernel.DENSE, 1.0, 1024.0, 256.0, 8192.0) == 1279.0
    # Blocks of 8,192: tokens 8,193 to 8,448 lie in the second block and read only it.
    assert kernel.entries_read(kernel.CHUNKED, 1.0, 8192.0, 256.0, 8192.0) == 256.0
    # Top-k of 2,048 gathers for each query: 256 x 2,048.
    assert kernel.entries_read(kernel.GATHER, 1.0, 2048.0, 256.0, 8192.0) == 256.0 * 2048.0


@given(cap=st.integers(1, 5000), n=TOKENS, p=PAST)
def test_a_window_caps_attention(cap: int, n: int, p: int) -> None:
    windowed = kernel.attended_pairs(kernel.DENSE, 1.0, float(cap), float(n), float(p))
    full = kernel.attended_pairs(kernel.DENSE, 1.0, kernel.UNCAPPED, float(n), float(p))
    assert windowed <= full * (1 + 1e-12)
    assert windowed <= n * cap * (1 + 1e-12)


@given(experts=st.integers(1, 1024), k=st.integers(1, 64), tokens=st.integers(1, 10_000))
def test_experts_touched_never_exceed_all_nor_one_per_choice(experts: int, k: int, tokens: int) -> None:
    k = min(k, experts)
    log_miss = math.log1p(-k / experts) if k < experts else -1e3
    touched = experts * kernel.experts_touched(log_miss, float(tokens))
    assert k * (1 - 1e-12) <= touched
    assert touched <= min(experts, tokens * k) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("experts", "k", "tokens", "published"),
    [(8, 2, 4, 5.5), (128, 1, 64, 50.5), (128, 8, 16, 82.4), (256, 8, 64, 222.4), (896, 16, 512, 895.9)],
)
def test_experts_touched_against_the_formula_by_hand(experts: int, k: int, tokens: int, published: float) -> None:
    # E (1 - (1 - k/E)^B), for example DeepSeek-V3 at 64 tokens: 256 (1 - (248/256)^64) = 222.4.
    touched = experts * kernel.experts_touched(math.log1p(-k / experts), float(tokens))
    assert touched == pytest.approx(published, abs=0.06)


def gemm(**changes: float) -> Row:
    base = {"flops_token": 2e9, "bytes_fixed": 2e9, "seconds_per_flop": 1e-15, "seconds_per_byte": 1e-12}
    return Row("gemm", "layer", **(base | changes))  # type: ignore[arg-type]


def seconds(row: Row, batch: float = 1.0) -> float:
    return kernel.step_seconds(Table((row,), 1.0).values, batch, 1.0, 1.0, 0.0, 1.0)


def test_op_time_is_the_longer_plus_the_unhidden_share_of_the_shorter() -> None:
    # 8 tokens: compute 16 GFLOP / 1 PFLOP/s = 16 us, memory 2 GB / 1 TB/s = 2,000 us.
    assert seconds(gemm(), 8) == pytest.approx(2000e-6)
    assert seconds(gemm(overlap=0.25), 8) == pytest.approx(2004e-6)
    assert seconds(gemm(overlap=1.0, overhead=5e-6), 8) == pytest.approx(2021e-6)
    # 4,000 tokens: compute 8,000 us wins.
    assert seconds(gemm(), 4000) == pytest.approx(8000e-6)


def test_a_collective_takes_the_faster_algorithm() -> None:
    row = Row("all-reduce", "layer", bytes_token=16384.0, seconds_per_byte=1e-11, overhead=4e-6)
    row_two = Row(
        "all-reduce",
        "layer",
        bytes_token=16384.0,
        seconds_per_byte=1e-11,
        overhead=4e-6,
        seconds_per_byte_alt=2e-12,
        overhead_alt=19e-6,
    )
    # 1 token: 4 + 0.16 us; 1,024 tokens: 16.8 MB, 4 + 168 us against 19 + 33.6 us.
    assert seconds(row_two, 1) == pytest.approx(seconds(row, 1)) == pytest.approx(4.16384e-6)
    assert seconds(row_two, 1024) == pytest.approx(19e-6 + 16384 * 1024 * 2e-12)


@given(
    slower=st.floats(1.0, 10.0),
    batch=st.integers(1, 4096),
    overlap=st.floats(0.0, 1.0),
)
def test_time_never_rises_with_a_faster_chip(slower: float, batch: int, overlap: float) -> None:
    fast = gemm(overlap=overlap)
    for name in ("seconds_per_flop", "seconds_per_byte"):
        slow = gemm(**{"overlap": overlap, name: getattr(fast, name) * slower})
        assert seconds(fast, batch) <= seconds(slow, batch) * (1 + 1e-12)


def test_prefill_in_chunks_reads_the_weights_once_a_chunk() -> None:
    # Weights 2 GB at 1 TB/s: 2 ms a pass; compute 2 GFLOP x 1,024 at 1 PFLOP/s = 2.05 ms a chunk, which wins.
    values = Table((gemm(),), 1.0).values
    whole = kernel.prefill_seconds(values, 1.0, 1.0, 4096.0, 0.0, 2.0**40, 1.0, 0.0)
    chunked = kernel.prefill_seconds(values, 1.0, 1.0, 4096.0, 0.0, 512.0, 1.0, 0.0)
    assert whole == pytest.approx(4096 * 2e-6)
    # Chunks of 512: compute 1.02 ms, memory 2 ms: 8 x 2 ms.
    assert chunked == pytest.approx(8 * 2e-3)


def test_pipeline_fills_and_drains() -> None:
    # 4 chunks over 2 stages: (4 + 2 - 1) stage times of half a chunk each = 2.5 chunks instead of 4.
    values = Table((gemm(),), 1.0).values
    one = kernel.prefill_seconds(values, 1.0, 1.0, 4096.0, 0.0, 1024.0, 1.0, 0.0)
    two = kernel.prefill_seconds(values, 1.0, 1.0, 4096.0, 0.0, 1024.0, 2.0, 0.0)
    assert two / one == pytest.approx(2.5 / 4)


def test_a_rank_with_any_sequence_has_at_least_one() -> None:
    values = Table((Row("host", "once", overhead_sequence=1e-3),), 8.0).values
    assert kernel.step_seconds(values, 1.0, 8.0, 1.0, 0.0, 1.0) == pytest.approx(1e-3)
    assert kernel.step_seconds(values, 64.0, 8.0, 1.0, 0.0, 1.0) == pytest.approx(8e-3)


@pytest.mark.parametrize(("experts", "k"), [(128, 4), (256, 8), (8, 2)])
def test_prompts_that_agree_touch_fewer_experts(experts: int, k: int) -> None:
    log_miss = math.log1p(-k / experts)
    # One token touches its k whatever the spread; more tokens touch more, never as many as with even choices.
    assert kernel.independent_tokens(log_miss, 1.0, 1.0) == 1.0
    counts = [kernel.independent_tokens(log_miss, float(t), 1.0) for t in (1, 2, 8, 64, 4096)]
    assert counts == sorted(counts)
    assert all(c <= t for c, t in zip(counts, (1, 2, 8, 64, 4096), strict=True))
    # A narrow spread of popularity is no spread.
    assert kernel.independent_tokens(log_miss, 64.0, 1e9) == pytest.approx(64.0, rel=1e-4)


def test_an_exponential_spread_by_hand() -> None:
    # gpt-oss-120b, 4 of 128, 64 tokens: q = -ln(124/128) = 0.031749; 1 + ln(1 + 63 q) / q = 1 + ln(3.00017) / q = 35.6
    # independent tokens, which touch 1 - (124/128)^35.6 = 67.7 % of the experts instead of 86.9 %.
    log_miss = math.log1p(-4 / 128)
    alone = kernel.independent_tokens(log_miss, 64.0, 1.0)
    assert alone == pytest.approx(35.6, abs=0.05)
    assert kernel.experts_touched(log_miss, alone) == pytest.approx(0.677, abs=0.001)
