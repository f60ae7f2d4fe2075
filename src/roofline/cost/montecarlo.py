"""How sure a cost is: all uncertain inputs drawn together in one vectorised pass, and which of them matters most.

References
----------
.. [1] T. Eschenbach, "Spiderplots versus tornado diagrams for sensitivity analysis", Interfaces 22(6), 1992.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roofline.errors import RooflineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draws = NDArray[np.float64]

#: Standard normal quantile of 95 %: an interval of 90 % reaches this far to each side.
Z90 = 1.6448536269514722
#: Samples in one call; more than this needs more memory than it tells anybody anything.
MOST_SAMPLES = 20_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """An uncertain input.

    Attributes
    ----------
    low, middle, high : float
        Least, likeliest and greatest value of a triangular draw; 5 %, 50 % and 95 % of a lognormal one; the ends of a
        log-uniform one, whose middle counts for nothing.
    shape : str
        ``triangular``, ``lognormal`` or ``loguniform``.
    """

    low: float
    middle: float
    high: float
    shape: str = "triangular"

    def draw(self, random: Any, count: int) -> Draws:
        """Return so many values."""
        import numpy as np

        drawn: Draws
        if self.low == self.high:
            drawn = np.full(count, self.low)
        elif self.shape == "triangular":
            drawn = random.triangular(self.low, self.middle, self.high, count)
        elif self.shape == "loguniform":
            drawn = np.exp(random.uniform(math.log(self.low), math.log(self.high), count))
        else:
            # Two half-normals of the logarithm: the interval need not be even about its middle.
            normal = random.standard_normal(count)
            below, above = math.log(self.middle / self.low) / Z90, math.log(self.high / self.middle) / Z90
            drawn = self.middle * np.exp(np.where(normal < 0, below, above) * normal)
        return drawn

    def quantile(self, share: float) -> float:
        """Return the value that a share of the draws lies below."""
        low, middle, high = self.low, self.middle, self.high
        if low == high:
            return low
        if self.shape == "loguniform":
            return low * math.exp(share * math.log(high / low))
        if self.shape == "lognormal":
            from statistics import NormalDist

            z = NormalDist().inv_cdf(share)
            return middle * math.exp(z * math.log(middle / low if z < 0 else high / middle) / Z90)
        bend = (middle - low) / (high - low)
        if share < bend:
            return low + math.sqrt(share * (high - low) * (middle - low))
        return high - math.sqrt((1.0 - share) * (high - low) * (high - middle))


@dataclass(frozen=True, slots=True)
class Uncertain:
    """What a cost is drawn from.

    Attributes
    ----------
    usd_per_hour : Spread
        One chip; without electricity where that is paid apart [USD/h].
    utilisation : Spread
        Busy share of the paid time.
    prefill, decode : float
        Time of one request on one chip, predicted [chip seconds].
    prefill_factor, decode_factor : Spread
        True over predicted time.
    input_tokens, output_tokens : float
        Of one request.
    watts_busy, watts_idle : float
        Of one chip with its share of server and site [W].
    power_factor : Spread
        True over predicted power.
    usd_per_kwh : Spread
        [USD/kWh].
    pays_electricity : bool
        True for an owner; in a rent the electricity is paid already.
    scenario : Spread or None
        Time over that of the low end, for closed models.
    """

    usd_per_hour: Spread
    utilisation: Spread
    prefill: float
    decode: float
    prefill_factor: Spread
    decode_factor: Spread
    input_tokens: float
    output_tokens: float
    watts_busy: float
    watts_idle: float
    power_factor: Spread
    usd_per_kwh: Spread
    pays_electricity: bool
    scenario: Spread | None = None

    @property
    def spreads(self) -> dict[str, Spread]:
        """The uncertain inputs by name."""
        found = {
            "price": self.usd_per_hour,
            "utilisation": self.utilisation,
            "prefill_time": self.prefill_factor,
            "decode_time": self.decode_factor,
            "power": self.power_factor,
            "usd_per_kwh": self.usd_per_kwh,
        }
        return found if self.scenario is None else found | {"scenario": self.scenario}


def evaluate(u: Uncertain, values: dict[str, Any]) -> dict[str, Any]:
    """Return dollars per million tokens: ``input``, ``output``, ``tokens`` and ``electricity``.

    Parameters
    ----------
    u : Uncertain
    values : dict
        A value, or an array of them, for every name of `Uncertain.spreads`.
    """
    scale = values.get("scenario", 1.0)
    prefill = scale * u.prefill * values["prefill_time"]
    decode = scale * u.decode * values["decode_time"]
    busy = values["utilisation"]
    # A chip is paid for seconds / utilisation per request, and draws idle power for the part of it that is idle.
    watts = values["power"] * (u.watts_idle + busy * (u.watts_busy - u.watts_idle))
    electricity_per_hour = watts / 1e3 * values["usd_per_kwh"]
    per_hour = values["price"] + electricity_per_hour if u.pays_electricity else values["price"]
    million_per_second = 1e6 / 3600.0 / busy
    rent = per_hour * million_per_second
    tokens = u.input_tokens + u.output_tokens
    return {
        "input": rent * prefill / u.input_tokens,
        "output": rent * decode / u.output_tokens,
        "tokens": rent * (prefill + decode) / tokens,
        "electricity": electricity_per_hour * million_per_second * (prefill + decode) / tokens,
    }


@dataclass(frozen=True, slots=True)
class Swing:
    """What one input does to the cost of a million tokens while the others stay at their medians.

    Attributes
    ----------
    name : str
    low, high : float
        Cost with the input at its 10 % and at its 90 % [USD per million tokens].
    """

    name: str
    low: float
    high: float

    @property
    def width(self) -> float:
        """How far the cost moves [USD per million tokens]."""
        return abs(self.high - self.low)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Percentiles of each cost, and the inputs in the order in which they matter [1]_.

    Attributes
    ----------
    percentiles : dict of str to tuple of float
        10 %, 50 % and 90 % of ``input``, ``output``, ``tokens`` and ``electricity`` [USD per million].
    tornado : tuple of Swing
        Widest first.
    samples : int
    """

    percentiles: dict[str, tuple[float, float, float]]
    tornado: tuple[Swing, ...]
    samples: int


def simulate(u: Uncertain, samples: int, seed: int = 0) -> Outcome:
    """Draw all inputs and return what follows; the same seed gives the same numbers.

    Raises
    ------
    RooflineError
        If the number of samples is out of range.
    """
    if not 100 <= samples <= MOST_SAMPLES:
        raise RooflineError(f"--samples: {samples:,} is out of range; it must be from 100 to {MOST_SAMPLES:,}")
    import numpy as np

    random = np.random.default_rng(seed)
    found = evaluate(u, {name: spread.draw(random, samples) for name, spread in u.spreads.items()})
    percentiles = {}
    for name, values in found.items():
        low, middle, high = np.percentile(values, [10.0, 50.0, 90.0], overwrite_input=True)
        percentiles[name] = (float(low), float(middle), float(high))
    return Outcome(percentiles, tornado(u), samples)


def tornado(u: Uncertain) -> tuple[Swing, ...]:
    """Return each input's swing from its 10 % to its 90 %, the others at their medians; the widest first."""
    medians = {name: spread.quantile(0.5) for name, spread in u.spreads.items()}
    swings = []
    for name, spread in u.spreads.items():
        ends = [evaluate(u, medians | {name: spread.quantile(share)})["tokens"] for share in (0.1, 0.9)]
        swings.append(Swing(name, *ends))
    return tuple(sorted(swings, key=lambda swing: -swing.width))
