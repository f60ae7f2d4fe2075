"""What a deployment draws during a step: how busy its arithmetic and its memory are, and the watts that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofline import serving
from roofline.cost import energy
from roofline.lower.table import LINK

if TYPE_CHECKING:
    from roofline.system import System


def drawn(system: System, phase: str, batch: float, new: float, past: float, utilisation: float = 1.0) -> float | None:
    """Return the mean power of one copy that does such steps for a share of the time [W].

    Parameters
    ----------
    phase : {"decode", "prefill"}
    batch : float
        Sequences.
    new, past : float
        Tokens of each that are new, and that are cached [tokens].
    utilisation : float
        Share of the time; the machine idles for the rest.

    Returns
    -------
    float or None
        With its share of the servers, without the site's PUE; None where no watts are published.
    """
    known = energy.watts(system.hardware)
    if known is None:
        return None
    busy = known.busy(*busy_shares(system, phase, batch, new, past))
    return system.deployment.chips * energy.mean_watts(busy, known.idle, utilisation)


def busy_shares(system: System, phase: str, batch: float, new: float, past: float) -> tuple[float, float]:
    """Return the shares of a step's time in which arithmetic and memory are busy, at the rates that kernels reach.

    On chips that pin layers to regions every region works on its own token, and both are taken to be busy.
    """
    if system.spatial:
        return 1.0, 1.0
    if phase == "decode":
        parts = serving.operations(system.decode, serving.microbatch(system, batch), 1.0, past, 1.0)
    else:
        chunk = min(new, serving.prefill_chunk(system))
        together = max(1.0, min(batch, serving.prefill_chunk(system) / new))
        parts = serving.operations(system.prefill, together, chunk, past, 1.0)
    whole = sum(part.seconds for part in parts)
    local = [part for part in parts if part.bound != LINK]
    compute = sum(min(part.compute_seconds, part.seconds) for part in local)
    memory = sum(min(part.memory_seconds, part.seconds) for part in local)
    return compute / whole, memory / whole
