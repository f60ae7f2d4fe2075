"""Families of latent attention: DeepSeek V2 to V4, Kimi, GLM-5, Mistral Large."""

from __future__ import annotations

from typing import Any

from roofline.huggingface import ffns, mixers
from roofline.huggingface.experts import with_experts
from roofline.huggingface.fields import SHARED, Config, shown
from roofline.huggingface.layers import FULL, INDEXED, LINEAR, SLIDING, Shape, Table, count, kinds, layer_types, used

#: Families whose every layer chooses its tokens: without the indexer's sizes such a file is cut, not dense.
SPARSE = ("deepseek_v32", "glm_moe_dsa", "mistral_large4", "mistral_large4_text")
RATIOS = {0: "swa", 4: "csa", 128: "hca"}
COMPRESSED = {"compressed_sparse_attention": "csa", "heavily_compressed_attention": "hca"}


def deepseek(c: Config) -> Shape:
    """DeepSeek V2, V3, V3.2, Kimi K2, GLM-5: latent attention, the first layers dense, shared experts."""
    layers = count(c)
    modes = indexer_modes(c, layers)
    layer_types(c, layers, kinds(mla=FULL + INDEXED if modes else FULL))
    if modes is None:
        return with_experts(c, Shape({"mla": mixers.mla(c)}, {}, [("mla", "")] * layers), "mla")
    names = {"full": "dsa", "shared": "dsa_shared"} if "shared" in modes else {"full": "mla"}
    found = [names[mode] for mode in modes]
    table = {name: mixers.mla(c, indexer=mixers.token_indexer(c, mode)) for mode, name in names.items()}
    # The module for multi-token prediction owns its indexer.
    return with_experts(c, Shape(used(table, found), {}, [(kind, "") for kind in found]), names["full"])


def indexer_modes(c: Config, layers: int) -> list[str] | None:
    """Return which layers own an indexer ("full") and which reuse a selection ("shared"); None where none has one."""
    if c.text("model_type") not in SPARSE and c.maybe("index_topk") is None:
        return None
    told = c.items("indexer_types", length=layers)
    pattern = c.first("index_topk_pattern")[1]
    if told is None and isinstance(pattern, str):
        told = [{"F": "full", "S": "shared"}.get(letter, letter) for letter in pattern]
    elif told is None:
        told = c.items("index_topk_pattern")
    frequency, offset = c.maybe("index_topk_freq") or 1, c.maybe("index_skip_topk_offset", low=0)
    if told is None:
        first = 2 if offset is None else offset
        return ["shared" if max(i - first + 1, 0) % frequency else "full" for i in range(layers)]
    if len(told) < layers:
        c.fail("index_topk_pattern", f"{len(told)} entries for {layers} layers")
    for mode in told[:layers]:
        if mode not in ("full", "shared"):
            c.fail("indexer_types", f"{shown(mode)} is not full or shared")
    return told[:layers]


def mistral_large4(c: Config) -> Shape:
    """Mistral Large 4: token top-k over latents; some layers without rotary read another layer's cache."""
    layers = count(c)
    layer_types(c, layers, kinds(mla=INDEXED))
    modes = indexer_modes(c, layers) or []
    sources = c.items("kv_source_layers", length=layers)
    rotary = c.switches("no_rope_layers", length=layers)
    if sources is None or rotary is None:
        # Neither is safe to take from the class: which layers share a cache decides its size.
        c.fail("no_rope_layers" if sources else "kv_source_layers", "missing; the class default is not the model")
    nope = c.whole("qk_nope_head_dim") + c.whole("qk_rope_head_dim", low=0)
    table: Table = {}
    found = []
    for i in range(layers):
        if isinstance(sources[i], bool) or not isinstance(sources[i], int) or not 0 <= sources[i] <= i:
            c.fail("kv_source_layers", f"{shown(sources[i])} is not this layer ({i}) or an earlier one")
        shared = sources[i] != i
        name = ("rope" if rotary[i] else "nope") + ("_shared" if shared else "") + ("_reuse" * (modes[i] == "shared"))
        if name not in table:
            changes: dict[str, Any] = {} if rotary[i] else {"nope": nope, "qk_rope_head_dim": 0}
            changes |= {"kv_source": "shared"} if shared else {}
            table[name] = mixers.mla(c, indexer=mixers.token_indexer(c, modes[i]), **changes)
        found.append(name)
    return with_experts(c, Shape(table, {}, [(kind, "") for kind in found]))


