"""What a chip costs its owner, worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline import catalog
from roofline.cost.hourly import PREFERRED, bases, hourly
from roofline.cost.owner import Terms, all_in_watts, capital_per_hour, owned, purchase, recovery_factor
from roofline.errors import RooflineError


def test_recovery_factor() -> None:
    # r(1+r)^n / ((1+r)^n - 1) = 0.1 x 1.4641 / 0.4641
    assert recovery_factor(0.1, 4) == pytest.approx(0.14641 / 0.4641)
    # without interest, a straight line
    assert recovery_factor(0.0, 4) == 0.25
    assert recovery_factor(1e-7, 4) == pytest.approx(0.25, rel=1e-5)


def test_a_million_dollars_over_four_years() -> None:
    # 0.3154708 x 10^6 / 8766 h
    assert capital_per_hour(1e6, Terms()) == pytest.approx(35.99, abs=0.005)
    # residual of a quarter: (1 - 0.25 / 1.4641) of it
    assert capital_per_hour(1e6, Terms(residual=0.25)) == pytest.approx(35.988 * (1 - 0.25 / 1.4641), rel=1e-4)


def test_an_owned_wafer_is_near_the_published_figure() -> None:
    chip = catalog.hardware("wse3")
    found = owned(chip, Terms())
    assert found is not None
    # 25 kW x 1.2 x 0.0929 USD/kWh = 2.787; 25 kW x 150 x 12 / 8766 = 5.133
    assert found.capital == pytest.approx(35.99, abs=0.005)
    assert found.electricity == pytest.approx(2.787, abs=0.001)
    assert found.colocation == pytest.approx(5.133, abs=0.001)
    # SemiAnalysis: 41.96 USD/h for a system of a million dollars
    assert found.usd == pytest.approx(41.96, rel=0.06)


def test_capital_comes_from_the_server_or_from_the_chip_with_a_factor() -> None:
    # a server of eight at 500,000 USD
    server = purchase(catalog.hardware("b200"))
    assert server is not None
    assert server[0] == 62_500
    # 25,000 USD x 1.6
    chip = purchase(catalog.hardware("h100"))
    assert chip is not None
    assert chip[0] == 40_000
    assert chip[1]
    assert "server" in chip[2]
    assert purchase(catalog.hardware("maia-200")) is None
    assert owned(catalog.hardware("maia-200"), Terms()) is None


def test_all_in_watts() -> None:
    assert all_in_watts(catalog.hardware("h100")) == 1370
    # 450 W x 1.7
    assert all_in_watts(catalog.hardware("rtx4090")) == pytest.approx(765)


def test_owned_is_a_basis_with_a_date_but_never_the_default() -> None:
    chip = catalog.hardware("h100")
    mine = bases(chip)["owned"]
    assert mine.date
    assert mine.source
    assert hourly(chip, basis="owned") == mine
    assert "owned" not in PREFERRED
    assert hourly(chip, basis="owned", terms=Terms(years=8)).usd < mine.usd  # type: ignore[union-attr]
    # a price known only by purchase is none that somebody publishes per hour
    assert hourly(catalog.hardware("groq-lpu")) is None


@pytest.mark.parametrize(
    "wrong",
    [{"capex": -1.0}, {"years": 0.0}, {"wacc": -0.1}, {"residual": 1.5}, {"pue": 0.9}, {"colo": -1.0}, {"opex": -5.0}],
)
def test_terms_that_cannot_be(wrong: dict[str, float]) -> None:
    [name] = wrong
    with pytest.raises(RooflineError, match=f"--{name}"):
        Terms(**wrong)


@given(
    capex=st.floats(0, 1e8),
    years=st.floats(0.5, 30),
    wacc=st.floats(0, 2),
    residual=st.floats(0, 1),
    more=st.floats(1, 9),
)
def test_present_value_of_payments_is_the_capital(
    capex: float, years: float, wacc: float, residual: float, more: float
) -> None:
    terms = Terms(capex=capex, years=years, wacc=wacc, residual=residual)
    hour = capital_per_hour(capex, terms)
    # payments discounted, plus the residual discounted, are worth the capital
    worth = hour * 8766 / recovery_factor(wacc, years) + residual * capex / (1 + wacc) ** years
    assert worth == pytest.approx(capex, rel=1e-6, abs=1e-9)
    assert hour >= 0
    # linear in the capital
    assert capital_per_hour(capex * more, terms) == pytest.approx(hour * more, rel=1e-9, abs=1e-12)
