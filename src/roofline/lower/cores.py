"""Attention cores and recurrent state as table rows: the operations that read what earlier tokens left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofline import kernel
from roofline.dtypes import BYTES
from roofline.lower.linear import chunked, state_elements
from roofline.lower.table import KV, Row
from roofline.specs.layers import Compressed, GatedDeltaNet, Gqa, Indexer, Kda, Lightning, Mamba2, Mla

if TYPE_CHECKING:
    from roofline.lower.rates import Rates
    from roofline.specs.layers import Mixer


def heads_per_rank(heads: int, tp: int) -> int:
    """Return the heads a rank holds: engines pad the last ranks where TP does not divide them."""
    return -(-heads // tp)


def core_rows(mixer: Mixer, rates: Rates, phase: str, layer: str, count: float) -> list[Row]:
    """Return the attention core (or state update) of `count` layers of one mixer, per chip.

    Parameters
    ----------
    phase : {"decode", "prefill"}
        Decode takes MLA in absorbed form and one attention call per layer; prefill the cheaper form.
    """
    if isinstance(mixer, Gqa):
        rows = _gqa(mixer, rates, phase)
    elif isinstance(mixer, Mla):
        rows = _mla(mixer, rates, phase)
    elif isinstance(mixer, Compressed):
        rows = _compressed(mixer, rates, phase)
    elif isinstance(mixer, GatedDeltaNet | Kda | Lightning | Mamba2):
        rows = _state(mixer, rates, phase)
    else:
        return []
    if phase == "prefill":
        rows += [_padding(row, rates) for row in rows if row["op"] == "attention" and rates.attention_padding]
    labels: dict[str, Any] = {"layer": layer, "memory": KV}
    return [Row(**(labels | row | {"count": count * row.get("count", 1)})) for row in rows]


def _padding(core: dict[str, Any], rates: Rates) -> dict[str, Any]:
    """Return what each query of a prefill pays beside its pairs: tiles that the causal edge cuts, rescaled sums."""
    return {
        "op": "attention tiles",
        "dtype": core["dtype"],
        "flops_token": core["flops_pair"] * rates.attention_padding,
        "seconds_per_flop": core["seconds_per_flop"],
    }


def _gqa(m: Gqa, rates: Rates, phase: str) -> list[dict[str, Any]]:
    tp, dcp = rates.deployment.tp, rates.deployment.dcp
    q, g = heads_per_rank(m.heads, tp), heads_per_rank(m.kv_heads, tp)
    width = m.head_dim_qk + m.head_dim_v
    span, cap = kernel.DENSE, kernel.UNCAPPED
    if m.window is not None:
        cap = float(m.window)
        # Users differ in where their block begins; a decode promise must hold at the end of a block, which is a
        # window of the same size. Prefill knows its positions and counts blocks exactly.
        span = kernel.CHUNKED if m.window_kind == "chunked" and phase == "prefill" else kernel.DENSE
    rows = []
    if m.indexer is not None:
        rows += _index(m.indexer, rates, phase, ratio=1.0)
        if m.indexer.kind == "block_topk":
            kept = ((m.indexer.top_k_blocks or 0) + m.indexer.local_blocks) * (m.indexer.block or 1)
        else:
            kept = m.indexer.top_k or 0
        span, cap = kernel.GATHER, float(kept)
    core: dict[str, Any] = {
        "op": "attention",
        "flops_pair": 2.0 * q * width / dcp,
        "bytes_entry": g * width * BYTES[rates.deployment.kv] / dcp,
        "span": span,
        "cap": cap,
    }
    core |= _costs(rates, phase, q / g)
    core["seconds_per_flop"] += rates.score_seconds(width)
    return [*rows, core]


def _mla(m: Mla, rates: Rates, phase: str) -> list[dict[str, Any]]:
    h = heads_per_rank(m.heads, rates.deployment.tp)
    r, rope = m.kv_lora_rank, m.qk_rope_head_dim
    rows, span, cap = [], kernel.DENSE, kernel.UNCAPPED
    if m.indexer is not None:
        rows += _index(m.indexer, rates, phase, ratio=1.0)
        span, cap = kernel.GATHER, float(m.indexer.top_k or 0)
    absorbed = 2.0 * h * (2 * r + rope)
    core: dict[str, Any] = {
        "op": "attention",
        "flops_pair": absorbed / rates.deployment.dcp,
        "bytes_entry": (r + rope) * BYTES[rates.deployment.kv] / rates.deployment.dcp,
        "span": span,
        "cap": cap,
    }
    if phase == "prefill":
        core["flops_pair"] = 2.0 * h * (m.qk_nope_head_dim + rope + m.v_head_dim)
        core["flops_entry"] = 2.0 * r * h * (m.qk_nope_head_dim + m.v_head_dim)
        core["flops_pair_alt"] = absorbed
    return [*rows, core | _costs(rates, phase, h)]


def _compressed(m: Compressed, rates: Rates, phase: str) -> list[dict[str, Any]]:
    h = heads_per_rank(m.heads, rates.deployment.tp)
    core = {
        "op": "attention",
        "flops_pair": 4.0 * h * m.head_dim,
        "bytes_entry": m.head_dim * BYTES[rates.deployment.kv],
        "cap": float(m.window),
    }
    costs = _costs(rates, phase, h)
    rows: list[dict[str, Any]] = [core | costs]
    if m.compress_ratio:
        far = core | costs | {"op": "attention far", "ratio": float(m.compress_ratio), "cap": kernel.UNCAPPED}
        # Window and compressed entries are one kernel: the floor is paid once.
        far["overhead"] = 0.0
        if m.indexer is not None:
            rows = [*_index(m.indexer, rates, phase, ratio=float(m.compress_ratio)), *rows]
            far |= {"span": kernel.GATHER, "cap": float(m.indexer.top_k or 0)}
        rows.append(far)
    return rows


def _index(indexer: Indexer, rates: Rates, phase: str, ratio: float) -> list[dict[str, Any]]:
    """Return the scoring of all cached index keys; a layer that reuses another's selection scores nothing."""
    if indexer.mode == "shared":
        return []
    row: dict[str, Any] = {
        "op": "index",
        "flops_pair": 2.0 * indexer.heads * indexer.head_dim,
        "bytes_entry": indexer.k_heads * indexer.head_dim * min(1.0, BYTES[rates.deployment.kv]),
        "ratio": ratio,
    }
    # Index keys and queries are kept in 8 bits by every published implementation, and scored by the 8-bit unit.
    return [row | _costs(rates, phase, indexer.heads)]


