"""What a roofline chart shows: a chip's peaks and bandwidths, and a model's operations beneath them."""

from __future__ import annotations

from dataclasses import replace

from roofline import evaluate
from roofline.report.record import Record
from roofline.resolve import Request, resolve


def ceilings(request: Request) -> list[Record]:
    """Return a record for every dense peak, memory tier, cache and link of a chip, per chip.

    Each has ``ceiling`` (``compute``, ``memory``, ``cache`` or ``link``), ``name`` and ``flops_per_second`` [FLOP/s] or
    ``bytes_per_second`` [B/s].
    """
    specs = request.load()
    chip, head = specs.hardware, {"hardware": specs.names[0]}
    found = [
        head | {"ceiling": "compute", "name": unit, "flops_per_second": figure.value}
        for unit, figure in chip.peak.items()
    ]
    tiers = [("memory", tier) for tier in chip.memory] + ([("cache", chip.cache)] if chip.cache else [])
    for kind, tier in tiers:
        if tier.bandwidth is not None:
            one = {
                "ceiling": kind,
                "name": tier.name,
                "bytes_per_second": tier.bandwidth.value,
                "on_chip": tier.on_chip,
            }
            found.append(head | one)
    return found


def records(request: Request, phase: str = "decode", batch: int = 1, tokens: int = 8192, past: int = 0) -> list[Record]:
    """Return ceilings and operations of one point: `ceilings`, then the records of ``roofline explain``.

    A spatial chip reads weights inside its stages, so that their bytes are in no row: its operations are placed by the
    naive bandwidth bound (``estimate`` says so), and the step as predicted stands beneath them.
    """
    rows = evaluate.explain(request, phase, batch, tokens, past)
    system = resolve(request, float(batch), float(tokens + (past if phase == "prefill" else 0)))
    if not system.spatial or system.engine.ideal:
        return [*ceilings(request), *rows]
    same = replace(request, engine="ideal", chips=system.deployment.chips)
    naive = evaluate.explain(same, phase, batch, tokens, past)
    # The bound runs on the bandwidth of one chip, or of all where a layer spans several.
    share = 1.0 / system.deployment.chips if system.deployment.chips > system.stages else 1.0
    naive = [row | {key: row[key] * share for key in ("flops", "bytes") if key in row} for row in naive]
    # Work is that of the bound, whose rows have bytes; time is what is predicted.
    step = rows[-1] | {key: naive[-1][key] for key in ("flops", "bytes")}
    return [*ceilings(request), *(row | {"estimate": "naive_bandwidth"} for row in naive[:-1]), step]
