"""Families that mix kinds of mixers: linear or state-space layers, or block top-k, beside full attention."""

from __future__ import annotations

from typing import Any

from roofline.huggingface import ffns, mixers
from roofline.huggingface.experts import mtp
from roofline.huggingface.fields import EXPERT_WIDTH, EXPERTS, HEAD_DIM, MTP, SHARED, TOP_K, Config, shown
from roofline.huggingface.layers import (
    FULL,
    LINEAR,
    MAMBA,
    Shape,
    Table,
    count,
    every,
    expert_layers,
    kinds,
    layer_types,
    used,
)
from roofline.huggingface.softmax import plain

#: What a sign of hybrid_override_pattern, or an entry of layers_block_type, means.
SIGNS = {"M": "mamba2", "*": "full", "-": "dense", "E": "moe", "attention": "full", "mlp": "dense", "moe": "moe"}
SIGNS |= dict.fromkeys(MAMBA, "mamba2") | {"full_attention": "full"}


def minimax(c: Config) -> Shape:
    """MiniMax Text-01 and M1: lightning attention, every eighth layer full."""
    layers = count(c)
    found = layer_types(c, layers, kinds(full=FULL, lightning=LINEAR))
    flags = c.switches("attn_type_list", length=layers)
    if found is None and flags is None:
        c.fail("attn_type_list", "missing (or layer_types)")
    found = found or ["full" if flag else "lightning" for flag in flags or ()]
    full = mixers.gqa(c)
    table = {"lightning": {"kind": "lightning", "heads": full["heads"], "head_dim": full["head_dim_qk"]}, "full": full}
    shared = c.first("shared_intermediate_size")[1]
    width = c.maybe("shared_intermediate_size", low=0) if not isinstance(shared, list) else max(shared, default=0)
    if width:
        c.fail("shared_intermediate_size", "shared experts are not known for this family")
    return Shape(used(table, found), {"moe": ffns.moe(c, "intermediate_size")}, [(kind, "moe") for kind in found])


def minimax_m2(c: Config) -> Shape:
    """MiniMax M2: full attention, intermediate_size is the expert width."""
    style = c.text("qk_norm_type", default="per_layer")
    if style not in ("per_layer", "per_head"):
        c.fail("qk_norm_type", f"{shown(style)} is not per_layer or per_head")
    norm = ("all_heads" if style == "per_layer" else "per_head_dim") if c.flag("use_qk_norm", default=True) else None
    flags = c.switches("attn_type_list", length=count(c))
    if flags is not None and not all(flags):
        c.fail("attn_type_list", "linear layers are not known for this family")
    if c.maybe("shared_intermediate_size", low=0):
        c.fail("shared_intermediate_size", "shared experts are not known for this family")
    shape = plain(c, {"moe": ffns.moe(c, "intermediate_size")}, qk_norm=norm)
    shape.mtp = mtp(c, "full", "moe")
    return shape


def minimax_m3(c: Config) -> Shape:
    """MiniMax M3: block top-k attention after the first layers, which are dense."""
    layers = count(c)
    sparse = c.table("sparse_attention_config")
    flags = sparse.switches("sparse_attention_freq", length=layers) if sparse else None
    found = layer_types(c, layers, kinds(full=FULL, msa=("minimax_m3_sparse",)))
    found = ["msa" if flag else "full" for flag in flags] if flags else found
    if found is None:
        c.fail("sparse_attention_config", "sparse_attention_freq is missing (or layer_types)")
    if c.first("moe_layer_freq", "mlp_layer_types")[1] is None:
        c.fail("moe_layer_freq", "missing (or mlp_layer_types)")
    norm: dict[str, Any] = {"qk_norm": "per_head_dim"}
    table = {"full": mixers.gqa(c, **norm)}
    if "msa" in found:
        table["msa"] = mixers.gqa(c, **norm, indexer=mixers.block_indexer(c))
    has = expert_layers(c, layers)
    both: Table = {}
    if any(has):
        # Shared experts by their total width where it is there, else each as wide as a routed one.
        total = c.maybe("shared_intermediate_size", low=0)
        shared = c.maybe(*SHARED, low=0)
        both["moe"] = ffns.moe(c, "intermediate_size", shared=1 if shared is None else shared, shared_width=total)
    if not all(has):
        both["dense"] = ffns.dense(c, "dense_intermediate_size")
    names = ["moe" if moe else "dense" for moe in has]
    return Shape(used(table, found), both, list(zip(found, names, strict=True)))


