"""The families by model_type, and the keys that no importer may overlook."""

from __future__ import annotations

from collections.abc import Callable

from roofline.huggingface import hybrid, latent, searched, softmax
from roofline.huggingface.fields import EXPERTS, Config
from roofline.huggingface.layers import Shape

FAMILIES: dict[str, Callable[[Config], Shape]] = {
    **dict.fromkeys(("llama", "aquila", "yi", "baichuan", "granite", "internlm3"), softmax.llama),
    "phi3": softmax.phi3,
    **dict.fromkeys(("mistral", "mistral3", "ministral", "ministral3"), softmax.mistral),
    **dict.fromkeys(
        (
            *("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"),
            *("qwen3", "qwen3_moe", "qwen3_vl", "qwen3_vl_text", "qwen3_vl_moe", "qwen3_vl_moe_text"),
        ),
        softmax.qwen,
    ),
    "mixtral": softmax.mixtral,
    "gpt_oss": softmax.gpt_oss,
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma3_text"), softmax.gemma),
    **dict.fromkeys(("gemma4", "gemma4_text"), softmax.gemma4),
    **dict.fromkeys(("llama4", "llama4_text"), softmax.llama4),
    "glm4_moe": softmax.glm4_moe,
    **dict.fromkeys(("grok", "grok-1", "grok_1", "grok-2", "grok_2"), softmax.grok),
    **dict.fromkeys(("cohere", "cohere2"), softmax.cohere),
    **dict.fromkeys(("falcon", "refinedweb", "refinedwebmodel"), softmax.falcon),
    **dict.fromkeys(("gpt2", "gptj", "gpt_neox", "opt", "bloom"), softmax.gpt),
    **dict.fromkeys(("mimo_v2", "mimo_v2_flash"), softmax.mimo),
    **dict.fromkeys(
        (
            "deepseek_v2",
            "deepseek_v3",
            "deepseek_v32",
            "kimi_k2",
            "kimi_k25",
            "glm_moe_dsa",
            "glm4_moe_lite",
            "mistral_large3",
            "mistral4",
        ),
        latent.deepseek,
    ),
    "deepseek_v4": latent.deepseek_v4,
    **dict.fromkeys(("kimi_linear", "kimi_k3"), latent.kimi_linear),
    **dict.fromkeys(("mistral_large4", "mistral_large4_text"), latent.mistral_large4),
    **dict.fromkeys(("minimax", "minimax_text_01", "minimax_m1"), hybrid.minimax),
    "minimax_m2": hybrid.minimax_m2,
    **dict.fromkeys(("minimax_m3", "minimax_m3_text", "minimax_m3_vl", "minimax_m3_vl_text"), hybrid.minimax_m3),
    **dict.fromkeys(
        (
            "qwen3_next",
            "qwen3_5",
            "qwen3_5_text",
            "qwen3_5_moe",
            "qwen3_5_moe_text",
            "qwen3_8_moe",
            "qwen3_8_moe_text",
        ),
        hybrid.qwen_next,
    ),
    "nemotron_h": hybrid.nemotron_h,
    "granitemoehybrid": hybrid.granite_hybrid,
    **dict.fromkeys(("deci", "decilm", "nemotron-nas"), searched.deci),
}

#: Keys that change what a layer computes or keeps. A configuration that sets one its importer never asked for is of
#: a shape that the importer does not know, whatever its model_type says.
TELLING = (
    "layer_types",
    "layers_block_type",
    "hybrid_override_pattern",
    "hybrid_layer_pattern",
    "block_configs",
    "attn_type_list",
    "compress_ratios",
    "linear_attn_config",
    "sparse_attention_config",
    "kv_lora_rank",
    "index_topk",
    "kv_source_layers",
    "num_kv_shared_layers",
    "sliding_window",
    "sliding_window_pattern",
    "attention_chunk_size",
    "global_attn_every_n_layers",
    "full_attention_interval",
    "mamba_num_heads",
    "mamba_n_heads",
    "mamba_d_state",
    "ssm_state_size",
    "mlp_layer_types",
    "first_k_dense_replace",
    "moe_layers",
    "moe_latent_size",
    "routed_expert_hidden_size",
    "zero_expert_num",
    "hidden_size_per_layer_input",
    "use_double_wide_mlp",
    "enable_moe_block",
    "residual_moe",
    "hc_mult",
    "attn_res_block_size",
    "word_embed_proj_dim",
    *EXPERTS,
)


def refuse_overlooked(c: Config) -> None:
    """Refuse a configuration with a telling key that its family's importer never asked for.

    Raises
    ------
    RooflineError
        With the key's name.
    """
    off = c.values.get("use_sliding_window") is False
    for key in TELLING:
        if key in c.asked or not c.values.get(key) or (off and key == "sliding_window"):
            continue
        family = c.text("model_type")
        c.fail(key, f"family {family!r} is not known to have it; write a model file (see CONTRIBUTING.md)")
