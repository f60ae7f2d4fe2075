"""Families of softmax attention with grouped keys and values: all layers alike, or windows between full layers."""

from __future__ import annotations

from typing import Any

from roofline.huggingface import ffns, mixers
from roofline.huggingface.experts import with_experts
from roofline.huggingface.fields import DENSE_WIDTH, HEAD_DIM, HEADS, KV_HEADS, WIDTH, Config
from roofline.huggingface.layers import (
    FULL,
    SLIDING,
    Shape,
    Table,
    count,
    every,
    expert_layers,
    kinds,
    layer_types,
    sliding_window,
    used,
)


def plain(c: Config, ffn: Table, *, window: int | None = None, **mixer: Any) -> Shape:
    """Return a model whose layers are all alike: full, or sliding where there is a window and no list says which."""
    layers = count(c)
    table = {"full": mixers.gqa(c, **mixer)} | ({"swa": mixers.gqa(c, window=window, **mixer)} if window else {})
    found = layer_types(c, layers, kinds(full=FULL, swa=SLIDING) if window else kinds(full=FULL))
    found = found or ["swa" if window else "full"] * layers
    return Shape(used(table, found), ffn, [(kind, next(iter(ffn), "")) for kind in found])


def windowed(c: Config, ffn: Table, step: int, far: str = "full", **mixer: Any) -> Shape:
    """Return a model with a full layer after every few window layers; `step` is the family's habit."""
    layers = count(c)
    known = kinds(swa=SLIDING) | dict.fromkeys(FULL, far)
    found = layer_types(c, layers, known) or every(c, layers, "sliding_window_pattern", "swa", far, step)
    table = {far: mixers.gqa(c, **mixer | ({"rotary": False} if far == "nope" else {}))}
    if "swa" in found:
        table["swa"] = mixers.gqa(c, **mixer, window=c.whole("sliding_window"))
    name = next(iter(ffn))
    return Shape(used(table, found), ffn, [(kind, name) for kind in found])


def llama(c: Config) -> Shape:
    """Llama 1 to 3, and every family of exactly its shape."""
    bias = c.flag("attention_bias", "bias")
    qkv = c.flag("qkv_bias", default=bias)
    return plain(c, {"dense": ffns.dense(c, bias=c.flag("mlp_bias"))}, multi_head=True, qkv_bias=qkv, o_bias=bias)


def mistral(c: Config) -> Shape:
    """Mistral: all layers slide where the window is set. KV heads that a file leaves out are not those of queries."""
    return plain(c, {"dense": ffns.dense(c)}, window=sliding_window(c))


def phi3(c: Config) -> Shape:
    """Phi-3 and Phi-4: as Mistral, but one KV head per query head where the file names none."""
    return plain(c, {"dense": ffns.dense(c)}, multi_head=True, window=sliding_window(c))


def mixtral(c: Config) -> Shape:
    """Mixtral: intermediate_size is the expert width."""
    return plain(c, {"moe": ffns.moe(c, "intermediate_size")}, window=sliding_window(c))


def qwen(c: Config) -> Shape:
    """Qwen1.5 to Qwen3, dense and with experts; a window that use_sliding_window switches off does not count."""
    family = c.text("model_type")
    third = family.startswith("qwen3")
    if third:
        mixer: dict[str, Any] = {"qk_norm": "per_head_dim", "head_dim_qk": c.whole(*HEAD_DIM)}
    else:
        mixer = {"qkv_bias": c.flag("qkv_bias", default=True)}
    if c.flag("attention_bias"):
        mixer |= {"qkv_bias": True, "o_bias": True}
    layers = count(c)
    table: Table = {}
    has = expert_layers(c, layers) if "moe" in family else [False] * layers
    if any(has):
        shared = c.maybe("shared_expert_intermediate_size", low=0) or 0
        table["moe"] = ffns.moe(c, "moe_intermediate_size", shared_width=shared, shared_gate=bool(shared))
    if not all(has):
        table["dense"] = ffns.dense(c)
    # Absent, the class default is false in every release of these families.
    slides = c.flag("use_sliding_window")
    window = sliding_window(c) if slides else None
    first = c.maybe("max_window_layers", low=0) or 0
    found = layer_types(c, layers, kinds(full=FULL, swa=SLIDING))
    found = found or ["swa" if window and i >= first else "full" for i in range(layers)]
    both = {"full": mixers.gqa(c, **mixer)}
    if "swa" in found:
        both["swa"] = mixers.gqa(c, window=window or c.whole("sliding_window"), **mixer)
    return Shape(used(both, found), table, [(kind, "moe" if moe else "dense") for kind, moe in zip(found, has)])


