"""Who pays for what: published worked examples, and the conservation laws."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roofline import lengths
from roofline.cost.accounting import InferenceX, Rent, Tokens, per_million, per_pool, time_share
from roofline.cost.breakeven import HOURS_PER_MONTH, ApiPrice, break_even
from roofline.cost.copies import Load, Rules, decode_only, prefill_only, rated
from roofline.cost.deployment import aggregated, disaggregated, residence
from roofline.cost.fleet import concurrency, fleet, hit_cost, with_batch
from roofline.cost.tokens import usd_per_million
from roofline.errors import RooflineError
from roofline.resolve import Request, resolve


def test_opencost_worked_example() -> None:
    # 3.20 USD/h; 12M in, of which 0.8M cached; 3M out; half of the time in prefill.
    # input 1.60 / 11.2M = 0.1429, output 1.60 / 3M = 0.5333, blend 3.20 / 15M = 0.2133
    found = per_million(time_share(3.20, 0.5, 0.5), Tokens(11.2e6, 0.8e6, 3e6))
    assert f"{found.blend:.3f} {found.input:.3f} {found.output:.3f}" == "0.213 0.143 0.533"


def test_deepseek_published_day() -> None:
    # nodes of 8 x 2 USD/h: prefill 2,292 h = 36,672 USD, decode 3,153 h = 50,448 USD
    node = 8 * 2.0
    tokens = Tokens.of_request(608e9, 168e9, 0.563)
    found = per_million(per_pool(2292 * node, 3153 * node), tokens)
    assert found.all_input == pytest.approx(0.060, rel=0.006)
    assert found.input == pytest.approx(0.138, rel=0.005)
    assert found.output == pytest.approx(0.300, rel=0.005)
    assert found.blend == pytest.approx(0.112, rel=0.005)
    # 36,672 / 608e9 = 0.06032: the published 0.060 is rounded to two digits
    assert found.all_input == pytest.approx(0.06032, rel=0.001)


#: chip's USD/h (hyperscaler, of the page's edition), tokens per second and chip, published USD per million tokens.
INFERENCEX = [
    *[(1.95, x, c) for x, c in ((25_320, 0.022), (22_213, 0.024), (20_939, 0.026))],
    *[(1.28, x, c) for x, c in ((1_999, 0.179), (1_208, 0.295), (835, 0.427))],
    *[(1.95, x, c) for x, c in ((5_857, 0.092), (5_515, 0.099), (5_220, 0.105))],
    *[(1.12, x, c) for x, c in ((725, 0.429), (601, 0.510), (406, 0.750))],
    *[(1.95, x, c) for x, c in ((4_792, 0.113), (1_020, 0.544), (497, 1.088))],
    *[(1.30, x, c) for x, c in ((266, 1.365), (73, 4.864), (23, 15.69))],
    *[(2.21, x, c) for x, c in ((5_790, 0.106), (3_988, 0.154), (818, 0.809))],
    *[(1.95, x, c) for x, c in ((2_558, 0.226), (1_110, 0.488), (751, 0.721))],
    (2.652, 6_182, 0.119),
    (2.21, 2_189, 0.280),
]


@pytest.mark.parametrize(("usd", "rate", "published"), INFERENCEX)
def test_inferencex_rows(usd: float, rate: float, published: float) -> None:
    # 10^6 x USD/h / (3600 x tok/s); both sides are rounded, and of two dates
    assert usd_per_million(usd, rate) == pytest.approx(published, rel=0.08)
    assert InferenceX.of(usd, rate, "total").usd == pytest.approx(published, rel=0.08)


def test_inferencex_numbers_refuse_to_be_added() -> None:
    a, b = InferenceX.of(2.0, 1000.0, "input"), InferenceX.of(2.0, 500.0, "output")
    for add in (lambda: a + b, lambda: sum([a, b]), lambda: a + 1.0, lambda: 1.0 + b, lambda: a - b):
        with pytest.raises(RooflineError, match="cannot be added"):
            add()


COUNT = st.floats(0, 1e13)
TIME = st.floats(0, 1e6)
SHARE = st.floats(1e-3, 1)


@given(st.floats(0, 1e6), TIME, TIME, TIME, SHARE, COUNT, COUNT, COUNT)
def test_input_output_and_idle_are_the_rent(
    usd: float, fresh: float, output: float, cached: float, busy: float, a: float, b: float, c: float
) -> None:
    assume(fresh + output + cached > 1e-6)
    rent = time_share(usd, fresh, output, cached, busy)
    assert rent.total == pytest.approx(usd, rel=1e-9, abs=1e-12)
    assert rent.fresh + rent.cached + rent.output + rent.idle == pytest.approx(usd, rel=1e-9, abs=1e-12)
    assert min(rent.fresh, rent.cached, rent.output, rent.idle) >= -1e-9 * usd
    _check_prices(rent, Tokens(a + 1, b + 1, c + 1))


@given(st.floats(0, 1e6), st.floats(0, 1e6), SHARE, SHARE, st.floats(0, 1), COUNT, COUNT, COUNT)
def test_pools_are_the_rent(p: float, d: float, u: float, v: float, share: float, a: float, b: float, c: float) -> None:
    rent = per_pool(p, d, u, v, share)
    assert rent.total == pytest.approx(p + d, rel=1e-9, abs=1e-12)
    _check_prices(rent, Tokens(a + 1, b + 1, c + 1))


def _check_prices(rent: Rent, tokens: Tokens) -> None:
    paid, used = per_million(rent, tokens), per_million(rent, tokens, usage=True)
    # allocation: price times tokens of every kind is the rent, idle time included
    sold = (paid.input * tokens.fresh + paid.cached * tokens.cached + paid.output * tokens.output) / 1e6
    if rent.busy > 0:
        assert sold == pytest.approx(rent.total, rel=1e-9, abs=1e-9)
        assert paid.blend * tokens.total / 1e6 == pytest.approx(rent.total, rel=1e-9, abs=1e-9)
    # usage: the same without the idle time, so never more
    for name in ("input", "cached", "all_input", "output", "blend"):
        assert getattr(used, name) <= getattr(paid, name) * (1 + 1e-12)
    assert used.blend * tokens.total / 1e6 == pytest.approx(rent.busy, rel=1e-9, abs=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(1, 1e3))
def test_linear_in_dollars_per_hour(usd: float, factor: float) -> None:
    tokens = Tokens(9e6, 3e6, 2e6)
    one, more = (per_million(time_share(x, 3, 5, 1, 0.4), tokens) for x in (usd, usd * factor))
    for name in ("input", "cached", "all_input", "output", "blend"):
        assert getattr(more, name) == pytest.approx(factor * getattr(one, name), rel=1e-9)


def test_fleet_is_a_staircase_sized_for_the_peak() -> None:
    # 20 requests/s in the mean, 0.5 of the peak: 40 at the peak, over 12.5 per replica: 3.2, so 4
    found = fleet(20, 12.5, 0.5)
    assert found.replicas == 4
    # 20 / (4 x 12.5)
    assert found.utilisation == pytest.approx(0.4)
    # a full staircase is exact
    assert fleet(25, 12.5, 1.0).replicas == 2
    # a single request a minute still takes one
    assert fleet(1 / 60, 12.5, 0.5).replicas == 1
    # half of the work may wait: 10 / 0.5 = 20 at the peak, 20 in the mean
    assert fleet(20, 10, 0.5, batch_share=0.5).replicas == 2


@given(st.floats(1e-3, 1e5), st.floats(1e-2, 1e3), st.floats(0.05, 1), st.floats(0, 1))
def test_utilisation_never_exceeds_what_the_peak_allows(rate: float, each: float, ratio: float, batch: float) -> None:
    found = fleet(rate, each, ratio, batch)
    assert 0 < found.utilisation <= 1 + 1e-9
    if batch == 0:
        assert found.utilisation <= ratio * (1 + 1e-9)
    assert found.replicas >= 1
    assert fleet(rate, each, ratio, 0).replicas >= found.replicas


def test_little_and_batch_discount() -> None:
    assert concurrency(20, 6.5) == 130
    # 40 % of the tokens at half price
    assert with_batch(10.0, 0.4) == pytest.approx(8.0)


def test_cache_hits_by_tier() -> None:
    # 70 kB per token, 2e-14 USD per byte and second for 300 s: 10^6 x 7e4 x 2e-14 x 300 = 0.42 USD per million;
    # loading at 50 GB/s on 36 USD/h: 10^6 x 7e4 x 36 / (3600 x 5e10) = 0.014
    found = hit_cost(7e4, 2e-14, 300, 36.0, 5e10)
    assert found.residence == pytest.approx(0.42)
    assert found.load == pytest.approx(0.014)
    assert hit_cost(7e4, 2e-14, 300, 36.0, math.inf).load == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: Tokens.of_request(100, 10, 1.1),
        lambda: Tokens(-1, 0, 0),
        lambda: time_share(-1, 1, 1),
        lambda: time_share(1, 0, 0),
        lambda: time_share(1, 1, 1, utilisation=0),
        lambda: per_pool(1, -1),
        lambda: per_pool(1, 1, 2),
        lambda: fleet(-1, 1),
        lambda: fleet(1, 1, 0),
        lambda: fleet(1, 1, 0.5, 2),
        lambda: with_batch(1, 2),
        lambda: ApiPrice(-1, 0, 0, ""),
    ],
)
def test_bad_input_is_one_line(call: object) -> None:
    with pytest.raises(RooflineError) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


SYSTEM = resolve(Request("h100", "llama-3.3-70b", chips=4, weights="fp8"))


def test_a_deployment_adds_up_to_its_rent() -> None:
    load = Load(1150, 211, 0.35, 0.5, rate=20)
    copy = rated(SYSTEM, load, Rules(tpot=0.03))
    assert copy.kept
    assert copy.service.tpot <= 0.03
    # the next batch would break the promise
    assert rated(SYSTEM, load, Rules(batch=copy.service.batch + 1)).service.tpot > 0.03
    account = aggregated(copy, load, 2.95, 1.0)
    rent = account.copies["all"] * 4 * 2.95
    assert account.rent.total == pytest.approx(rent)
    paid = per_million(account.rent, account.tokens)
    # dollars per hour back from prices and tokens of 20 requests/s
    back = 3600 * 20 * (paid.all_input * 1150 + paid.output * 211) / 1e6
    assert back == pytest.approx(rent)
    assert account.utilisation <= 0.5
    # at full load the blend is the base equation: 10^6 x USD/h / (3600 x tok/s)
    full = aggregated(copy, Load(1150, 211, 0.35), 2.95, 1.0)
    blend = per_million(full.rent, full.tokens).blend
    assert blend == pytest.approx(usd_per_million(4 * 2.95, copy.capacity * (1150 + 211)))


def test_cached_input_is_cheaper_and_makes_requests_cheaper() -> None:
    cold, warm = (rated(SYSTEM, Load(8192, 256, hit), Rules(batch=16)) for hit in (0.0, 0.75))
    assert warm.seconds < cold.seconds
    account = aggregated(warm, Load(8192, 256, 0.75), 2.0, 1.0)
    paid = per_million(account.rent, account.tokens)
    assert 0 < paid.cached < 0.5 * paid.input
    assert residence(SYSTEM, Load(8192, 256, 0.75), Rules(residence=60), 8.0).residence > 0


def test_further_tiers_cost_loading_time() -> None:
    system = resolve(Request("wse3", "llama-3.1-8b"))
    load = Load(4096, 256, 0.5)
    near, far = (rated(system, load, Rules(hit_tier=tier)) for tier in (0, 1))
    # 2,048 cached tokens over 150 GB/s
    loading = 2048 * system.memory.kv_bytes(4096) / 4096 / 150e9
    assert far.seconds - near.seconds == pytest.approx(loading)
    with pytest.raises(RooflineError, match="no memory tier 7"):
        rated(system, load, Rules(hit_tier=7))


def test_pools_in_balance() -> None:
    load = Load(4383, 1211, 0.563)
    reader = prefill_only(
        resolve(Request("h800", "deepseek-v3", "deepseek", chips=32, tp=1, dp=32, ep=32)), load, Rules()
    )
    decode = resolve(Request("h800", "deepseek-v3", "deepseek", chips=144, tp=1, dp=144, ep=144))
    writer = decode_only(decode, load, Rules(tpot=1 / 21))
    account = disaggregated(reader, writer, load, 2.0, 1.0)
    # N_p r_p = N_d r_d: both pools are busy all the time
    assert account.rent.idle == pytest.approx(0, abs=1e-6)
    assert account.copies["prefill"] / (reader.fresh.seconds + reader.cached.seconds) == pytest.approx(
        account.copies["decode"] / writer.decode.seconds
    )
    # DeepSeek's day, predicted: 0.300 per million output and 0.112 of all, 226.75 of 278 nodes busy in the mean
    day = disaggregated(reader, writer, load, 2.0, 226.75 / 278)
    paid = per_million(day.rent, day.tokens)
    assert paid.output == pytest.approx(0.300, rel=0.25)
    assert paid.blend == pytest.approx(0.112, rel=0.25)
    sized = disaggregated(reader, writer, Load(4383, 1211, 0.563, 0.8, rate=900), 2.0, 1.0)
    assert all(count == int(count) for count in sized.copies.values())
    assert sized.utilisation <= 0.8


@pytest.mark.parametrize("utilisation", [1.0, 226.75 / 278])
def test_deepseek_day_from_predicted_throughput(utilisation: float) -> None:
    # Published: 608e9 input tokens (56.3 % cached), 168e9 output, 20 to 22 tok/s per user, and 4,989 tokens of context
    # per output token in the mean; 226.75 nodes in the mean of 278. Requests of a chat differ: the answers of Azure's
    # conversation trace have sigma = sqrt(2 ln(211 / 129)) = 0.99, DeepSeek-R1's in ServeGen sqrt(2 ln(1527 / 792)) =
    # 1.15. With sigma 1 and the means that give this context, input attends to more than if all prompts were alike.
    def of(scale: float) -> lengths.Lengths:
        return lengths.lognormal(scale * 608, scale * 168, 1.0, 1.0, 0.563)

    one = of(1.0).alike
    scale = 4989 / (one.isl + 0.5 * one.osl)
    load = Load(scale * 608, scale * 168, 0.563, lengths=of(scale))
    assert load.mix.alike.isl + 0.5 * load.osl == pytest.approx(4989, rel=1e-3)
    reader = prefill_only(
        resolve(Request("h800", "deepseek-v3", "deepseek", chips=32, tp=1, dp=32, ep=32)), load, Rules()
    )
    decode = resolve(Request("h800", "deepseek-v3", "deepseek", chips=144, tp=1, dp=144, ep=144))
    writer = decode_only(decode, load, Rules(tpot=1 / 21))
    account = disaggregated(reader, writer, load, 2.0, utilisation)
    paid = per_million(account.rent, account.tokens)
    assert paid.output == pytest.approx(0.300, rel=0.25)
    assert paid.blend == pytest.approx(0.112, rel=0.25)
    # Machines that read are idle more often than those that write: at full load a prompt would cost up to a third less.
    if utilisation == 1.0:
        assert 0.65 * 0.060 < paid.all_input < 0.060
        return
    assert paid.all_input == pytest.approx(0.060, rel=0.25)
    # The day's 0.138 puts the whole prefill pool on uncached input.
    assert paid.all_input / (1 - 0.563) == pytest.approx(0.138, rel=0.25)


def test_a_few_long_prompts_cost_more_than_many_alike() -> None:
    # Prompts of 1,000 and 3,000 tokens: 0.5 x (1,000^2 + 3,000^2) / 2 = 2.5e6 pairs each, as 2,000 tokens have that
    # attend to 2.5e6 / 2,000 - 1,000 = 250 before them.
    mix = lengths.Lengths((lengths.Item(1000, 100, 0, 0.5), lengths.Item(3000, 100, 0, 0.5)))
    assert (mix.prompt.isl, mix.prompt.past) == (2250, 250)
    wide = lengths.lognormal(8192, 256, 1, 1)
    even, varied = (rated(SYSTEM, Load(8192, 256, lengths=m), Rules(batch=8)) for m in (None, wide))
    assert varied.fresh.seconds > even.fresh.seconds
    assert varied.capacity < even.capacity


def test_break_even_by_hand() -> None:
    # a cent per request; a replica costs 1,000 USD a month and holds 400,000 requests, worth 4,000 USD
    found = break_even(0.01, 1000, 400_000)
    assert found.first == pytest.approx(100_000)
    # at the step to two replicas 2,000 < 4,000: cheaper for good
    assert found.always == pytest.approx(100_000)
    # with staff of 5,000: one replica saves 3,000 at most, two save 6,000: (2,000 + 5,000) / 0.01
    staffed = break_even(0.01, 1000, 400_000, 5000)
    assert (staffed.replicas, staffed.first) == (2, pytest.approx(700_000))
    assert staffed.always == pytest.approx(700_000)
    # rent is due whether the machine is busy or not: 1,000 USD for 50,000 requests worth 500 never pays
    assert break_even(0.01, 1000, 50_000).first is None
    assert HOURS_PER_MONTH == 730.5


@given(st.floats(1e-5, 1), st.floats(1, 1e5), st.floats(1, 1e7), st.floats(0, 1e5), st.integers(0, 2**32))
def test_break_even_is_where_the_staircase_crosses(
    price: float, rent: float, capacity: float, staff: float, seed: int
) -> None:
    found = break_even(price, rent, capacity, staff)
    assume(found.first is None or found.first < 1e4 * capacity)

    def saves(volume: float) -> float:
        # A break-even at the very end of a replica is looked at 1e-9 beyond it: that is not one more replica.
        return price * volume - (max(1, math.ceil(volume / capacity * (1 - 2e-9))) * rent + staff)

    draw = random.Random(seed)
    slack = 1e-6 * (rent + staff)
    if found.first is None:
        assert all(saves(draw.uniform(0, 50) * capacity) <= slack for _ in range(50))
        return
    assert found.always is not None
    assert saves(found.first * (1 + 1e-9)) >= -slack
    assert all(saves(draw.uniform(0, 1) * found.first) <= slack for _ in range(50))
    assert all(saves(found.always * draw.uniform(1, 4)) >= -slack for _ in range(50))
