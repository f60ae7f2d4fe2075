"""Attention, latent attention and recurrent mixers of a configuration."""

from __future__ import annotations

from typing import Any

from roofline.huggingface.fields import HEAD_DIM, HEADS, KV_HEADS, WIDTH, WINDOW, Config, shown

Mixer = dict[str, Any]
#: Bytes of one element of recurrent state.
STATE = {"float32": 4, "bfloat16": 2, "float16": 2}


def without_defaults(table: Mixer, **defaults: Any) -> Mixer:
    """Return a table without entries that say nothing."""
    return {k: v for k, v in table.items() if v is not None and v is not False and v != defaults.get(k, object())}


def gqa(c: Config, *, multi_head: bool = False, **changes: Any) -> Mixer:
    """Return ordinary attention; `changes` are what a family or layer kind differs in.

    Parameters
    ----------
    multi_head : bool
        Whether a file that names no KV heads has as many as query heads; elsewhere it must name them.
    """
    heads = changes.pop("heads", None) or c.whole(*HEADS)
    kv = changes.pop("kv_heads", None) or (c.maybe(*KV_HEADS) if multi_head else c.whole(*KV_HEADS)) or heads
    head = changes.pop("head_dim_qk", None) or c.maybe(*HEAD_DIM)
    if head is None:
        width = c.whole(*WIDTH)
        if width % heads:
            c.fail(HEADS[0], f"{heads} heads do not divide the width {width}, and no head_dim is given")
        head = width // heads
    if heads % kv:
        c.fail(KV_HEADS[0], f"{kv} does not divide the {heads} query heads")
    table = {
        "kind": "gqa",
        "heads": heads,
        "kv_heads": kv,
        "head_dim_qk": head,
        "head_dim_v": changes.pop("head_dim_v", head),
    }
    window = changes.pop("window", None)
    if window:
        table |= {"window": window, "window_kind": changes.pop("window_kind", "sliding")}
    rotary = changes.pop("rotary", True)
    return without_defaults(table | changes) | ({} if rotary else {"rotary": False})


def mla(c: Config, **changes: Any) -> Mixer:
    """Return latent attention. Key/value heads and head_dim mean nothing in these configurations and are not read."""
    table = {
        "kind": "mla",
        "heads": c.whole(*HEADS),
        "q_lora_rank": c.maybe("q_lora_rank"),
        "kv_lora_rank": c.whole("kv_lora_rank"),
        "qk_nope_head_dim": changes.pop("nope", None) or c.whole("qk_nope_head_dim"),
        "qk_rope_head_dim": c.whole("qk_rope_head_dim", low=0),
        "v_head_dim": c.whole("v_head_dim"),
    }
    rotary = changes.pop("rotary", True)
    return without_defaults(table | changes) | ({} if rotary else {"rotary": False})


def token_indexer(c: Config, mode: str = "full") -> Mixer:
    """Return the indexer of token top-k attention."""
    table = {
        "kind": "token_topk",
        "heads": c.whole("index_n_heads"),
        "head_dim": c.whole("index_head_dim"),
        "top_k": c.whole("index_topk"),
        "mode": mode,
    }
    return without_defaults(table, mode="full")


def block_indexer(c: Config) -> Mixer:
    """Return the indexer of block top-k attention: a table of its own in the checkpoint, flat keys where re-saved."""
    s = c.table("sparse_attention_config") or c
    return {
        "kind": "block_topk",
        "heads": s.whole("sparse_num_index_heads", "index_n_heads"),
        "head_dim": s.whole("sparse_index_dim", "index_head_dim"),
        "block": s.whole("sparse_block_size", "index_block_size"),
        "top_k_blocks": s.whole("sparse_topk_blocks", "index_topk_blocks"),
        "local_blocks": s.whole("sparse_local_block", "index_local_blocks", low=0),
    }


def compressed(c: Config, ratio: int) -> Mixer:
    """Return a layer of compressed attention: window only (0), with top-k entries (4), or with all entries (128)."""
    table: Mixer = {
        "kind": "compressed",
        "heads": c.whole(*HEADS),
        "head_dim": c.whole("head_dim"),
        "q_lora_rank": c.whole("q_lora_rank"),
        "o_groups": c.whole("o_groups"),
        "o_lora_rank": c.whole("o_lora_rank"),
        "qk_rope_head_dim": c.whole("qk_rope_head_dim", low=0),
        "window": c.whole(*WINDOW),
        "sinks": True,
        "compress_ratio": ratio,
    }
    if ratio == 4:
        table |= {"overlap": True, "indexer": token_indexer(c) | {"kind": "compressed_topk"}}
    return table


def gated_deltanet(c: Config) -> Mixer:
    """Return the linear mixer of Qwen3-Next and later."""
    table = {
        "kind": "gated_deltanet",
        "k_heads": c.whole("linear_num_key_heads"),
        "k_head_dim": c.whole("linear_key_head_dim"),
        "v_heads": c.whole("linear_num_value_heads"),
        "v_head_dim": c.whole("linear_value_head_dim"),
        "conv_kernel": c.whole("linear_conv_kernel_dim"),
    }
    return table | state_bytes(c)


def kda(c: Config) -> Mixer:
    """Return Kimi delta attention: a table of its own in the checkpoint, flat keys where re-saved."""
    linear = c.table("linear_attn_config") or c
    table = {
        "kind": "kda",
        "heads": linear.whole(*(("num_heads",) if linear is not c else ("linear_num_heads",))),
        "head_dim": linear.whole(*(("head_dim",) if linear is not c else ("linear_head_dim",))),
        "conv_kernel": linear.whole("short_conv_kernel_size", "linear_conv_kernel_dim"),
        "full_rank_gate": linear.flag("use_full_rank_gate"),
    }
    return without_defaults(table)


def mamba2(c: Config) -> Mixer:
    """Return a state-space mixer."""
    table = {
        "kind": "mamba2",
        "heads": c.whole("mamba_num_heads", "mamba_n_heads"),
        "head_dim": c.whole("mamba_head_dim", "mamba_d_head"),
        "state_size": c.whole("ssm_state_size", "mamba_d_state"),
        "n_groups": c.whole("n_groups", "mamba_n_groups"),
        "conv_kernel": c.whole("conv_kernel", "mamba_d_conv"),
    }
    return table | state_bytes(c)


def state_bytes(c: Config) -> Mixer:
    """Return the size of one element of recurrent state, where the configuration prescribes another than 4 bytes."""
    name = c.text("mamba_ssm_cache_dtype", "mamba_ssm_dtype", default="float32")
    size = STATE.get(name.removeprefix("torch."))
    if size is None:
        c.fail("mamba_ssm_cache_dtype", f"{shown(name)} is not one of {', '.join(STATE)}")
    return {} if size == 4 else {"state_bytes_per_element": size}