def deepseek_v4(c: Config) -> Shape:
    """DeepSeek V4: window, compressed and heavily compressed layers; the list of ratios is one longer, for MTP."""
    layers = count(c)
    ratios = c.items("compress_ratios", length=layers)
    found = layer_types(c, layers, COMPRESSED | kinds(swa=SLIDING))
    for ratio in ratios[:layers] if ratios else ():
        if isinstance(ratio, bool) or not isinstance(ratio, int) or ratio not in RATIOS:
            c.fail("compress_ratios", f"{shown(ratio)} is not 0, 4 or 128")
    if ratios is not None:
        found = [RATIOS[ratio] for ratio in ratios[:layers]]
    elif found is None:
        c.fail("compress_ratios", "missing (or layer_types); the class default is another model's")
    rates = c.table("compress_rates")
    if rates and any(rates.maybe(kind) not in (None, 4 if name == "csa" else 128) for kind, name in COMPRESSED.items()):
        c.fail("compress_rates", "only 4 and 128 are known")
    modules = c.maybe("num_nextn_predict_layers", low=0)
    needed = [*found, *(["swa"] if modules else [])]
    table = {name: mixers.compressed(c, ratio) for ratio, name in RATIOS.items() if name in needed}
    streams = c.maybe("hc_mult")
    c.items("mlp_layer_types")  # hash_moe and moe differ in how they route, not in what they cost
    return Shape(
        used(table, needed),
        {"moe": ffns.moe(c, shared=c.maybe(*SHARED, low=0) or 0)},
        [(kind, "moe") for kind in found],
        {"mhc": streams} if streams else {},
        mtp=(modules, [("swa", "moe")]) if modules else None,
    )


def kimi_linear(c: Config) -> Shape:
    """Kimi Linear and K3: delta attention with latent attention between; the layer lists count from 1."""
    layers = count(c)
    found = layer_types(c, layers, kinds(mla=FULL, kda=LINEAR))
    linear = c.table("linear_attn_config")
    if linear is not None:
        full, delta = linear.items("full_attn_layers"), linear.items("kda_layers")
        if full is None or delta is None:
            linear.fail("full_attn_layers" if full is None else "kda_layers", "missing")
        for i in range(1, layers + 1):
            if (i in full) == (i in delta):
                both = "both of" if i in full else "neither of"
                linear.fail("kda_layers", f"layer {i} (counted from 1) is in {both} full_attn_layers and kda_layers")
        found = ["mla" if i + 1 in full else "kda" for i in range(layers)]
    elif found is None:
        c.fail("linear_attn_config", "missing (or layer_types)")
    # Kimi Linear is without rotary whatever its rotary slice is called.
    third = c.outer.get("model_type") == "kimi_k3"
    table = {
        "kda": mixers.kda(c),
        "mla": mixers.mla(
            c, rotary=not c.flag("mla_use_nope", default=True), output_gate=c.flag("mla_use_output_gate")
        ),
    }
    if third and c.first("routed_expert_hidden_size")[1] is None:
        # Without it the experts would work at full width and the model would double.
        c.fail("routed_expert_hidden_size", "missing; the experts of this family work at a width of their own")
    shape = Shape(used(table, found), {}, [(kind, "") for kind in found])
    shape.extras = {"attn_res": True} if c.maybe("attn_res_block_size") else {}
    return with_experts(c, shape)
