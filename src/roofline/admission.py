"""When a prompt is prefilled, and with which others: what the first token of a service waits for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from roofline import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofline.system import System

#: Share of the prompts of a closed loop that come when all users start at once: benchmarks send about ten each.
FIRST_WAVE = 0.1


def each_prefill(prefill: Callable[[Any], Any], system: System, n: Any, osl: float, functions: Any = math) -> Any:
    """Return what a prompt adds to the steps while `n` requests decode [s]; `prefill` is the time of so many prompts.

    Where prefill shares the steps of decode, a step is as full as chunks make it. Where it interrupts them, a step
    takes the prompts that came since the scheduler last looked: of the requests that end at random, n/osl per decode
    step, those of a look that found any.
    """
    if system.engine.mixed_steps is not False:
        return prefill(n) / n
    ended = n / max(1.0, osl - 1.0) * poll_steps(system)
    mean = ended / -functions.expm1(-ended)
    whole = functions.floor(mean)
    # Prompts come whole: some steps take one more than others.
    return ((1.0 - (mean - whole)) * prefill(whole) + (mean - whole) * prefill(whole + 1.0)) / mean


def turn_seconds(system: System, n: Any, isl: float, osl: float, step: Any, work: Any) -> Any:
    """Return the wait of a prompt that comes while `n` requests decode until its prefill has its turn [s].

    Of steps ahead, half of the time between two looks of the scheduler, and of the time that it gathers prompts: all of
    it for the first, half of it for those who come meanwhile. What came together is prefilled together.
    """
    figure, blind, coming = system.engine.steps_ahead, poll_steps(system) - 1.0, n / max(1.0, osl - 1.0)
    steps = 0.0 if figure is None else figure.value
    window = gather_steps(system, isl, coming)
    gathered = window * (1.0 + 0.5 * coming * window) / (1.0 + coming * window)
    return ((steps + 0.5 * blind + gathered) * step + coming * (blind + window) * work) * (n - 1.0) / n


def gather_steps(system: System, isl: float, coming: Any) -> Any:
    """Return the decode steps for which the scheduler gathers prompts, `coming` of which come in each."""
    if system.engine.gather_steps is None:
        return 0.0 * coming
    most, enough = system.engine.gather_steps.value, max(1.0, serving.prefill_chunk(system) / isl) / coming
    # The smaller of both, of numbers and arrays alike.
    return 0.5 * (most + enough - abs(most - enough))


def poll_steps(system: System) -> float:
    """Return the decode steps between two looks of the scheduler for new prompts."""
    return 1.0 if system.engine.poll_steps is None else system.engine.poll_steps.value


def bunched(system: System, alike: bool) -> float:
    """Return the share of a closed loop's prompts that come at once with everybody else's.

    All users start together, and requests that were prefilled together end together if they are of one length.
    """
    share = 0.0 if system.engine.bunched is None else system.engine.bunched.value
    return share if alike else min(share, FIRST_WAVE)


def host_seconds(system: System, isl: float) -> float:
    """Return the host time of the first step of a batch that is handed over in memory [s]."""
    return (
        0.0
        if system.engine.ideal or not system.engine.request_per_token
        else system.engine.request_per_token.value * isl
    )


def request_overhead(system: System, isl: float) -> float:
    """Return what a request waits for besides prefill [s]: transport, tokenisation, scheduling."""
    engine = system.engine
    if engine.ideal:
        return 0.0
    fixed = engine.request.value if engine.request else 0.0
    return fixed + (engine.request_per_token.value * isl if engine.request_per_token else 0.0)
