"""Workloads: laws that any service obeys, and limits by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofline import admission, open_loop, pools, serving, workload
from roofline.resolve import Request, resolve
from roofline.row import as_scheduled
from roofline.workload import Speculation

SYSTEM = resolve(Request("h100", "llama-3.3-70b", "vllm", tp=4, weights="fp8"))
IDEAL = resolve(Request("h100", "llama-3.3-70b", "ideal", tp=4, weights="fp8"))
users = st.integers(1, 64)
isl = st.integers(16, 8192)
osl = st.integers(2, 2048)


@settings(max_examples=60, deadline=None)
@given(n=users, i=isl, o=osl)
def test_littles_law_holds_in_a_closed_loop(n: int, i: int, o: int) -> None:
    # n requests under way, each takes a cycle: rate x cycle = batch.
    s = workload.closed_loop(SYSTEM, n, i, o)
    cycle = s.batch / s.requests_per_second
    work = serving.prefill_seconds(SYSTEM, s.batch, i)
    assert cycle == pytest.approx(work + (o - 1) * workload.mean_decode(SYSTEM, s.batch, i, o))


@settings(max_examples=60, deadline=None)
@given(n=users, i=isl, o=osl)
def test_more_users_wait_longer_and_get_more_done(n: int, i: int, o: int) -> None:
    one, two = (workload.closed_loop(SYSTEM, x, i, o) for x in (n, 2 * n))
    assert two.tpot >= one.tpot * (1 - 1e-9)
    assert two.ttft >= one.ttft * (1 - 1e-9)
    assert two.requests_per_second >= one.requests_per_second * (1 - 1e-6)


def test_one_user_waits_for_nobody() -> None:
    s = workload.closed_loop(IDEAL, 1, 1024, 128)
    assert s.tpot == pytest.approx(workload.mean_decode(IDEAL, 1, 1024, 128))


def test_decode_over_a_growing_context_is_its_mean() -> None:
    # Dense attention is linear in context, so Simpson's rule is exact.
    steps = [serving.decode_seconds(SYSTEM, 8, 1000 + k) for k in range(99)]
    assert workload.mean_decode(SYSTEM, 8, 1000, 100) == pytest.approx(sum(steps) / 99, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 64), i=isl, o=osl, q=st.floats(0.05, 0.99))
def test_percentiles_are_in_order_and_agree_with_the_share(n: int, i: int, o: int, q: float) -> None:
    s = workload.closed_loop(SYSTEM, n, i, o)
    assert s.ttft_percentile(0.5) <= s.ttft_percentile(0.9) <= s.ttft_percentile(0.99)
    if s.queue > 0:  # else short prompts wait for nobody, and all first tokens come at once
        assert s.ttft_within(s.ttft_percentile(q)) == pytest.approx(q, abs=1e-3)
    assert s.goodput(None, None) == s.requests_per_second
    assert s.goodput(None, s.tpot / 2) == 0.0
    assert 0.0 <= s.goodput(s.ttft, None) <= s.requests_per_second


def test_open_loop_follows_the_rate_until_it_cannot() -> None:
    slow = open_loop.at_rate(SYSTEM, 0.5, 1024, 256)
    assert slow is not None
    # Little: sequences in decode = rate x (osl - 1) x TPOT.
    assert slow.batch == pytest.approx(max(1.0, 0.5 * 255 * slow.tpot), rel=0.02)
    assert open_loop.at_rate(SYSTEM, 1e6, 1024, 256) is None


def test_speculation_pays_where_the_machine_waits_for_memory() -> None:
    # At batch 1 verifying 4 positions reads the same weights as 1: two accepted tokens come nearly twice as fast.
    plain = workload.mean_decode(SYSTEM, 1, 1024, 256)
    twice = workload.mean_decode(SYSTEM, 1, 1024, 256, Speculation(3, 2.0))
    assert 0.5 < twice / plain < 0.65
    # Nothing accepted beyond the verified token is a loss.
    assert workload.mean_decode(SYSTEM, 64, 1024, 256, Speculation(3, 1.0)) > workload.mean_decode(
        SYSTEM, 64, 1024, 256
    )


def test_cached_prompts_shorten_the_first_token() -> None:
    cold = workload.closed_loop(SYSTEM, 8, 8192, 256)
    warm = workload.closed_loop(SYSTEM, 8, 8192, 256, past=6144)
    assert warm.ttft < cold.ttft
    assert warm.requests_per_second > cold.requests_per_second


def test_prompts_that_interrupt_decode_come_one_or_two_at_a_time() -> None:
    # 1,024 users with 1,024 more tokens each: one ends per step in the mean, so that steps in which any ended saw
    # 1 / (1 - 1/e) = 1.582: a share of .582 of them two, the rest one.
    system = resolve(Request("h100", "llama-3.1-8b", "sglang"))

    def prefill(n: float) -> float:
        return serving.prefill_seconds(system, n, 2048)

    found = admission.each_prefill(prefill, system, 1024.0, 1025)
    mean = 1 / (1 - math.exp(-1))
    assert found == pytest.approx(((2 - mean) * prefill(1) + (mean - 1) * prefill(2)) / mean)
    # Engines that mix prefill with decode fill their chunks.
    mixing = resolve(Request("h100", "llama-3.1-8b", "vllm"))
    assert admission.each_prefill(lambda n: 3.0 * n + 1.0, mixing, 4.0, 1025) == pytest.approx(13 / 4)


def test_prompts_that_come_at_once_wait_for_each_other() -> None:
    few, many = (workload.closed_loop(SYSTEM, n, 2048, 256) for n in (2, 64))
    assert many.ttft > few.ttft
    # Half of the prompts of a wave are done when half of its time is over.
    wave = replace(many, queue=0.0, bunched=1.0, ttft=many.wave)
    assert wave.ttft_within(many.wave) == pytest.approx(0.5)
    # Requests that differ in length come at once when all users start, and never again: one in ten sees a wave.
    varied = workload.closed_loop(SYSTEM, 64, 2048, 256, alike=False)
    assert varied.bunched == min(many.bunched, 0.1)
    assert varied.ttft <= many.ttft
    # What they wait less for before the first token, they wait more for after it.
    assert varied.wave == many.wave
    assert varied.latency == pytest.approx(many.latency, rel=0.05) and varied.tpot > many.tpot
    # One by one, nobody sees a wave.
    assert replace(many, queue=0.0, bunched=0.0, ttft=1.0).ttft_percentile(0.99) == pytest.approx(1.0, rel=1e-6)


def test_a_scheduler_that_looks_rarely_lets_prompts_wait() -> None:
    def wait(**figures: float) -> float:
        # 2 users and answers of 1,025: one prompt in 512 steps, so that hardly any two come together. 1 ms a step.
        return admission.turn_seconds(as_scheduled(SYSTEM, figures), 2.0, 2048, 1025, 1e-3, 0.1) * 2.0

    # A prompt comes anywhere in the 30 steps between two looks, 15 ms; 2/1,024 x 30 others, 0.1 s each, are with it.
    assert wait(poll_steps=31) - wait() == pytest.approx(15e-3 + 2 / 1024 * 30 * 0.1)
    # It waits for 20 steps to be joined by others; where 0.039 came meanwhile, they waited for half of that.
    others = 2 / 1024 * 20
    assert wait(gather_steps=20) - wait() == pytest.approx(
        20e-3 * (1 + others / 2) / (1 + others) + others * 0.1, rel=1e-9
    )
    # A full chunk ends the wait: 8,192 tokens are 4 prompts of 2,048, which come in 4 steps at one a step.
    full = as_scheduled(SYSTEM, {"gather_steps": 20.0})
    assert admission.gather_steps(full, serving.prefill_chunk(full) / 4, 1.0) == pytest.approx(4)
    # A lone user meets nobody's steps.
    assert admission.turn_seconds(full, 1.0, 2048, 1025, 1e-3, 0.1) == 0.0


def test_pools_queue_where_prompts_come_faster_than_they_are_read() -> None:
    reader, writer = pools.Pool(SYSTEM, 1), pools.Pool(SYSTEM, 4)
    alone, busy = (pools.disaggregated(reader, writer, n, 8192, 1024) for n in (1, 24))
    assert busy.ttft > 1.3 * alone.ttft
    # An M/D/1 queue that is busy half of the time waits for half a turn: 0.5 x 0.5 / 0.5.
    assert pools.queue_seconds(0.5, 2.0) == pytest.approx(1.0)


def test_separate_pools_are_bound_by_the_slower() -> None:
    prefill, decode = pools.Pool(SYSTEM, 1), pools.Pool(SYSTEM, 1)
    one = pools.disaggregated(prefill, decode, 32, 8192, 256)
    more = pools.disaggregated(pools.Pool(SYSTEM, 4), decode, 32, 8192, 256)
    assert more.ttft < one.ttft
    assert more.requests_per_second >= one.requests_per_second
    chunk = serving.prefill_chunk(SYSTEM)
    full = max(1.0, chunk // 8192)
    assert one.requests_per_second <= full / serving.prefill_seconds(SYSTEM, full, 8192) * (1 + 1e-9)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
@settings(max_examples=40, deadline=None)
@given(n=users, i=isl, o=st.integers(64, 2048))
def test_every_prefill_of_a_round_falls_before_or_after_a_first_token(engine: str, n: int, i: int, o: int) -> None:
    # While a request is answered every other one is prefilled once: first token and later ones share the cycle. Besides
    # it a request waits for its transport and for the scheduler's turn, in which others decode.
    system = resolve(Request("h100", "llama-3.3-70b", engine, tp=4, weights="fp8"))
    for alike in (True, False):
        s = workload.closed_loop(system, n, i, o, alike=alike)
        cycle = s.batch / s.requests_per_second
        work = (cycle - (o - 1) * workload.mean_decode(system, s.batch, i, o)) / s.batch
        step = workload.mean_decode(system, s.batch, i, o)
        turn = admission.turn_seconds(system, s.batch, i, o, step, work)
        outside = admission.request_overhead(system, i) + (1 - s.bunched) * turn
        # Prompts prefilled together may take less than one alone: then nothing of the round is left for later tokens.
        assert s.latency - outside >= cycle * (1 - 1e-9)
        if s.tpot > step * (1 + 1e-9):
            assert s.latency - outside == pytest.approx(cycle)


def test_a_server_keeps_its_latencies_and_no_looser_ones_are_slower() -> None:
    rates = []
    for ttft, tpot in ((0.45, 0.04), (2.0, 0.2), (60.0, 60.0)):
        s = open_loop.within(SYSTEM, 221, 294, ttft, tpot)
        assert s is not None and s.tpot <= tpot and s.ttft_within(ttft) >= 0.99
        rates.append(s.requests_per_second)
    assert rates == sorted(rates)
    full = open_loop.steady(SYSTEM, workload.batch_limit(SYSTEM, 221, 294), 221, 294)
    assert rates[-1] == pytest.approx(full.requests_per_second)
    assert open_loop.within(SYSTEM, 221, 294, 1e-3, 0.2) is None