def _costs(rates: Rates, phase: str, rows_per_entry: float) -> dict[str, Any]:
    return {
        "dtype": rates.deployment.kv,
        "seconds_per_flop": rates.attention_seconds_per_flop(phase, rows_per_entry),
        "seconds_per_byte": rates.kv_seconds_per_byte,
        "overhead": rates.attention_floor(phase),
        "overlap": rates.overlap,
    }


def _state(m: GatedDeltaNet | Kda | Lightning | Mamba2, rates: Rates, phase: str) -> list[dict[str, Any]]:
    """Return the update of a recurrent state: read and written once per step, 6 FLOPs per element and token.

    A prefill adds what its chunks take, in kernels of equal shares.
    """
    from roofline.lower.cache import state_bytes

    tp, flops, moved, kernels = rates.deployment.tp, 6.0 * state_elements(m), 0.0, 1
    if phase == "prefill" and not rates.ideal:
        more, moved, kernels = chunked(m)
        flops += more
    return [
        {
            "op": "state",
            "dtype": "fp32",
            "count": kernels,
            "flops_token": flops / (tp * kernels),
            "bytes_token": moved / (tp * kernels),
            "bytes_sequence": 2.0 * state_bytes(m) / (tp * kernels),
            "seconds_per_flop": rates.attention_seconds_per_flop("decode", 1.0),
            "seconds_per_byte": rates.kv_seconds_per_byte,
            "overhead": rates.launch,
            "overlap": rates.overlap,
        }
    ]