def gpt_oss(c: Config) -> Shape:
    """gpt-oss: windows of 128 in every other layer, biases everywhere, sinks."""
    experts = ffns.moe(c, "intermediate_size", expert_bias=True, router_bias_param=True)
    head = c.whole(*HEAD_DIM)
    return windowed(c, {"moe": experts}, 2, head_dim_qk=head, qkv_bias=True, o_bias=True, sinks=True)


def gemma(c: Config) -> Shape:
    """Gemma 1, 2 and 3."""
    family = c.text("model_type")
    ffn = {"dense": ffns.dense(c, gated=True)}
    if family == "gemma":
        shape = plain(c, ffn, head_dim_qk=c.whole(*HEAD_DIM))
    elif family == "gemma2":
        shape = windowed(c, ffn, 2, head_dim_qk=c.whole(*HEAD_DIM))
    else:
        # Google's own files of the smaller models leave these to the class.
        mixer: dict[str, Any] = {"qk_norm": "per_head_dim", "heads": c.whole(*HEADS, default=8)}
        mixer |= {"kv_heads": c.whole(*KV_HEADS, default=4), "head_dim_qk": c.whole(*HEAD_DIM, default=256)}
        shape = windowed(c, ffn, 6, **mixer)
        shape.vocab = 262_208
    shape.extras = {"norms_per_layer": 4} if family != "gemma" else {}
    shape.tied = True
    return shape


def gemma4(c: Config) -> Shape:
    """Gemma 4: global layers have heads of their own and share the projection of keys and values."""
    layers = count(c)
    found = layer_types(c, layers, kinds(swa=SLIDING) | dict.fromkeys(FULL, "global"))
    found = found or every(c, layers, "sliding_window_pattern", "swa", "global", 6)
    norm: dict[str, Any] = {"qk_norm": "per_head_dim", "head_dim_qk": c.whole("head_dim")}
    far: dict[str, Any] = norm | {"v_proj_shared_with_k": c.flag("attention_k_eq_v")}
    head, kv = c.maybe("global_head_dim"), c.maybe("num_global_key_value_heads")
    far |= ({"head_dim_qk": head} if head else {}) | ({"kv_heads": kv} if kv else {})
    table = {"swa": mixers.gqa(c, **norm, window=c.whole("sliding_window")), "global": mixers.gqa(c, **far)}
    extras: dict[str, Any] = {"norms_per_layer": 4}
    ffn = {"dense": ffns.dense(c, gated=True)}
    if c.flag("enable_moe_block"):
        beside = c.whole("intermediate_size")
        ffn = {"moe": ffns.moe(c, gated=True, router_extra=True, parallel_dense_d_ff=beside)}
        extras["norms_extra_per_moe_layer"] = 3
    name = next(iter(ffn))
    return Shape(used(table, found), ffn, [(kind, name) for kind in found], extras, tied=True)


def llama4(c: Config) -> Shape:
    """Llama 4: blocks of tokens in most layers, no rotary in the global ones; one shared expert."""
    layers = count(c)
    found = layer_types(c, layers, {"chunked_attention": "chunked", "full_attention": "global"})
    rotary = c.switches("no_rope_layers", length=layers) if c.first("no_rope_layers")[1] else None
    if found is None and rotary is not None:
        found = ["chunked" if flag else "global" for flag in rotary]
    found = found or every(c, layers, "no_rope_layer_interval", "chunked", "global", 4)
    chosen = c.items("moe_layers")
    if chosen is None:
        step = c.whole("interleave_moe_layer_step")
        chosen = [i for i in range(layers) if (i + 1) % step == 0]
    names = ["moe" if i in chosen else "dense" for i in range(layers)]
    table = {
        "chunked": mixers.gqa(c, window=c.whole("attention_chunk_size"), window_kind="chunked"),
        "global": mixers.gqa(c, rotary=False),
    }
    both = {"moe": ffns.moe(c, "intermediate_size", shared=1)}
    if "dense" in names:
        both["dense"] = ffns.dense(c, "intermediate_size_mlp")
    return Shape(used(table, found), used(both, names), list(zip(found, names, strict=True)))


def glm4_moe(c: Config) -> Shape:
    """GLM-4.5 to 4.7. Mirrors drop attention_bias and use_qk_norm; the large model has both, Air the bias only."""
    layers = count(c)
    for key in ("attention_bias", "use_qk_norm"):
        if c.first(key)[1] is None:
            c.notes.append(f"{key} is not in the file: as the released model of this size has it.")
    bias = c.flag("attention_bias", default=True)
    norm = "per_head_dim" if c.flag("use_qk_norm", default=layers > 50) else None
    shape = plain(c, {}, qkv_bias=bias, qk_norm=norm)
    return with_experts(c, shape, "full")


