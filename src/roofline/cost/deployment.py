"""All copies of a deployment under a load: how many, how busy, and who pays for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline.cost.accounting import Rent, Tokens, per_pool, time_share
from roofline.cost.copies import draw
from roofline.cost.fleet import Fleet, Hit, fleet, hit_cost
from roofline.tiers import load_rate

if TYPE_CHECKING:
    from roofline.cost.copies import Load, Rated, Rules
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Account:
    """All copies of a deployment: how many, how busy, who pays for what per hour, and their power.

    Attributes
    ----------
    copies : dict of str to float
        Copies by pool: ``all``, or ``prefill`` and ``decode``.
    chips : float
        All of them.
    utilisation : float
        Of the rent.
    rent : Rent
        [USD/h].
    tokens : Tokens
        [tokens/h].
    watts : float or None
        Mean of all copies [W].
    """

    copies: dict[str, float]
    chips: float
    utilisation: float
    rent: Rent
    tokens: Tokens
    watts: float | None


def _hourly(load: Load, rate: float) -> Tokens:
    each = load.tokens
    return Tokens(3600.0 * rate * each.fresh, 3600.0 * rate * each.cached, 3600.0 * rate * each.output)


def _size(load: Load, capacity: float, utilisation: float) -> Fleet:
    if load.rate is None:
        return Fleet(1, utilisation)
    return fleet(load.rate, capacity, load.average_to_peak, load.batch_share)


def aggregated(copy: Rated, load: Load, usd_per_chip_hour: float, utilisation: float) -> Account:
    """Return the account of copies that do both phases: rent by time share."""
    size = _size(load, copy.capacity, utilisation)
    chips = size.replicas * copy.system.deployment.chips
    usd = usd_per_chip_hour * chips
    rent = time_share(usd, copy.fresh.seconds, copy.decode.seconds, copy.cached.seconds, size.utilisation)
    watts = copy.watts(size.utilisation)
    tokens = _hourly(load, size.replicas * size.utilisation * copy.capacity)
    total = None if watts is None else watts * size.replicas
    return Account({"all": float(size.replicas)}, chips, size.utilisation, rent, tokens, total)


def disaggregated(reader: Rated, writer: Rated, load: Load, usd_per_chip_hour: float, utilisation: float) -> Account:
    """Return the account of two pools: each pays for itself.

    Without a rate the pools are balanced: one decode copy, and as much of a prefill copy as keeps up with it,
    N_p·r_p = N_d·r_d.
    """
    reading = reader.fresh.seconds + reader.cached.seconds
    read, write = 1.0 / reading, 1.0 / writer.decode.seconds
    if load.rate is None:
        n_p, n_d, rate = write / read, 1.0, utilisation * write
        busy_p = busy_d = utilisation
    else:
        pools = [_size(load, capacity, utilisation) for capacity in (read, write)]
        (n_p, busy_p), (n_d, busy_d) = ((float(pool.replicas), pool.utilisation) for pool in pools)
        rate = load.rate
    chips_p, chips_d = n_p * reader.system.deployment.chips, n_d * writer.system.deployment.chips
    rent = per_pool(
        usd_per_chip_hour * chips_p, usd_per_chip_hour * chips_d, busy_p, busy_d, reader.cached.seconds / reading
    )
    first = draw((reader.fresh, reader.cached), reader.system, busy_p)
    second = draw((writer.decode,), writer.system, busy_d)
    watts = None if first is None or second is None else n_p * first + n_d * second
    chips = chips_p + chips_d
    busy = (chips_p * busy_p + chips_d * busy_d) / chips
    return Account({"prefill": n_p, "decode": n_d}, chips, busy, rent, _hourly(load, rate), watts)


def residence(system: System, load: Load, rules: Rules, usd_per_hour: float) -> Hit:
    """Return what a million cached tokens cost to hold and to load [USD]: an upper bound, beside the accounts.

    Room in the machine's own memory is priced as the requests it keeps out: a byte of the cache's room is worth its
    share of the rent at most. Room in a further tier comes with the machine and is not charged again.
    """
    memory = system.memory
    each = memory.kv_bytes(load.isl) / load.isl
    nearest = rules.hit_tier == system.deployment.kv_tier
    room = max(memory.kv_room, 1.0) * system.deployment.chips
    price = usd_per_hour / 3600.0 / room if nearest else 0.0
    return hit_cost(each, price, rules.residence, usd_per_hour, load_rate(system, rules.hit_tier))
