"""Who pays for what: rent divided among fresh input, cached input, output and idle time.

Two conventions add up to the rent. Where prefill and decode share the machines, each pays for its share of the time
[1]_; where they have pools of their own, each pool pays for itself. A third, which charges the whole rent to either
kind of token [2]_, is published but adds up to twice the rent; its numbers refuse to be added.

References
----------
.. [1] OpenCost, "Inference cost tracking", docs/inference-cost-tracking.md (used by llm-d).
.. [2] SemiAnalysis, InferenceX, utils/process_result.py.
.. [3] DeepSeek, "Day 6: DeepSeek-V3/R1 inference system overview", open-infra-index, 2025-02.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

from roofline.errors import RooflineError


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a span of time, a rate per second, or one request: any unit, but the same for all three.

    Attributes
    ----------
    fresh : float
        Input that had to be prefilled.
    cached : float
        Input whose cache was there already.
    output : float
        Generated.
    """

    fresh: float
    cached: float
    output: float

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        for name in ("fresh", "cached", "output"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RooflineError(f"{name} tokens: {getattr(self, name):g} is out of range; it must be zero or more")

    @classmethod
    def of_request(cls, isl: float, osl: float, hit: float) -> Tokens:
        """Return the tokens of one request of which a share `hit` of the input is cached.

        Raises
        ------
        RooflineError
            If the hit rate is not from 0 to 1.
        """
        if not 0 <= hit <= 1:
            raise RooflineError(f"cache hit rate {hit:g} is out of range; it is a share of the input, from 0 to 1")
        return cls((1.0 - hit) * isl, hit * isl, osl)

    @property
    def total(self) -> float:
        """All tokens."""
        return self.fresh + self.cached + self.output


@dataclass(frozen=True, slots=True)
class Rent:
    """Dollars of a span of time, divided.

    Attributes
    ----------
    fresh, cached, output : float
        What each kind of token pays for its own work [USD].
    idle : float
        Paid for, but nobody's work [USD].
    """

    fresh: float
    cached: float
    output: float
    idle: float = 0.0

    @property
    def busy(self) -> float:
        """What work was done for [USD]."""
        return self.fresh + self.cached + self.output

    @property
    def total(self) -> float:
        """The rent [USD]: fresh + cached + output + idle."""
        return self.busy + self.idle


@dataclass(frozen=True, slots=True)
class PerMillion:
    """Dollars per million tokens by kind; 0 where there are none of a kind. They add up to the rent.

    Attributes
    ----------
    input, cached, all_input, output, blend : float
        Fresh input, cached input, both together, output, and all tokens together [USD per million].
    """

    input: float
    cached: float
    all_input: float
    output: float
    blend: float


def per_million(rent: Rent, tokens: Tokens, *, usage: bool = False) -> PerMillion:
    """Return what a million tokens of each kind cost [USD].

    Parameters
    ----------
    rent : Rent
    tokens : Tokens
        Of the same span of time.
    usage : bool
        False (allocation): idle rent is rent, each kind carries it in proportion to its own work. True: only the
        busy time is charged, which says how efficient the work is, not what it costs.
    """
    raised = 1.0 if usage or rent.busy == 0 else rent.total / rent.busy

    def each(usd: float, count: float) -> float:
        return 1e6 * raised * usd / count if count > 0 else 0.0

    return PerMillion(
        input=each(rent.fresh, tokens.fresh),
        cached=each(rent.cached, tokens.cached),
        all_input=each(rent.fresh + rent.cached, tokens.fresh + tokens.cached),
        output=each(rent.output, tokens.output),
        blend=each(rent.busy, tokens.total),
    )


def _positive(usd: float, what: str) -> None:
    if not 0 <= usd < math.inf:
        raise RooflineError(f"{what}: {usd:g} is out of range; it must be zero or more")


def time_share(usd: float, fresh: float, output: float, cached: float = 0.0, utilisation: float = 1.0) -> Rent:
    """Divide the rent of machines that prefill and decode by the time each takes [1]_.

    Parameters
    ----------
    usd : float
        Rent of the span [USD].
    fresh, output, cached : float
        Time spent prefilling, decoding, and on cached prefixes (loading and attending to them); any unit.
    utilisation : float
        Busy share of the paid time.
    """
    _positive(usd, "rent")
    whole = fresh + output + cached
    if min(fresh, output, cached) < 0 or not 0 < whole < math.inf:
        raise RooflineError("the times of prefill and decode must be zero or more, and not all zero")
    if not 0 < utilisation <= 1:
        raise RooflineError(f"utilisation {utilisation:g} is out of range; it must be above 0 and at most 1")
    busy = usd * utilisation
    return Rent(busy * fresh / whole, busy * cached / whole, busy * output / whole, usd - busy)


def per_pool(
    prefill_usd: float,
    decode_usd: float,
    prefill_busy: float = 1.0,
    decode_busy: float = 1.0,
    cached_share: float = 0.0,
) -> Rent:
    """Divide the rent of a prefill and a decode pool: each pays for itself.

    Parameters
    ----------
    prefill_usd, decode_usd : float
        Rent of each pool [USD].
    prefill_busy, decode_busy : float
        Busy share of each pool.
    cached_share : float
        Share of the prefill pool's busy time that goes to cached prefixes.

    Notes
    -----
    DeepSeek's day [3]_: 2,292 and 3,153 node-hours at 16 USD for 608e9 input tokens, 56.3 % of them cached, and 168e9
    output tokens give 0.060 USD per million of all input, 0.138 of fresh input, 0.300 of output and 0.112 of all.
    """
    for usd, name in ((prefill_usd, "prefill rent"), (decode_usd, "decode rent")):
        _positive(usd, name)
    for share in (prefill_busy, decode_busy, cached_share):
        if not 0 <= share <= 1:
            raise RooflineError(f"a busy or cached share of {share:g} is out of range; it must be from 0 to 1")
    read, wrote = prefill_usd * prefill_busy, decode_usd * decode_busy
    return Rent(read * (1.0 - cached_share), read * cached_share, wrote, prefill_usd + decode_usd - read - wrote)


@dataclass(frozen=True, slots=True)
class InferenceX:
    """Whole rent over one kind of token, as InferenceX prints it for aggregated serving; not to be added.

    An input and an output figure of one machine each hold its whole rent: their sum charges for it twice.

    Attributes
    ----------
    usd : float
        [USD per million tokens of `kind`].
    kind : str
        ``input``, ``output`` or ``total``.
    """

    usd: float
    kind: str

    @classmethod
    def of(cls, usd_per_hour: float, tokens_per_second: float, kind: str) -> InferenceX:
        """Return 10^6·$/h / (3600·tok/s), both over all chips."""
        return cls(1e6 * usd_per_hour / (3600.0 * tokens_per_second), kind)

    def _refuse(self, other: object) -> NoReturn:
        raise RooflineError(
            "figures of the InferenceX convention cannot be added: each charges the whole rent to one kind of token; "
            "use the time-share or per-pool accounting"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = _refuse