def mimo(c: Config) -> Shape:
    """MiMo-V2-Flash: window layers have KV heads and head sizes of their own; attention_chunk_size does not count."""
    layers = count(c)
    c.first("attention_chunk_size")
    flags = c.switches("hybrid_layer_pattern", length=layers)
    listed = layer_types(c, layers, kinds(full=FULL, swa=SLIDING))
    found = ["swa" if flag else "full" for flag in flags] if flags else listed
    if found is None:
        c.fail("hybrid_layer_pattern", "missing (or layer_types)")
    near: dict[str, Any] = {
        "window": c.whole("sliding_window", "sliding_window_size"),
        "kv_heads": c.whole("swa_num_key_value_heads"),
        "head_dim_qk": c.whole("swa_head_dim", "head_dim"),
        "head_dim_v": c.whole("swa_v_head_dim", "v_head_dim"),
        "sinks": c.flag("add_swa_attention_sink_bias", default=True),
    }
    far: dict[str, Any] = {"head_dim_v": c.whole("v_head_dim"), "sinks": c.flag("add_full_attention_sink_bias")}
    both = {"swa": mixers.gqa(c, **near), "full": mixers.gqa(c, **far)}
    shape = Shape(used(both, found), {}, [(kind, "") for kind in found])
    return with_experts(c, shape)


def grok(c: Config) -> Shape:
    """Grok-1, and Grok-2 with a dense FFN beside its experts."""
    beside = c.flag("residual_moe")
    shared = c.whole("intermediate_size") if beside else 0
    shape = plain(
        c, {"moe": ffns.moe(c, "moe_intermediate_size", "intermediate_size", gated=True, shared_width=shared)}
    )
    shape.extras, shape.tied = {"norms_per_layer": 4}, not beside
    return shape


def cohere(c: Config) -> Shape:
    """Command R and Command A: attention and FFN side by side behind one norm."""
    bias = c.flag("attention_bias")
    mixer: dict[str, Any] = {"multi_head": True, "qkv_bias": bias, "o_bias": bias}
    ffn = {"dense": ffns.dense(c)}
    if c.text("model_type") == "cohere2":
        shape = windowed(c, ffn, 4, "nope", **mixer)
    else:
        shape = plain(c, ffn, **mixer, qk_norm="all_heads" if c.flag("use_qk_norm") else None)
    shape.extras, shape.tied = {"norms_per_layer": 1}, True
    return shape


def falcon(c: Config) -> Shape:
    """Falcon: two matrices in the FFN, biased norms, tied head."""
    bias, new = c.flag("bias"), c.flag("new_decoder_architecture")
    width = c.maybe("ffn_hidden_size") or 4 * c.whole(*WIDTH)
    # Only the new architecture reads num_kv_heads; the 7B file holds 71 beside multi_query, which means 1.
    one = not new and c.flag("multi_query", default=True)
    heads = {"kv_heads": 1} if one else {} if new else {"kv_heads": c.whole(*HEADS)}
    rotary = not c.flag("alibi")
    shape = plain(
        c,
        {"dense": ffns.dense(c, gated=False, bias=bias, width=width)},
        multi_head=True,
        rotary=rotary,
        qkv_bias=bias,
        o_bias=bias,
        **heads,
    )
    parallel = c.flag("parallel_attn", default=True)
    norms = 1 if (not new and parallel) or c.maybe("num_ln_in_parallel_attn") == 1 else 2
    shape.extras, shape.tied = {"norm_bias": True} | ({"norms_per_layer": 1} if norms == 1 else {}), True
    return shape


def gpt(c: Config) -> Shape:
    """GPT-2, GPT-J, GPT-NeoX, OPT and BLOOM: two matrices in the FFN, biases, multi-head attention."""
    family = c.text("model_type")
    width = c.maybe(*DENSE_WIDTH) or 4 * c.whole(*WIDTH)
    if c.maybe("word_embed_proj_dim") not in (None, c.whole(*WIDTH)):
        c.fail("word_embed_proj_dim", "an embedding table narrower than the layers is not known")
    biased = family != "gptj"
    ffn = {"dense": ffns.dense(c, gated=False, bias=True, width=width)}
    shape = plain(c, ffn, multi_head=True, rotary=family in ("gptj", "gpt_neox"), qkv_bias=biased, o_bias=biased)
    shape.extras = {"norm_bias": True}
    if family == "gptj":
        shape.extras["norms_per_layer"] = 1
    if family in ("gpt2", "opt"):
        # OPT keeps two rows more than it has positions.
        positions = c.whole("n_positions", "max_position_embeddings", "n_ctx")
        shape.extras["learned_pos"] = positions + (2 if family == "opt" else 0)
    shape.tied = family in ("gpt2", "opt", "bloom")
    return shape
