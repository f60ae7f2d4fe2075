"""From a load to whole replicas, and what work that may wait and cached prefixes cost.

References
----------
.. [1] J. D. C. Little, "A proof for the queuing formula L = λW", Operations Research 9(3), 1961.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from roofline.errors import RooflineError

#: Mean over peak load of a service whose profile does not say: measured ones lie between 0.30 and 0.52.
AVERAGE_TO_PEAK = 0.35
#: What vendors take off for work that may wait; a share of the price.
BATCH_DISCOUNT = 0.5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Whole replicas for a load.

    Attributes
    ----------
    replicas : int
    utilisation : float
        Mean over rated load: what follows from the load, not what somebody hopes for.
    """

    replicas: int
    utilisation: float


def fleet(rate: float, capacity: float, average_to_peak: float = AVERAGE_TO_PEAK, batch_share: float = 0.0) -> Fleet:
    """Return how many replicas a load takes and how busy they are.

    Parameters
    ----------
    rate : float
        Mean load [requests/s].
    capacity : float
        What one replica serves within its promises [requests/s].
    average_to_peak : float
        Mean over peak load: the fleet is sized for the peak.
    batch_share : float
        Share of the requests that may wait for the night: they need no machines as long as there is idle time.

    Raises
    ------
    RooflineError
        If a number is out of range.
    """
    if not 0 < rate < math.inf:
        raise RooflineError(f"--rate: {rate:g} is out of range; it must be above 0 requests per second")
    if not 0 < average_to_peak <= 1:
        raise RooflineError(f"average-to-peak ratio {average_to_peak:g} is out of range; above 0 and at most 1")
    if not 0 <= batch_share <= 1:
        raise RooflineError(f"--batch-share: {batch_share:g} is out of range; it must be from 0 to 1")
    needed = max((1.0 - batch_share) * rate / average_to_peak, rate) / capacity
    replicas = max(1, math.ceil(needed * (1.0 - 1e-12)))
    return Fleet(replicas, rate / (replicas * capacity))


def concurrency(rate: float, seconds: float) -> float:
    """Return the requests under way by Little's law: λ·W [1]_."""
    return rate * seconds


def with_batch(usd: float, share: float, discount: float = BATCH_DISCOUNT) -> float:
    """Return the mean price of tokens of which a share is bought as batch [USD, in the unit of `usd`]."""
    if not 0 <= share <= 1 or not 0 <= discount <= 1:
        raise RooflineError(f"batch share {share:g} and discount {discount:g} must be from 0 to 1")
    return usd * (1.0 - share * discount)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a million cached input tokens cost by the memory tier that holds them [USD per million].

    Attributes
    ----------
    residence : float
        Room in the tier while they wait.
    load : float
        The machine's time while they are read into it: an upper bound, loading may overlap with work.
    """

    residence: float
    load: float


def hit_cost(
    kv_bytes: float,
    usd_per_byte_second: float,
    residence_seconds: float,
    usd_per_hour: float,
    load_bytes_per_second: float,
) -> Hit:
    """Return the cost of prefix-cache hits: 10^6·κ·m·t_res, and 10^6·κ·C / (3600·BW).

    Parameters
    ----------
    kv_bytes : float
        Cache of one token [B].
    usd_per_byte_second : float
        Price of room in the tier [USD/(B s)].
    residence_seconds : float
        From one use of the prefix to the next [s].
    usd_per_hour : float
        Of the machines that wait for the load [USD/h].
    load_bytes_per_second : float
        Into all of them; infinite where the cache is in their own memory already [B/s].
    """
    residence = 1e6 * kv_bytes * usd_per_byte_second * residence_seconds
    return Hit(residence, 1e6 * kv_bytes * usd_per_hour / (3600.0 * load_bytes_per_second))
