"""One's own machines or an API: the volume at which they cost the same, with whole replicas and idle rent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from roofline.cost.accounting import Tokens
from roofline.cost.fleet import BATCH_DISCOUNT, with_batch
from roofline.errors import RooflineError

#: Hours of a mean month [h].
HOURS_PER_MONTH = 8766.0 / 12.0


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What an API charges.

    Attributes
    ----------
    input, cached, output : float
        [USD per million tokens]
    source : str
        Whose price, of when.
    """

    input: float
    cached: float
    output: float
    source: str

    def __post_init__(self) -> None:
        """Refuse negative prices."""
        for name in ("input", "cached", "output"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RooflineError(f"API price of {name}: {getattr(self, name):g} is negative; it is zero or more")

    @classmethod
    def read(cls, text: str, what: str) -> ApiPrice:
        """Return the prices of a text: IN,OUT or IN,CACHED,OUT [USD per million tokens].

        Raises
        ------
        RooflineError
            If it is not two or three numbers of zero or more.
        """
        try:
            numbers = [float(part.strip().removeprefix("$")) for part in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (2, 3) or not all(math.isfinite(number) for number in numbers):
            raise RooflineError(f"{what}: {text!r}: write IN,OUT or IN,CACHED,OUT in $/M, for example 0.15,0.60")
        if min(numbers) < 0:
            raise RooflineError(f"{what}: {text}: a price is negative; prices are zero or more")
        return cls(numbers[0], numbers[-2] if len(numbers) == 3 else numbers[0], numbers[-1], what)

    def request(self, tokens: Tokens, batch_share: float = 0.0) -> float:
        """Return the bill of one request [USD], a share of the requests at the usual batch discount."""
        usd = (tokens.fresh * self.input + tokens.cached * self.cached + tokens.output * self.output) / 1e6
        return with_batch(usd, batch_share, BATCH_DISCOUNT)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Volumes at which own machines become cheaper than the API [requests/month]; None where they never do.

    Attributes
    ----------
    first : float or None
        The least volume at which they are cheaper.
    always : float or None
        The volume from which on they stay so: after each step of the staircase the new replica is idle at first.
    replicas : int or None
        How many run at the first.
    """

    first: float | None
    always: float | None
    replicas: int | None


def break_even(usd_per_request: float, rent: float, capacity: float, staff: float = 0.0) -> BreakEven:
    """Return where a staircase of replicas crosses the straight line of the API's bill.

    Parameters
    ----------
    usd_per_request : float
        The API's [USD].
    rent : float
        One replica for a month, idle or not [USD].
    capacity : float
        What one replica serves in a month of the load's own peaks and valleys [requests].
    staff : float
        People, for a month [USD].

    Notes
    -----
    k replicas hold up to k·capacity. They are cheaper above (k·rent + staff)/price, which they can reach if
    k ≥ staff/(price·capacity - rent). One more replica is cheaper still at the very step, k·capacity, once
    k ≥ (rent + staff)/(price·capacity - rent).
    """
    gain = usd_per_request * capacity - rent
    if gain <= 0:
        return BreakEven(None, None, None)
    k = max(1, math.ceil(staff / gain * (1.0 - 1e-12)))
    first = max((k * rent + staff) / usd_per_request, (k - 1) * capacity)
    last = max(1, math.ceil((rent + staff) / gain * (1.0 - 1e-12)))
    always = max((last * rent + staff) / usd_per_request, (last - 1) * capacity)
    return BreakEven(first, always, k)
