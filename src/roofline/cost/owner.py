"""What a chip costs its owner per hour: capital recovered over its life, power, space and fixed costs.

References
----------
.. [1] Capital recovery factor: W. Short et al., "A manual for the economic evaluation of energy efficiency and
   renewable energy technologies", NREL/TP-462-5173, 1995.
.. [2] Electricity, 0.0929 USD/kWh: US Energy Information Administration, US industrial average, January 2026.
.. [3] Colocation, 150 to 250 USD per kW and month, and H100 nodes at 300,000 to 350,000 USD: "GPU TCO analysis",
   https://v2-pseo-ai.pages.dev/tools/gpu-tco-analysis, read 2026-11. The default is the low end: power is billed apart.
.. [4] PUE 1.2 and four years of life: Epoch AI, "How much energy does ChatGPT use?", 2025-02, and SemiAnalysis,
   InferenceMAX, 2025-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline.errors import RooflineError

if TYPE_CHECKING:
    from roofline.specs.hardware import Hardware

#: Hours of a mean year [h].
HOURS_PER_YEAR = 8766.0
#: A server's share over the price of the bare chip: H100 nodes at 300 to 350 thousand USD over eight chips at 25
#: thousand are 1.5 to 1.75, a DGX B200 at 500 over eight at 40 is 1.56. Network beyond the server is not in it.
SERVER_OVER_CHIP = 1.6
#: All-in watts over the chip's own, where only these are known: the median of the thirteen shipped chips with both.
SYSTEM_OVER_CHIP = 1.7
#: US industrial electricity, January 2026 [USD/kWh]: Energy Information Administration, Electric Power Monthly.
USD_PER_KWH = 0.0929
#: Power of the site over that of the machines [4]_.
PUE = 1.2


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a chip is owned.

    Attributes
    ----------
    capex : float or None
        All-in capital of one chip: server, network and storage included [USD]; None takes the chip file's price.
    years : float
        Life over which the capital is recovered [a].
    wacc : float
        Cost of capital per year, as a fraction.
    residual : float
        What the chip is worth at the end, as a share of the capital.
    usd_per_kwh : float
        Electricity [USD/kWh].
    pue : float
        Power of the site over the power of the machines.
    colo : float
        Space and cooling per kilowatt and month, electricity apart [USD/(kW month)].
    opex : float
        Fixed cost of one chip: maintenance, insurance, staff [USD/a].
    """

    capex: float | None = None
    years: float = 4.0
    wacc: float = 0.10
    residual: float = 0.0
    usd_per_kwh: float = USD_PER_KWH
    pue: float = PUE
    colo: float = 150.0
    opex: float = 0.0

    def __post_init__(self) -> None:
        """Refuse terms that cannot be."""
        for name in ("capex", "wacc", "usd_per_kwh", "colo", "opex"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise RooflineError(f"--{name.replace('_', '-')}: {value:g} is out of range; it must be zero or more")
        if not 0 < self.years < 1e3:
            raise RooflineError(f"--years: {self.years:g} is out of range; it must be above 0")
        if not 0 <= self.residual <= 1:
            raise RooflineError(f"--residual: {self.residual:g} is out of range; it is a share of the capital, 0 to 1")
        if not 1 <= self.pue < 10:
            raise RooflineError(f"--pue: {self.pue:g} is out of range; it must be at least 1")

    @property
    def text(self) -> str:
        """The terms in words."""
        return (
            f"{self.years:g} years at {self.wacc:.3g}, residual {self.residual:.0%}, {self.usd_per_kwh:g} USD/kWh, "
            f"PUE {self.pue:g}, {self.colo:g} USD per kW and month"
        )


@dataclass(frozen=True, slots=True)
class Owned:
    """What one owned chip costs, part by part.

    Attributes
    ----------
    capital, opex, electricity, colocation : float
        [USD/h].
    capex : float
        The capital behind it [USD].
    date : str or None
        When the price of the chip was seen; None where the user gave it.
    source : str
        Where the capital comes from.
    """

    capital: float
    opex: float
    electricity: float
    colocation: float
    capex: float
    date: str | None
    source: str

    @property
    def usd(self) -> float:
        """All parts together [USD/h]."""
        return self.capital + self.opex + self.electricity + self.colocation


def recovery_factor(rate: float, years: float) -> float:
    """Return the share of a capital that a yearly payment repays with interest [1/a]: r(1+r)^n / ((1+r)^n - 1) [1]_."""
    if rate < 1e-9:
        return 1.0 / years
    # The same, written so that no power of a high rate overflows.
    return float(rate / -math.expm1(-years * math.log1p(rate)))


def capital_per_hour(capex: float, terms: Terms) -> float:
    """Return what recovers a capital and its interest [USD/h]: CRF·(K - R/(1+r)^n) / 8766.

    A million dollars at 10 % over four years without residual is 35.99 USD/h.
    """
    residual = terms.residual * capex * math.exp(-terms.years * math.log1p(terms.wacc))
    return recovery_factor(terms.wacc, terms.years) * (capex - residual) / HOURS_PER_YEAR


def all_in_watts(hardware: Hardware) -> float | None:
    """Return the power of one chip with its share of host and network [W]; None where no watts are published."""
    if hardware.power.system is not None:
        return hardware.power.system.value
    return None if hardware.power.chip is None else SYSTEM_OVER_CHIP * hardware.power.chip.value


def purchase(hardware: Hardware) -> tuple[float, str | None, str] | None:
    """Return the all-in capital of one chip [USD], its date and source; None where no price is published.

    A server's price counts as it is, divided among its chips; a bare chip's is raised by `SERVER_OVER_CHIP`.
    """
    price = hardware.price
    figure, factor, how = price.purchase, SERVER_OVER_CHIP, f"price of the chip x {SERVER_OVER_CHIP:g} for its server"
    if price.server is not None and hardware.chips_per_server:
        figure, factor = price.server, 1.0 / hardware.chips_per_server
        how = f"price of a server of {hardware.chips_per_server}"
    if figure is None:
        return None
    return figure.value * factor, figure.checked or hardware.checked, f"{how}: {figure.source or hardware.source}"


def owned(hardware: Hardware, terms: Terms) -> Owned | None:
    """Return what a chip costs its owner per hour; None where its file has no purchase price and the terms none.

    Notes
    -----
    C = [CRF·(K - R/(1+r)^n) + O] / 8766 + P·PUE·p_e + P·colo·12/8766, with P the all-in power that is provisioned: the
    owner is taken to pay for it whether the chip is busy or not, an upper bound of some percent. Without published
    watts the last two terms are zero.
    """
    if terms.capex is not None:
        capex, date, source = terms.capex, None, "--capex"
    else:
        known = purchase(hardware)
        if known is None:
            return None
        capex, date, source = known
    kilowatts = (all_in_watts(hardware) or 0.0) / 1e3
    return Owned(
        capital=capital_per_hour(capex, terms),
        opex=terms.opex / HOURS_PER_YEAR,
        electricity=kilowatts * terms.pue * terms.usd_per_kwh,
        colocation=kilowatts * terms.colo * 12.0 / HOURS_PER_YEAR,
        capex=capex,
        date=date,
        source=source,
    )
