"""How long requests are: prompts and answers of one length, spread around a mean, of a profile or of a trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

from roofline.errors import RooflineError

if TYPE_CHECKING:
    from roofline.specs.workload import Workload

#: Points that stand for a distribution of prompts, and as many for one of answers; the last is its 98th percentile.
POINTS = 25
#: Most requests of a trace that are looked at one by one.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """Requests of one length.

    Attributes
    ----------
    isl, osl : float
        Input, cached tokens included, and output [tokens].
    past : float
        Cached input [tokens].
    weight : float
        Share of all requests.
    """

    isl: float
    osl: float
    past: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of all requests.

    Attributes
    ----------
    items : tuple of Item
    words : str
        What they are, for people: ``fixed``, ``lognormal``, ...
    """

    items: tuple[Item, ...]
    words: str = "fixed"

    def mean(self, of: Callable[[Item], float]) -> float:
        """Return the mean over requests."""
        return sum(item.weight * of(item) for item in self.items)

    @property
    def isl(self) -> float:
        """Mean input [tokens]."""
        return _tokens(self.mean(lambda item: item.isl))

    @property
    def osl(self) -> float:
        """Mean output [tokens]."""
        return _tokens(self.mean(lambda item: item.osl))

    @property
    def alike_all(self) -> bool:
        """True where every request is of one length."""
        return len(self.items) == 1

    @property
    def alike(self) -> Item:
        """One length that loads a service like all of these: fresh input, output, and the context of a step.

        A step sees each request as often as it has output tokens, half of them behind it on average.
        """
        osl = self.osl
        context = self.mean(lambda item: item.osl * (item.isl + 0.5 * item.osl)) / osl
        fresh = _tokens(self.mean(lambda item: item.isl - item.past))
        isl = max(context - 0.5 * osl, fresh)
        return Item(isl, osl, isl - fresh)

    @property
    def prompt(self) -> Item:
        """One prompt of the mean fresh input that attends to as many pairs as these do on average.

        A fresh token attends to what is cached and, on average, to half of the fresh ones: fresh·past + fresh²/2 pairs
        a prompt, so that a few long prompts cost more than many short ones.
        """
        fresh = max(1.0, _tokens(self.mean(lambda item: item.isl - item.past)))
        pairs = self.mean(lambda item: (item.isl - item.past) * (item.past + 0.5 * (item.isl - item.past)))
        past = max(0.0, pairs / fresh - 0.5 * fresh)
        return Item(fresh + past, 1.0, past)

    @property
    def uncached(self) -> Lengths:
        """The same fresh input with nothing before it."""
        return replace(self, items=tuple(replace(item, isl=item.isl - item.past, past=0.0) for item in self.items))


def _tokens(mean: float) -> float:
    """Return a mean without the dust of summing: a prompt of 2048.0000000001 tokens would take a chunk more."""
    return round(mean, 6)


def fixed(isl: float, osl: float, hit: float = 0.0) -> Lengths:
    """Return requests that are all of one length."""
    return Lengths((Item(isl, osl, hit * isl),))


def uniform(isl: float, osl: float, ratio: float, hit: float = 0.0) -> Lengths:
    """Return independent lengths anywhere within `ratio` of their means, 0 to 1."""

    def draw(mean: float, share: float) -> float:
        return mean * (1.0 + ratio * (2.0 * share - 1.0))

    return _independent(isl, osl, hit, draw, draw, f"uniform, ±{ratio:.0%}")


def lognormal(isl: float, osl: float, sigma_in: float, sigma_out: float, hit: float = 0.0) -> Lengths:
    """Return independent lognormal lengths of these means; `sigma` is the standard deviation of their logarithm.

    A lognormal of median m and mean M has sigma² = 2 ln(M / m).
    """

    def draw(sigma: float) -> Callable[[float, float], float]:
        return lambda mean, share: mean * math.exp(sigma * NormalDist().inv_cdf(share) - 0.5 * sigma * sigma)

    words = f"lognormal, σ {sigma_in:.2g} and {sigma_out:.2g}"
    return _independent(isl, osl, hit, draw(sigma_in), draw(sigma_out), words)


def profile(spec: Workload, hit: float, isl: float | None = None, osl: float | None = None) -> Lengths:
    """Return the lognormal lengths of a workload profile, around its own means or others."""
    first, second = spec.isl.mean.value, spec.osl.mean.value
    sigma_in = sigma(first, spec.isl.p50.value if spec.isl.p50 else None)
    sigma_out = sigma(second, spec.osl.p50.value if spec.osl.p50 else None)
    return lognormal(first if isl is None else isl, second if osl is None else osl, sigma_in, sigma_out, hit)


def sigma(mean: float, median: float | None) -> float:
    """Return the standard deviation of the logarithm of lognormal lengths; 0 where the median is not known."""
    return 0.0 if not median or median >= mean else math.sqrt(2.0 * math.log(mean / median))


def spread(text: str) -> Callable[[float, float, float], Lengths]:
    """Return the lengths around means that ``uniform:R`` or ``lognormal:S`` asks for, as a function (isl, osl, hit).

    Raises
    ------
    RooflineError
        If the text is neither.
    """
    shape, _, number = text.partition(":")
    try:
        width = float(number)
    except ValueError:
        width = math.nan
    if shape == "uniform" and 0 <= width <= 1:
        return lambda isl, osl, hit: uniform(isl, osl, width, hit)
    if shape == "lognormal" and 0 <= width <= 3:
        return lambda isl, osl, hit: lognormal(isl, osl, width, width, hit)
    raise RooflineError(f"--spread {text!r}: write uniform:R with R from 0 to 1, or lognormal:S with S from 0 to 3")


def observed(requests: Sequence[tuple[float, float, float]], words: str) -> Lengths:
    """Return the lengths of a trace of (isl, osl, cached); of a long one, every n-th request in order of length."""
    ordered = sorted(requests)
    step = math.ceil(len(ordered) / MOST)
    chosen = ordered[step // 2 :: step]
    return Lengths(tuple(Item(max(1.0, i), max(1.0, o), min(c, i), 1.0 / len(chosen)) for i, o, c in chosen), words)


def _independent(
    isl: float,
    osl: float,
    hit: float,
    prompt: Callable[[float, float], float],
    answer: Callable[[float, float], float],
    words: str,
) -> Lengths:
    shares = [(k + 0.5) / POINTS for k in range(POINTS)]
    # The points' mean is made the distribution's, whose tail they cut.
    prompts, answers = ([draw(mean, share) for share in shares] for mean, draw in ((isl, prompt), (osl, answer)))
    up, out = isl * POINTS / sum(prompts), osl * POINTS / sum(answers)
    weight = 1.0 / POINTS**2
    items = (
        Item(max(1.0, i * up), max(1.0, o * out), hit * max(1.0, i * up), weight) for i in prompts for o in answers
    )
    return Lengths(tuple(items), words)
