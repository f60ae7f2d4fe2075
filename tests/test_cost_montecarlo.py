"""How sure a cost is: by hand at the ends, reproducible, fast."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline.cost.montecarlo import Spread, Uncertain, evaluate, simulate, tornado
from roofline.errors import RooflineError


def fixed(value: float) -> Spread:
    return Spread(value, value, value)


CERTAIN = Uncertain(
    usd_per_hour=fixed(3.6),
    utilisation=fixed(0.5),
    prefill=0.2,
    decode=0.8,
    prefill_factor=fixed(1.0),
    decode_factor=fixed(1.0),
    input_tokens=1000,
    output_tokens=200,
    watts_busy=1500,
    watts_idle=500,
    power_factor=fixed(1.0),
    usd_per_kwh=fixed(0.1),
    pays_electricity=False,
)
LIKELY = replace(
    CERTAIN,
    usd_per_hour=Spread(2, 3, 7),
    utilisation=Spread(0.2, 0.35, 0.5),
    prefill_factor=Spread(0.7, 1.0, 1.6, "lognormal"),
    decode_factor=Spread(0.8, 1.0, 1.3, "lognormal"),
    power_factor=Spread(0.8, 1.0, 1.2),
    usd_per_kwh=Spread(0.04, 0.0929, 0.15),
    scenario=Spread(1.0, 1.0, 3.0, "loguniform"),
)


def test_certain_inputs_give_the_base_equation() -> None:
    # 3.6 USD/h is 0.001 USD/s; 1 s per request at half load is paid 2 s: 0.002 USD over 1,200 tokens
    found = simulate(CERTAIN, 100).percentiles
    assert found["tokens"] == pytest.approx((0.002 / 1200 * 1e6,) * 3)
    # 0.2 s of prefill over 1,000 tokens, 0.8 s of decode over 200
    assert found["input"] == pytest.approx((0.4,) * 3)
    assert found["output"] == pytest.approx((8.0,) * 3)
    # mean 1,000 W for 2 s: 2,000 J = 1 / 1,800 kWh at 0.1 USD
    assert found["electricity"] == pytest.approx((0.1 / 1800 / 1200 * 1e6,) * 3)
    paying = simulate(replace(CERTAIN, pays_electricity=True), 100).percentiles
    assert paying["tokens"][1] == pytest.approx(found["tokens"][1] + found["electricity"][1])


def test_percentiles_are_those_of_the_draws() -> None:
    # only the price is uncertain: percentiles of the cost are those of the triangle, in closed form
    one = replace(CERTAIN, usd_per_hour=Spread(2, 3, 7))
    found = simulate(one, 400_000).percentiles["tokens"]
    unit = 0.002 / 1200 * 1e6 / 3.6
    for value, share in zip(found, (0.1, 0.5, 0.9), strict=True):
        assert value == pytest.approx(unit * one.usd_per_hour.quantile(share), rel=0.005)


@given(
    st.floats(0.01, 10), st.floats(1, 5), st.floats(1, 5), st.sampled_from(["triangular", "lognormal", "loguniform"])
)
def test_quantiles_rise(low: float, up: float, further: float, shape: str) -> None:
    spread = Spread(low, low * up, low * up * further, shape)
    values = [spread.quantile(share) for share in (0.05, 0.1, 0.5, 0.9, 0.95)]
    assert values == sorted(values)
    if shape == "lognormal":
        assert values[0] == pytest.approx(spread.low, rel=1e-6)
        assert values[-1] == pytest.approx(spread.high, rel=1e-6)


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert simulate(LIKELY, 5000, 7) == simulate(LIKELY, 5000, 7)
    assert simulate(LIKELY, 5000, 7) != simulate(LIKELY, 5000, 8)


def test_tornado_is_in_order_and_by_hand() -> None:
    swings = tornado(LIKELY)
    assert [s.width for s in swings] == sorted((s.width for s in swings), reverse=True)
    by = {s.name: s for s in swings}
    medians = {name: spread.quantile(0.5) for name, spread in LIKELY.spreads.items()}
    high = evaluate(LIKELY, medians | {"price": LIKELY.usd_per_hour.quantile(0.9)})["tokens"]
    assert by["price"].high == pytest.approx(high)
    # a busier machine is cheaper; electricity is in the rent already
    assert by["utilisation"].high < by["utilisation"].low
    assert by["usd_per_kwh"].width == 0
    owner = {s.name: s for s in tornado(replace(LIKELY, pays_electricity=True))}
    assert owner["usd_per_kwh"].width > 0


def test_sample_counts_that_cannot_be() -> None:
    for count in (0, -5, 10**9):
        with pytest.raises(RooflineError, match="--samples"):
            simulate(LIKELY, count)