def qwen_next(c: Config) -> Shape:
    """Qwen3-Next and Qwen3.5: gated DeltaNet with full attention in every fourth layer."""
    layers = count(c)
    known = kinds(full=FULL, gdn=LINEAR)
    found = layer_types(c, layers, known) or every(c, layers, "full_attention_interval", "gdn", "full", 4)
    gate, head = c.flag("attn_output_gate", default=True), c.whole(*HEAD_DIM)
    table = {
        "gdn": mixers.gated_deltanet(c),
        "full": mixers.gqa(c, head_dim_qk=head, qk_norm="per_head_dim", output_gate=gate),
    }
    # The dense models have no expert keys at all; a file with some of them is cut.
    sparse = c.first(*EXPERTS, *EXPERT_WIDTH, *TOP_K)[0] or "moe" in c.text("model_type")
    has = expert_layers(c, layers) if sparse else [False] * layers
    both: Table = {}
    if any(has):
        shared = c.maybe("shared_expert_intermediate_size", low=0) or 0
        both["moe"] = ffns.moe(c, "moe_intermediate_size", shared_width=shared, shared_gate=bool(shared))
    if not all(has):
        both["dense"] = ffns.dense(c)
    names = ["moe" if moe else "dense" for moe in has]
    modules = mtp(c, "full", names[-1]) if "full" in found else None
    return Shape(used(table, found), both, list(zip(found, names, strict=True)), mtp=modules)


def nemotron_h(c: Config) -> Shape:
    """Nemotron-H and Nemotron 3: sub-layers of one mixer or one FFN each; experts have two matrices."""
    key = next((k for k in ("layers_block_type", "layer_types", "hybrid_override_pattern") if c.first(k)[1]), None)
    if key is None:
        c.fail("hybrid_override_pattern", "missing (or layers_block_type); the class defaults are another model's")
    signs: list[Any] = list(c.text(key)) if key == "hybrid_override_pattern" else c.items(key) or []
    layers = [_sublayer(c, key, sign) for sign in signs]
    told = c.maybe("num_hidden_layers")
    if told is not None and told != len(layers):
        c.fail("num_hidden_layers", f"{told}, but {key} names {len(layers)} sub-layers")
    modules = c.maybe(*MTP, low=0)
    draft: list[tuple[str, str]] = []
    if modules:
        name, pattern = c.first("mtp_layers_block_type", "mtp_hybrid_override_pattern")
        own = list(pattern) if isinstance(pattern, str | list) else ["attention", "moe"]
        draft = [_sublayer(c, name, sign) for sign in own]
    pairs = dict.fromkeys([*layers, *draft])
    table = {mixer: _nemotron_mixer(c, mixer) for mixer, _ in pairs}
    both = {ffn: _nemotron_ffn(c, ffn) for _, ffn in pairs}
    return Shape(table, both, layers, {"norms_per_layer": 1}, mtp=(modules, draft) if modules else None)


def _sublayer(c: Config, key: str, sign: object) -> tuple[str, str]:
    kind = SIGNS.get(sign) if isinstance(sign, str) else None
    if kind is None:
        what = "attention" if key == "layer_types" else "layer"
        c.fail(key, f"{what} kind {shown(sign)} is not known; write a model file that says what it does")
    return (kind, "none") if kind in ("mamba2", "full") else ("none", kind)


def _nemotron_mixer(c: Config, kind: str) -> dict[str, Any]:
    if kind == "none":
        return {"kind": "none"}
    return mixers.mamba2(c) if kind == "mamba2" else mixers.gqa(c, rotary=False)


def _nemotron_ffn(c: Config, kind: str) -> dict[str, Any]:
    if kind == "none":
        return {"kind": "none"}
    gated = ffns.is_gated(c, "relu2", gelu_is_gated=False)
    if kind == "dense":
        return ffns.dense(c, gated=gated, bias=c.flag("mlp_bias"))
    shared = c.maybe(*SHARED, low=0) or 0
    total = c.maybe("moe_shared_expert_intermediate_size", low=0)
    latent = c.maybe("moe_latent_size")
    return ffns.moe(c, shared=shared, shared_width=total, gated=gated, latent_dim=latent)


def granite_hybrid(c: Config) -> Shape:
    """Granite 4 H: state-space and attention layers over experts with a shared FFN."""
    layers = count(c)
    found = layer_types(c, layers, kinds(mamba2=MAMBA, full=FULL))
    if found is None:
        c.fail("layer_types", "missing")
    table: Table = {}
    if "mamba2" in found:
        table["mamba2"] = mixers.mamba2(c)
    if "full" in found:
        rotary = c.text("position_embedding_type") == "rope"
        table["full"] = mixers.gqa(c, multi_head=True, rotary=rotary)
    experts = c.maybe(*EXPERTS, low=0)
    if experts or (experts is None and c.maybe(*TOP_K, low=0)):
        shared = c.maybe("shared_intermediate_size", low=0) or 0
        ffn = {"moe": ffns.moe(c, "intermediate_size", shared_width=shared)}
    else:
        ffn = {"dense": ffns.dense(c, "shared_intermediate_size")}
    name = next(iter(ffn))
    return Shape(used(table, found), ffn, [(kind, name) for kind in found], tied=True)
