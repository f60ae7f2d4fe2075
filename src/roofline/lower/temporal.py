"""Lower a model onto chips that use the whole chip for each operation: GPUs, TPUs, NPUs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from roofline.dtypes import BYTES
from roofline.lower.cache import cache_entries
from roofline.lower.collectives import collective
from roofline.lower.cores import core_rows, heads_per_rank
from roofline.lower.parameters import ffn_matrices, mixer_matrices
from roofline.lower.table import LINK, OVERHEAD, Row, Table
from roofline.specs.layers import Gqa, Moe

if TYPE_CHECKING:
    from roofline.lower.matrices import Matrix
    from roofline.lower.rates import Rates
    from roofline.specs.layers import Ffn, Mixer
    from roofline.specs.model import Model

#: Hidden states travel between operations and chips in 16 bits.
ACTIVATION_BYTES = 2.0
#: Largest group of attention-DP ranks that gathers all tokens.
GATHERED = 8
#: What of an operation grows with the batch; `log_miss` is per token too.
PER_TOKEN: tuple[str, ...] = (
    "flops_token",
    "flops_pair",
    "flops_entry",
    "flops_pair_alt",
    "flops_sampled",
    "flops_group",
)
PER_TOKEN += ("bytes_token", "bytes_entry", "bytes_sequence", "bytes_sampled", "overhead_sequence", "log_miss")
#: What of an operation is time.
SECONDS: tuple[str, ...] = ("seconds_per_flop", "seconds_per_byte", "overhead", "overhead_sequence")
#: How evenly prompts choose experts: 1 is an exponential spread of popularity, infinity none. A workload's property and
#: not an engine's, so `ideal` has it too.
ROUTING_SHAPE = 1.0


def lower(model: Model, rates: Rates, phase: str) -> Table:
    """Return the operation table of one phase, per chip, all pipeline stages together.

    Parameters
    ----------
    model : Model
    rates : Rates
        Chip, engine and deployment.
    phase : {"decode", "prefill"}
    """
    assert model.d_model and model.vocab_size
    rows: list[Row] = []
    for (mixer_name, ffn_name), layers in model.kinds.items():
        mixer, ffn = model.mixers[mixer_name], model.ffns[ffn_name]
        layer = " + ".join(name for name, part in ((mixer_name, mixer), (ffn_name, ffn)) if part.kind != "none")
        parts = _mixer_rows(mixer, model.d_model, rates, phase, layer, layers)
        parts += _ffn_rows(ffn, model.d_model, rates, phase, layer, layers)
        rows += [*parts, *_small_rows(mixer, ffn, parts, model.d_model, rates, layer, layers)]
    rows += _ends(model, rates)
    if rates.slowness > 1.0:
        rows = [_slower(row, rates.slowness) for row in rows]
    if phase == "prefill":
        rows = [part for row in rows for part in _widened(row, rates)]
    if any(row.beside for row in rows):
        busy = rates.engine.travel_cores.value if rates.engine.travel_cores and phase == "prefill" else 0.0
        rows = [_halved(row, 1.0 - busy) for row in rows]
    elif phase == "prefill" and not rates.ideal and rates.engine.prefill_launch:
        # The host launches operation by operation beside the chip. Where travel is hidden, chunks are so large that
        # the chip is never done before.
        host = rates.engine.prefill_launch.value * sum(row.count for row in rows if row.overhead > 0)
        rows.append(Row("launching beside", "once", OVERHEAD, overhead=host, beside=1.0))
    return Table(tuple(rows), float(rates.deployment.dp))


def _slower(row: Row, factor: float) -> Row:
    """Return an operation of kernels that nobody has tuned for this model yet; collectives are the same for all."""
    if row.memory == LINK:
        return row
    return replace(row, **{name: factor * getattr(row, name) for name in SECONDS})


def _widened(row: Row, rates: Rates) -> list[Row]:
    """Return a product of a prefill, and before it the kernel that widens its weights where the engine has one."""
    if row.flops_sampled or not (row.bytes_fixed and rates.widens(row.dtype)):
        return [row]
    elements = row.bytes_fixed / BYTES[row.dtype]
    wide = elements * BYTES["fp16"]
    seconds_per_byte = rates.weights_seconds_per_byte("fp16")
    widen = Row(
        f"widen {row.op}",
        row.layer,
        dtype=row.dtype,
        count=row.count,
        bytes_fixed=row.bytes_fixed + wide,
        seconds_per_byte=seconds_per_byte,
        overhead=rates.launch,
    )
    return [widen, replace(row, bytes_fixed=wide, seconds_per_byte=seconds_per_byte)]


def _halved(row: Row, cores: float) -> Row:
    """Return an operation done twice, for half of the batch each, on a share of the cores: weights are read twice."""
    if row.memory == OVERHEAD:
        return row
    halves = {name: 0.5 * getattr(row, name) for name in PER_TOKEN}
    return replace(row, count=2.0 * row.count, seconds_per_flop=row.seconds_per_flop / cores, **halves)


def split_factor(matrix: Matrix, mixer: Mixer | None, rates: Rates) -> float:
    """Return by how much tensor parallelism divides a matrix: padded heads and replicated KV heads divide it less."""
    d = rates.deployment
    heads = getattr(mixer, "heads", None) or getattr(mixer, "v_heads", None)
    if matrix.split == "heads" and heads:
        return float(heads / heads_per_rank(heads, d.tp))
    if matrix.split == "kv_heads" and isinstance(mixer, Gqa):
        return mixer.kv_heads / heads_per_rank(mixer.kv_heads, d.tp)
    if matrix.split in ("width", "vocabulary"):
        return float(d.tp)
    if matrix.split == "experts":
        return float(d.tp * d.dp)
    return 1.0


def _gemm(op: str, layer: str, elements: float, dtype: str, rates: Rates, count: float) -> Row:
    """Return a matrix product: its weights are read once per step, whatever the tokens."""
    return Row(
        op,
        layer,
        dtype=dtype,
        count=count,
        flops_token=2.0 * elements,
        bytes_fixed=elements * BYTES[dtype],
        seconds_per_flop=rates.gemm_seconds_per_flop(dtype),
        seconds_per_byte=rates.weights_seconds_per_byte(dtype),
        overhead=rates.launch,
        overlap=rates.overlap,
    )


def _mixer_rows(mixer: Mixer, d_model: int, rates: Rates, phase: str, layer: str, count: float) -> list[Row]:
    if mixer.kind == "none":
        return []
    sizes: dict[str, float] = defaultdict(float)
    for matrix in mixer_matrices(mixer, d_model):
        sizes[matrix.op] += matrix.elements / split_factor(matrix, mixer, rates)
    rows = []
    for op, elements in sizes.items():
        row = _gemm(op, layer, elements, rates.deployment.weights, rates, count)
        if op == "kv_up" and phase == "prefill":
            # The attention core counts the expansion of new and cached latents alike; here only the weights are read.
            row = replace(row, flops_token=0.0)
        rows.append(row)
    last = [row for row in rows if row.op in ("o", "out")]
    first = [row for row in rows if row not in last]
    d = rates.deployment
    rows = [*first, *core_rows(mixer, rates, phase, layer, count), *last]
    if d.dcp > 1:
        rows += collective(
            rates, "dcp gather", layer, "all-gather", d.dcp, count=2 * count, bytes_token=d_model * ACTIVATION_BYTES
        )
    return rows + collective(
        rates, "all-reduce", layer, "all-reduce", d.tp, count=count, bytes_token=d_model * ACTIVATION_BYTES
    )


def _ffn_rows(ffn: Ffn, d_model: int, rates: Rates, phase: str, layer: str, count: float) -> list[Row]:
    if ffn.kind == "none":
        return []
    d = rates.deployment
    rows: list[Row] = []
    sizes: dict[str, float] = defaultdict(float)
    for matrix in ffn_matrices(ffn, d_model):
        if matrix.split == "experts":
            assert isinstance(ffn, Moe)
            rows.append(_experts(matrix, ffn, rates, layer, count))
        else:
            sizes[matrix.op] += matrix.elements / split_factor(matrix, None, rates)
    for op, elements in sizes.items():
        dtype = "bf16" if op == "router" else d.weights
        rows.append(_gemm(op, layer, elements, dtype, rates, count))
    width = d_model * ACTIVATION_BYTES
    if not isinstance(ffn, Moe) or d.dp == 1:
        return rows + collective(rates, "all-reduce", layer, "all-reduce", d.tp, count=count, bytes_token=width)
    # Attention-DP: tokens travel to the ranks that hold their experts and back. In a server of eight engines gather all
    # tokens on every rank and scatter the sums; wider groups have kernels that send a token to its experts' ranks only.
    group = d.tp * d.dp
    copies = (group if group <= GATHERED else min(ffn.top_k, group)) / d.tp
    link, sent = rates.link(group), width
    beside = rates.engine.two_batch_overlap is True
    if link is not None and link is not rates.hardware.scale_up and rates.hardware.scale_up is not None:
        # Whoever sends prompts across servers hides the journey behind the other half of the batch. In decode that
        # pays from a hundred sequences a rank on only, so that it takes an engine that says so.
        beside = beside or (rates.engine.two_batch_overlap is None and phase == "prefill")
        # Across servers a token is sent once to each server that holds one of its experts, and spread there.
        servers = max(2.0, group / rates.hardware.scale_up.domain)
        copies = servers * (1.0 - (1.0 - 1.0 / servers) ** ffn.top_k) / d.tp
        # Kernels for this path send in the format that the experts compute in.
        sent = d_model * min(ACTIVATION_BYTES, max(1.0, BYTES[d.experts]))
    for op, size in (("dispatch", sent), ("combine", width)):
        payload = size * copies
        rows += collective(rates, op, layer, "all-to-all", group, count=count, bytes_token=payload, beside=beside)
    return rows


def _experts(matrix: Matrix, ffn: Moe, rates: Rates, layer: str, count: float) -> Row:
    """Return the grouped product over routed experts: bytes of the experts touched, FLOPs of the tokens routed."""
    d = rates.deployment
    dtype = d.experts
    elements = matrix.elements / (d.tp * d.dp)
    share = ffn.top_k / ffn.experts
    # Tiles of a matrix unit are wider than a thin slice of an expert: the narrower the slice, the more is padding.
    width = ffn.expert_d_ff * d.ep / (d.tp * d.dp)
    slice_bytes = elements * BYTES[dtype] * d.ep / ffn.experts
    return Row(
        matrix.op,
        layer,
        dtype=dtype,
        count=count,
        flops_group=2.0 * elements * share * rates.imbalance,
        bytes_experts=elements * BYTES[dtype],
        log_miss=math.log1p(-share) if share < 1 else -1e3,
        rank_experts=ffn.experts / d.ep,
        routing=ROUTING_SHAPE,
        rank_spread=0.0 if rates.ideal else math.sqrt(2.0 * math.log(d.ep)),
        seconds_per_flop=rates.gemm_seconds_per_flop(dtype, moe=True) * (1.0 + rates.moe_width / width),
        seconds_per_byte=rates.weights_seconds_per_byte(dtype, moe=True) * (1.0 + rates.moe_slice / slice_bytes),
        overhead=rates.launch + rates.moe_floor,
        overlap=rates.overlap,
    )


def _small_rows(
    mixer: Mixer, ffn: Ffn, parts: list[Row], d_model: int, rates: Rates, layer: str, count: float
) -> list[Row]:
    """Return norms, residuals, activation functions and quantisation, and the write of the new cache entries."""
    written = 0.0
    if mixer.kind != "none":
        for entry in cache_entries(mixer):
            size = entry.elements * BYTES[rates.deployment.kv] / entry.tokens_per_entry
            written += size / (rates.deployment.tp if entry.split == "kv_heads" else 1)
    passes = rates.elementwise_passes * d_model * ACTIVATION_BYTES
    if rates.ideal:
        return []
    dense = [row for row in parts if row.bytes_fixed > 0 and row.dtype]
    fp4_products = float(sum(rates.unit(row.dtype) == "fp4" for row in dense))
    return [
        Row(
            "elementwise",
            layer,
            count=count,
            bytes_token=passes + written,
            seconds_per_byte=rates.elementwise_seconds_per_byte,
            overhead=rates.small_launches(mixer, ffn, fp4_products) * rates.launch,
        )
    ]


def _ends(model: Model, rates: Rates) -> list[Row]:
    """Return what happens once per step: LM head, logits across ranks, pipeline hops, and the host."""
    assert model.d_model and model.vocab_size
    d = rates.deployment
    dtype = d.embeddings
    elements = model.d_model * model.vocab_size / d.tp
    head = Row(
        "lm_head",
        "once",
        dtype=dtype,
        flops_sampled=2.0 * elements,
        bytes_fixed=elements * BYTES[dtype],
        seconds_per_flop=rates.gemm_seconds_per_flop(dtype),
        seconds_per_byte=rates.weights_seconds_per_byte(dtype),
        overhead=rates.launch,
        overlap=rates.overlap,
    )
    rows = [head]
    logits = model.vocab_size / d.tp * ACTIVATION_BYTES
    rows += collective(rates, "logits", "once", "all-gather", d.tp, count=1, bytes_sampled=logits)
    rows += collective(
        rates, "stage hop", "once", "p2p", min(2, d.pp), count=d.pp - 1, bytes_token=model.d_model * ACTIVATION_BYTES
    )
    engine = rates.engine
    if not rates.ideal:
        step = engine.host_per_step.value if engine.host_per_step else 0.0
        each = engine.host_per_sequence.value if engine.host_per_sequence else 0.0
        rows.append(Row("host", "once", OVERHEAD, overhead=step, overhead_sequence=each))
    return rows
