"""Steps composed of kernels that were timed one by one, as public sweeps of kernel timings publish them.

Such a step is a sum: matrix products, attention, experts and collectives as timed, each alone, plus a charge for norms
and activations that is computed and not measured: 3 us a kernel and its bytes at 0.8 of memory bandwidth [1]_. The
``other_ms`` of such rows is that charge to the digit on every chip and engine. No other small kernel is in the sum.

References
----------
.. [1] NVIDIA, AIConfigurator, system files: https://github.com/ai-dynamo/aiconfigurator
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from roofline import kernel
from roofline.lower.table import LINK, OVERHEAD, Table
from roofline.lower.temporal import ACTIVATION_BYTES
from roofline.specs.layers import Dense, Gqa, Moe

if TYPE_CHECKING:
    from roofline.lower.table import Row
    from roofline.system import System

#: The charge per norm or activation [s], and the share of memory bandwidth that its bytes get.
CHARGE_SECONDS, CHARGE_BANDWIDTH = 3e-6, 0.8
#: What such a kernel moves per element: 16 bits read for the scale and again for the cast, 8 written.
QUANTISE_BYTES = 5.0
#: Models whose sums lack the shared expert and the FFN's all-reduce: on every chip and engine ``gemm_ms`` is what
#: attention and dense FFNs alone take at the rate of other models, and ``comm_ms`` half of two all-reduces a layer.
SHORT_SUMS = ("llama-4-",)
#: Times a norm with its residual moves the hidden state: two reads, two writes.
NORM_PASSES = 4.0
#: Units whose inputs such tables quantise in a kernel of its own.
EIGHT_OR_FEWER = ("fp8", "int8", "fp4")


#: Parts of such a step that are published beside the sum, by metric. ``mixer_ms`` is products and attention together:
#: of latent attention the tables time the whole module.
PARTS = {
    "gemm_ms": ("gemm",),
    "attn_ms": ("attn",),
    "mixer_ms": ("gemm", "attn"),
    "moe_ms": ("moe",),
    "comm_ms": ("comm",),
}


def step_seconds(system: System, phase: str, batch: float, tokens: float) -> float:
    """Return the kernel time of one step [s]: no host time, no scheduler.

    Parameters
    ----------
    system : System
    phase : {"decode", "prefill"}
        Decode: one token per sequence over `tokens` cached positions, its own included. Prefill: all `tokens` at once.
    batch, tokens : float
        Sequences over all attention-DP ranks, and positions of each.
    """
    table = system.decode if phase == "decode" else system.prefill
    new = 1.0 if phase == "decode" else tokens
    timed = part_seconds(system, phase, batch, tokens, ("gemm", "attn", "moe", "comm"))
    return timed + _charge(system, max(batch / table.ranks, 1.0) * new)


def part_seconds(system: System, phase: str, batch: float, tokens: float, parts: tuple[str, ...]) -> float:
    """Return the time of some parts of such a step [s]; parameters as in `step_seconds`."""
    table = system.decode if phase == "decode" else system.prefill
    new, past = (1.0, tokens - 1.0) if phase == "decode" else (tokens, 0.0)
    if len(parts) > 1:
        return sum(part_seconds(system, phase, batch, tokens, (part,)) for part in parts)
    engine = system.engine
    short = system.names[1].startswith(SHORT_SUMS)
    seconds = kernel.step_seconds(_timed(table, parts, short), batch, table.ranks, new, past, 1.0)
    rows = _rows(table, parts, short)
    if engine.launch:
        # A kernel timed in a loop of its own kind waits for no other.
        seconds -= engine.launch.value * sum(row.count for row in rows if row.overhead > 0)
    if phase == "decode" and engine.isolated_gap:
        seconds += engine.isolated_gap.value * sum(row.count for row in rows)
    if phase == "prefill" and engine.isolated_prefill:
        seconds *= engine.isolated_prefill.value
    if parts == ("moe",) and engine.isolated_experts and phase == "prefill":
        unit = system.rates.unit(system.deployment.experts)
        factor = engine.isolated_experts.get(unit)
        seconds *= factor.value if factor else 1.0
    if engine.isolated_quantise:
        quantised = (row for row in rows if row.bytes_fixed > 0 and system.rates.unit(row.dtype) in EIGHT_OR_FEWER)
        seconds += engine.isolated_quantise.value * sum(row.count for row in quantised)
    if "gemm" in parts and system.rates.unit(system.deployment.weights) in EIGHT_OR_FEWER:
        seconds += _quantise_seconds(system) * max(batch / table.ranks, 1.0) * new
    return seconds


def _quantise_seconds(system: System) -> float:
    """Return the time to quantise the inputs of all dense products of a token [s]."""
    model, tp = system.model, system.deployment.tp
    bandwidth = system.hardware.memory[0].bandwidth
    assert model.d_model and bandwidth is not None
    width = 0.0
    for (mixer, ffn), layers in model.kinds.items():
        attention, part = model.mixers[mixer], model.ffns[ffn]
        if isinstance(attention, Gqa):
            width += layers * (model.d_model + attention.heads * attention.head_dim_v / tp)
        inner = part.d_ff if isinstance(part, Dense) else 0
        if isinstance(part, Moe) and not system.names[1].startswith(SHORT_SUMS):
            inner = part.shared_d_ff or 0
        if inner:
            width += layers * (model.d_model + inner / tp)
    return QUANTISE_BYTES * width / (CHARGE_BANDWIDTH * bandwidth.value)


def _part(row: Row) -> str:
    """Return the part of the sum that a row belongs to; empty for the host's and the small kernels'."""
    if row.memory == OVERHEAD or row.op == "elementwise":
        return ""
    if row.memory == LINK:
        return "comm"
    if row.bytes_experts > 0:
        return "moe"
    return "gemm" if row.bytes_fixed > 0 else "attn"


def _rows(table: Table, parts: tuple[str, ...], short: bool) -> list[Row]:
    """Return the rows of some parts of the sum."""
    found = [row for row in table.rows if _part(row) in parts]
    if not short:
        return found
    found = [row for row in found if not row.op.startswith("shared_")]
    # Two all-reduces of the same layers follow one another: the mixer's, then the FFN's.
    first = {id(row) for row in {row.layer: row for row in reversed(found) if row.op == "all-reduce"}.values()}
    return [row for row in found if row.op != "all-reduce" or id(row) in first]


@lru_cache(maxsize=8192)
def _timed(table: Table, parts: tuple[str, ...], short: bool) -> tuple[float, ...]:
    return tuple(v for row in _rows(table, parts, short) for v in row.values)


def _charge(system: System, tokens: float) -> float:
    """Return what is charged for norms and activations of a step of so many tokens on a rank [s]."""
    model = system.model
    bandwidth = system.hardware.memory[0].bandwidth
    assert model.d_model and bandwidth is not None
    seconds = 0.0
    for (mixer, ffn), layers in model.kinds.items():
        part = model.ffns[ffn]
        norms = (model.mixers[mixer].kind != "none") + (part.kind != "none")
        # The activation of experts is part of their own kernel.
        activation = (3.0 if part.gated else 2.0) * part.d_ff / system.deployment.tp if isinstance(part, Dense) else 0.0
        moved = (norms * NORM_PASSES * model.d_model + activation) * ACTIVATION_BYTES * tokens
        calls = norms + (1 if activation else 0)
        seconds += layers * (calls * CHARGE_SECONDS + moved / (CHARGE_BANDWIDTH * bandwidth.value))
    return seconds
