"""Joules per token: by hand, and within what a chip can draw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline import catalog, evaluate, service
from roofline.cost import energy
from roofline.cost.copies import Load, Rules, rated
from roofline.cost.deployment import aggregated
from roofline.cost.owner import Terms
from roofline.cost.power import busy_shares
from roofline.report.costs import Copies, energy_part, money_part
from roofline.resolve import Request, resolve

H100 = energy.Watts(700.0, 670.0)


def test_power_by_hand() -> None:
    # idle: 670 + 0.115 x 700
    assert H100.idle == pytest.approx(750.5)
    # memory-bound decode: 670 + 700 x (0.115 + 0.885 x 0.7)
    assert H100.busy(0.0, 1.0) == pytest.approx(670 + 514.15)
    # prefill that keeps the arithmetic busy is at the limit
    assert H100.busy(1.0, 0.3) == H100.limit == 1370
    # busy a quarter of the time
    assert energy.mean_watts(1200.0, 800.0, 0.25) == pytest.approx(900)


def test_a_published_reading_of_decode() -> None:
    # an H200 decoding 128 sequences of a 4B model draws 517 W of 700, 80 W idle
    watts = energy.Watts(700.0, 0.0)
    assert watts.busy(0.0, 1.0) == pytest.approx(517, rel=0.02)
    assert watts.idle == pytest.approx(80.3, rel=0.02)


def test_electricity_by_hand() -> None:
    # 0.2778 x J/token x USD/kWh: 0.39 J at 0.0929
    assert energy.usd_per_million(0.39, 0.0929) == pytest.approx(0.01006, rel=1e-3)
    # published: 2.8M tok/s per MW is 0.36 J per token
    assert energy.tokens_per_megawatt(0.36) == pytest.approx(2.8e6, rel=0.01)


def test_published_electricity_of_inferencex() -> None:
    # gpt-oss-120b on B200s of 2.17 kW all in: 25,320 tok/s per chip, 0.086 J per token and 0.0022 USD per million
    joules = 2170 / 25_320
    assert joules == pytest.approx(0.086, rel=0.01)
    assert energy.usd_per_million(joules, 0.0929) == pytest.approx(0.0022, rel=0.01)
    # 0.2778 x J/token x $/kWh: 5.4 J at 9.29 c is $0.14
    assert energy.usd_per_million(5.4, 0.0929) == pytest.approx(0.139, abs=0.001)


def test_chips_with_one_figure_or_none() -> None:
    card = energy.watts(catalog.hardware("rtx4090"))
    assert card is not None
    # 450 W, 0.7 of it again for the rest
    assert (card.chip, card.rest) == (450, pytest.approx(315))
    wafer = energy.watts(catalog.hardware("wse3"))
    assert wafer is not None
    assert wafer.limit == 25_000
    assert energy.watts(catalog.hardware("tpu-v7")) is None


@given(st.floats(1, 1e5), st.floats(0, 1e5), st.floats(0, 2), st.floats(0, 2), st.floats(0, 1))
def test_never_more_than_the_limit(chip: float, rest: float, compute: float, memory: float, busy: float) -> None:
    watts = energy.Watts(chip, rest)
    drawn = energy.mean_watts(watts.busy(compute, memory), watts.idle, busy)
    assert watts.idle * (1 - 1e-9) <= drawn <= watts.limit * (1 + 1e-9)


@pytest.mark.parametrize("hw", ["h100", "mi300x", "wse3", "rtx4090"])
@pytest.mark.parametrize("utilisation", [0.1, 0.5, 1.0])
def test_energy_share_is_within_what_the_chips_draw(hw: str, utilisation: float) -> None:
    from roofline.cost.hourly import bases

    system = resolve(Request(hw, "llama-3.1-8b"))
    load, rules, terms = Load(2048, 256, 0.2), Rules(), Terms()
    copy = rated(system, load, rules)
    price = next(iter(bases(system.hardware).values()))
    account = aggregated(copy, load, price.usd, utilisation)
    record = money_part(Copies(copy), account, load, rules, price)
    record |= energy_part(record, account, terms)
    limit = energy.watts(system.hardware)
    assert limit is not None
    chips = system.deployment.chips
    assert chips * limit.idle <= record["watts"] * (1 + 1e-9) <= chips * limit.limit * (1 + 1e-6)
    # electricity of an hour at the limit over the rent of an hour bounds the share
    bound = limit.limit / 1e3 * terms.pue * terms.usd_per_kwh / price.usd
    assert 0 < record["electricity_share"] <= bound * (1 + 1e-9)
    # J/token x tok/s = W of the site
    rate = account.tokens.total / 3600
    assert record["joules_per_token"] * rate == pytest.approx(record["watts"] * terms.pue)


def test_prefill_draws_more_than_decode() -> None:
    system = resolve(Request("h100", "llama-3.1-8b"))
    prefill, decode = busy_shares(system, "prefill", 1, 8192, 0), busy_shares(system, "decode", 8, 1, 8192)
    assert prefill[0] > 0.5 > decode[0]
    assert decode[1] > 0.5
    assert H100.busy(*prefill) > H100.busy(*decode)


def test_one_figure_of_electricity_for_points_services_and_loads() -> None:
    # A point of price compare and the decode phase of a load are the same steps, so the same joules per output token.
    context, batch, osl = 8192, 64, 2
    request = Request("b200", "gpt-oss-120b")
    [point] = evaluate.decode([request], [batch], [context])
    copy = rated(resolve(request, 1.0, 8192.0), Load(context, osl), Rules(batch=batch))
    chips = copy.system.deployment.chips
    assert copy.decode.watts is not None
    # One step serves osl - 1 = 1 token of each of 64; the service's mean context is the prompt and half the answer.
    joules = copy.decode.watts * chips * copy.decode.seconds
    assert joules == pytest.approx(point["joules_per_token"], rel=0.01)
    # The same machine under a load draws between the two phases.
    [served] = service.serve([request], [context], [256], [("concurrency", 64.0)])
    [prompt] = evaluate.prefill([request], [64], [context])
    assert point["watts"] * (1 - 0.01) <= served["watts"] <= prompt["watts"] * (1 + 0.01)


def test_idle_time_costs_electricity_too() -> None:
    # Half the time idle: the idle floor is paid for twice over per token.
    busy, half = (evaluate.decode([Request("h100", "llama-3.1-8b")], [8], [4096], utilisation=u)[0] for u in (1.0, 0.5))
    extra = half["joules_per_token"] - busy["joules_per_token"]
    assert extra == pytest.approx(H100.idle / busy["tokens_per_second"])
