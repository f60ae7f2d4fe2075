"""Joules per token: what a machine draws while it does a step, and the electricity in a million tokens.

A chip draws a floor whenever it is on, and above it in proportion to how busy its arithmetic and its memory are. In
prefill the arithmetic is busy nearly all the time and chips run at their limit; in decode the memory is, and they draw
clearly less [1]_ [2]_. The rest of the server (host, network, fans) is taken to draw the same always.

References
----------
.. [1] P. Patel et al., "Splitwise: efficient generative LLM inference using phase splitting", ISCA 2024,
   arXiv:2311.18677: prompt phases draw close to the limit of the chip, token phases a good deal less.
.. [2] P. Patel et al., "Characterizing power management opportunities for LLMs in the cloud", ASPLOS 2024,
   arXiv:2308.12908.
.. [3] "GPU energy benchmark", https://api.serialalice.pt/alice-benchmark, June 2026: an H200 of 700 W draws 80 W idle,
   517 W while a 4B model decodes 128 sequences, and 593 to 680 W at full load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofline.cost.owner import SYSTEM_OVER_CHIP

if TYPE_CHECKING:
    from roofline.specs.hardware import Hardware

#: Share of its power limit that a chip draws with nothing to do: 80 of 700 W [3]_.
IDLE = 0.115
#: Share of the rest that busy arithmetic draws, and that busy memory draws; together at most all of it. Compute-bound
#: prefill is at the limit; memory-bound decode at 0.115 + 0.885 x 0.7 = 73 % of it, 514 of 700 W against 517 read [3]_.
COMPUTE, MEMORY = 1.0, 0.7


@dataclass(frozen=True, slots=True)
class Watts:
    """Power of one chip with its share of the server, as its file states or implies it.

    Attributes
    ----------
    chip : float
        Limit of the chip itself [W].
    rest : float
        Host, network and fans [W].
    """

    chip: float
    rest: float

    @property
    def limit(self) -> float:
        """Everything at its limit [W]."""
        return self.chip + self.rest

    @property
    def idle(self) -> float:
        """Switched on, nothing to do [W]."""
        return self.rest + IDLE * self.chip

    def busy(self, compute: float, memory: float) -> float:
        """Return what a step draws on average [W].

        Parameters
        ----------
        compute, memory : float
            Shares of the step's time in which arithmetic and memory are busy, at the rates that kernels reach.
        """
        dynamic = min(1.0, COMPUTE * max(0.0, compute) + MEMORY * max(0.0, memory))
        return self.rest + self.chip * (IDLE + (1.0 - IDLE) * dynamic)


def watts(hardware: Hardware) -> Watts | None:
    """Return the power of one chip with its share of the server; None where no watts are published.

    Where only one figure is known the other follows by the median ratio of chips with both; on chips that pin layers to
    regions the published figure is the whole system's, and is taken to be the chip's.
    """
    chip, system = hardware.power.chip, hardware.power.system
    if hardware.execution == "spatial" and (system or chip):
        known = system or chip
        assert known is not None
        return Watts(known.value, 0.0)
    if chip is not None:
        total = max(system.value, chip.value) if system is not None else SYSTEM_OVER_CHIP * chip.value
        return Watts(chip.value, total - chip.value)
    if system is None:
        return None
    return Watts(system.value / SYSTEM_OVER_CHIP, system.value * (1.0 - 1.0 / SYSTEM_OVER_CHIP))


def mean_watts(busy_watts: float, idle_watts: float, utilisation: float) -> float:
    """Return the mean draw of a machine that is busy for a share of the time [W]."""
    return utilisation * busy_watts + (1.0 - utilisation) * idle_watts


def usd_per_million(joules_per_token: float, usd_per_kwh: float) -> float:
    """Return the electricity in a million tokens [USD]: 10^6·J/token / 3.6e6 J per kWh · USD/kWh."""
    return joules_per_token / 3.6 * usd_per_kwh


def tokens_per_megawatt(joules_per_token: float) -> float:
    """Return tokens per second and megawatt: 10^6 / (J/token) [tok/(s MW)]."""
    return 1e6 / joules_per_token
