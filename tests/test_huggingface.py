"""Hugging Face configurations: the traps of the field names, one test each, and models equal to the catalogue's.

The files in data/hf state the dimensions that the checkpoints' own config.json state, under the same keys; keys without
a bearing on size or speed are left out. They are named after the model of the catalogue with the same shape.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofline import catalog
from roofline.errors import RooflineError
from roofline.huggingface import import_config, to_toml
from roofline.huggingface.families import FAMILIES
from roofline.lower.cache import kv_bytes
from roofline.lower.parameters import active_parameters, total_parameters
from roofline.specs.model import Model

FOLDER = Path(__file__).parent / "data" / "hf"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
#: Files that, as mirrors of these models do, lack the keys of the modules for multi-token prediction.
WITHOUT_MTP = {"glm-4.5", "qwen3-next-80b-a3b"}
#: Files without quantization_config, as the checkpoint's precision is told elsewhere or its file was not seen.
WITHOUT_PRECISION = {"grok-1", "kimi-k3", "mistral-large-3", "mistral-small-4"}


def config(name: str, **changes: Any) -> dict[str, Any]:
    """A file's content; changes go to its language model, and a change to ... takes the key away."""
    table: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    inner = table.get("text_config", table)
    inner |= changes
    for key in [key for key, value in changes.items() if value is ...]:
        del inner[key]
    return table


def read(table: dict[str, Any] | str) -> Model:
    text = table if isinstance(table, str) else json.dumps(table)
    return catalog.model_from_table(import_config(text, "config.json"), "config.json")


def imported(name: str, **changes: Any) -> Model:
    return read(config(name, **changes))


def sequence(model: Model) -> list[tuple[object, object]]:
    """Every layer's mixer and FFN, whatever they are called."""
    return [
        (model.mixers[block.mixer], model.ffns[block.ffn])
        for run in model.layers
        for _ in range(run.repeat)
        for block in run.blocks
    ]


def refused(match: str, name: str, **changes: Any) -> None:
    with pytest.raises(RooflineError, match=match) as caught:
        imported(name, **changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config.json: ")


@pytest.mark.parametrize("name", NAMES)
def test_an_import_is_the_catalogues_model(name: str) -> None:
    found, known = imported(name), catalog.model(name)
    assert sequence(found) == sequence(known)
    assert total_parameters(found) == total_parameters(known)
    assert active_parameters(found) == active_parameters(known)
    for context in (8192, 131072):
        assert kv_bytes(found, context) == kv_bytes(known, context)
    assert found.extras == known.extras
    assert found.tied_embeddings == known.tied_embeddings
    if name not in WITHOUT_MTP:
        assert (found.mtp and found.mtp.modules) == (known.mtp and known.mtp.modules)
    if name not in WITHOUT_PRECISION:
        # Whether the scales are per block decides nothing that is counted here; of other copies a file says nothing.
        own = replace(known.precision, beside=None)
        assert str(found.precision).replace("_block", "") == str(own).replace("_block", "")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_reads_back(name: str) -> None:
    table = import_config(json.dumps(config(name)), "config.json")
    text = to_toml(table)
    assert text.startswith("#:schema ")
    again = catalog.model_from_table(tomllib.loads(text), "printed")
    assert again == catalog.model_from_table(table, "printed")


def test_every_importer_has_a_file() -> None:
    """Each function of the family table is exercised by a configuration of data/hf."""
    tables = [config(name) for name in NAMES]
    types = {kind for table in tables for kind in (table["model_type"], table.get("text_config", {}).get("model_type"))}
    assert {FAMILIES[kind] for kind in types if kind in FAMILIES} == set(FAMILIES.values())


# The traps of the names, in the order in which they were found.


def test_trap_1_a_window_that_is_switched_off() -> None:
    assert all(mixer.window is None for mixer in imported("qwen2.5-7b").mixers.values())  # type: ignore[union-attr]
    assert all(mixer.window is None for mixer in imported("qwen1.5-7b").mixers.values())  # type: ignore[union-attr]
    sliding = imported("qwen2.5-7b", use_sliding_window=True, max_window_layers=20, sliding_window=4096)
    assert sliding.kinds == {("full", "dense"): 20, ("swa", "dense"): 8}


def test_trap_2_latent_cache_is_not_expanded_heads() -> None:
    # 61 x (512 + 64) x 2 B = 70,272 B per token; expanded heads would be 61 x 128 x (192 + 128) x 2 B = 4,997,120.
    assert kv_bytes(imported("deepseek-v3"), 1) == 70_272


def test_trap_3_what_intermediate_size_means() -> None:
    assert imported("mixtral-8x7b").ffns["moe"].expert_d_ff == 14336  # type: ignore[union-attr]
    assert imported("qwen3-30b-a3b").ffns["moe"].expert_d_ff == 768  # type: ignore[union-attr]
    assert imported("llama-4-maverick").ffns["dense"].d_ff == 16384  # type: ignore[union-attr]
    assert imported("minimax-m2").ffns["moe"].expert_d_ff == 1536  # type: ignore[union-attr]


def test_trap_4_kimi_counts_layers_from_one() -> None:
    model = imported("kimi-linear-48b-a3b")
    order = [block.mixer for run in model.layers for _ in range(run.repeat) for block in run.blocks]
    assert [i for i, mixer in enumerate(order) if mixer == "mla"] == [3, 7, 11, 15, 19, 23, 26]
    lists = config("kimi-linear-48b-a3b")["linear_attn_config"]
    shifted = lists | {"full_attn_layers": [3, 7, 11, 15, 19, 23, 26]}
    refused("kda_layers: layer 3 .counted from 1. is in both", "kimi-linear-48b-a3b", linear_attn_config=shifted)


def test_trap_5_class_defaults_are_not_used() -> None:
    refused(r"num_hidden_layers: missing \(or n_layer", "glm-4.5", num_hidden_layers=...)
    refused("hybrid_override_pattern: missing", "nemotron-h-8b", hybrid_override_pattern=...)
    refused("num_key_value_heads: missing", "mixtral-8x7b", num_key_value_heads=...)
    # The exception: Google's own file of Gemma 3 4B relies on them; the note says so.
    assert "num_attention_heads is not in the file: 8" in str(imported("gemma-3-4b").note)


def test_trap_6_latent_experts() -> None:
    assert imported("nemotron-3-super-120b-a12b").ffns["moe"].latent_dim == 1024  # type: ignore[union-attr]
    assert imported("kimi-k3").ffns["moe"].latent_dim == 3584  # type: ignore[union-attr]
    refused("routed_expert_hidden_size: missing", "kimi-k3", routed_expert_hidden_size=...)


def test_trap_7_relu2_experts_have_two_matrices() -> None:
    assert imported("nemotron-3-super-120b-a12b").ffns["moe"].gated is False  # type: ignore[union-attr]
    refused("hidden_act: activation 'sine' is not known", "llama-3.1-70b", hidden_act="sine")


def test_trap_8_compress_ratios_is_one_longer() -> None:
    model = imported("deepseek-v4-flash")
    assert model.n_layers == 43
    assert model.kinds == {("swa", "moe"): 2, ("csa", "moe"): 21, ("hca", "moe"): 20}
    refused("compress_ratios: 3 entries for 43 layers", "deepseek-v4-flash", compress_ratios=[0, 4, 128])


def test_trap_9_mirrors_drop_keys() -> None:
    # The mirror of GLM-4.7 lacks attention_bias and use_qk_norm; the checkpoint has both.
    model = imported("glm-4.5")
    assert model.mixers["full"].qkv_bias is True  # type: ignore[union-attr]
    assert model.mixers["full"].qk_norm == "per_head_dim"  # type: ignore[union-attr]
    assert "use_qk_norm is not in the file" in str(model.note)
    # Those of GLM-5 lack the indexer, without which the attention would be dense: refused, not guessed.
    refused("index_n_heads: missing", "glm-5", index_n_heads=..., index_head_dim=..., index_topk=...)


def test_trap_10_heads_times_head_dim_need_not_be_the_width() -> None:
    mixer = imported("mistral-small-3").mixers["full"]
    assert mixer.heads * mixer.head_dim_qk == 4096 != 5120  # type: ignore[union-attr]
    refused("head_dim: missing", "qwen3-8b", head_dim=...)


def test_trap_11_packed_formats_do_not_change_the_count() -> None:
    model = imported("kimi-k2.5")
    assert (model.precision.experts, model.precision.weights) == ("int4_g32", "bf16")
    assert total_parameters(model) == total_parameters(catalog.model("kimi-k2.5"))
    assert imported("gpt-oss-120b").precision.experts == "mxfp4"
    assert imported("deepseek-v3").precision.weights == "fp8_block"
    assert imported("deepseek-v4-pro").precision.experts == "mxfp4"


def test_trap_12_json_with_infinity() -> None:
    assert "Infinity" in (FOLDER / "nemotron-3-super-120b-a12b.json").read_text()
    assert imported("llama-3.1-70b", time_step_limit=[0.0, float("nan")]).d_model == 8192
    refused("hidden_size: inf is out of range", "llama-3.1-70b", hidden_size=float("inf"))


def test_trap_13_heads_differ_by_layer_kind() -> None:
    model = imported("mimo-v2-flash")
    assert model.mixers["swa"].kv_heads == 8  # type: ignore[union-attr]
    assert model.mixers["full"].kv_heads == 4  # type: ignore[union-attr]
    assert model.mixers["swa"].window_kind == "sliding"  # type: ignore[union-attr]


def test_trap_14_layers_that_read_another_layers_cache() -> None:
    shared = [
        mixer for mixer, _ in sequence(imported("mistral-large-4")) if getattr(mixer, "kv_source", "") == "shared"
    ]
    assert len(shared) == 9
    refused("kv_source_layers: missing", "mistral-large-4", kv_source_layers=...)
    refused("kv_source_layers: 5 is not this layer", "mistral-large-4", kv_source_layers=[5] * 72)
    refused("num_kv_shared_layers: family 'gemma4_text' is not known to have it", "gemma-4-31b", num_kv_shared_layers=9)


GPT_2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
NEOX = {"model_type": "gpt_neox", "hidden_size": 6144, "num_hidden_layers": 44, "num_attention_heads": 64}
NEOX |= {"intermediate_size": 24576, "vocab_size": 50432, "hidden_act": "gelu_fast"}
FALCON = {"model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71}
#: The file holds num_kv_heads 71, which only the new architecture reads: here there is one.
FALCON |= {"num_kv_heads": 71, "multi_query": True, "new_decoder_architecture": False, "vocab_size": 65024}


@pytest.mark.parametrize(
    ("table", "published"),
    [(GPT_2, 124_439_808), (NEOX, 20_554_567_680), (FALCON, 6_921_720_704)],
    ids=["gpt2", "gpt-neox-20b", "falcon-7b"],
)
def test_older_families_count_as_published(table: dict[str, Any], published: int) -> None:
    """Models that the catalogue does not have, against the element counts of their checkpoints."""
    assert total_parameters(read(table)) == published


def test_kinds_of_layers_may_be_listed_or_coded() -> None:
    listed = ["full_attention" if (i + 1) % 4 == 0 or i == 26 else "linear_attention" for i in range(27)]
    flat = {"linear_attn_config": ..., "linear_num_heads": 32, "linear_head_dim": 128, "linear_conv_kernel_dim": 4}
    resaved = imported("kimi-linear-48b-a3b", layer_types=listed, **flat)
    assert sequence(resaved) == sequence(imported("kimi-linear-48b-a3b"))
    coded = imported("glm-5.2", indexer_types=..., index_topk_pattern="FFF" + "SSSF" * 18 + "SSS")
    assert sequence(coded) == sequence(imported("glm-5.2"))
    assert sequence(imported("glm-5.2", indexer_types=..., index_skip_topk_offset=3)) == sequence(imported("glm-5.2"))


# Refusals.


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"decilm-7b", "nemotron-super-49b"}))
def test_an_unknown_attention_kind_is_refused_by_name(name: str) -> None:
    """No family takes a kind for granted, whether or not its own files list kinds."""
    table = config(name, layer_types=["spiral_attention"] * 200)
    inner = table.get("text_config", table)
    for key in ("hybrid_override_pattern", "layers_block_type"):
        inner.pop(key, None)
    with pytest.raises(RooflineError, match="layer_types: attention kind 'spiral_attention' is not known"):
        read(table)


@pytest.mark.parametrize(
    ("match", "name", "changes"),
    [
        ("model_type: family 'newformer' is not known", "llama-3.1-70b", {"model_type": "newformer"}),
        ("family 'longcat_flash' is not known", "deepseek-v3", {"model_type": "longcat_flash"}),
        ("model_type: 7 is not a string", "llama-3.1-70b", {"model_type": 7}),
        ("quant_method: 'aqlm' is not known", "llama-3.1-70b", {"quantization_config": {"quant_method": "aqlm"}}),
        ("quantization_config: 'fp8' is not a table", "llama-3.1-70b", {"quantization_config": "fp8"}),
        ("torch_dtype: 'int3' is not known", "llama-3.1-70b", {"torch_dtype": "int3"}),
        ("num_local_experts: family 'llama' is not known to have it", "llama-3.1-70b", {"num_local_experts": 8}),
        ("kv_lora_rank: family 'llama' is not known to have it", "llama-3.1-70b", {"kv_lora_rank": 512}),
        ("n_routed_experts", "deepseek-v3", {"n_routed_experts": ...}),
        ("mlp_layer_types: layer kind 'thick' is not known", "glm-5.2", {"mlp_layer_types": ["thick"] * 78}),
        ("hybrid_override_pattern: layer kind 'Q' is not known", "nemotron-h-8b", {"hybrid_override_pattern": "MQ"}),
        ("compress_ratios: 16 is not 0, 4 or 128", "deepseek-v4-flash", {"compress_ratios": [16] * 44}),
        (r"compress_ratios: \[\] is not 0, 4 or 128", "deepseek-v4-flash", {"compress_ratios": [[]] * 44}),
        ("num_attention_heads: 0 is out of range", "llama-3.1-70b", {"num_attention_heads": 0}),
        ("num_key_value_heads: 7 does not divide the 64", "llama-3.1-70b", {"num_key_value_heads": 7}),
        ("hidden_size: '8192' is not a whole number", "llama-3.1-70b", {"hidden_size": "8192"}),
        ("intermediate_size: -1 is out of range", "llama-3.1-70b", {"intermediate_size": -1}),
        ("num_hidden_layers: 1000000 layers", "llama-3.1-70b", {"num_hidden_layers": 1_000_000}),
        ("num_experts_per_tok: 9 is more than the 8 experts", "mixtral-8x7b", {"num_experts_per_tok": 9}),
        ("tie_word_embeddings: 'no' is not true or false", "llama-3.1-70b", {"tie_word_embeddings": "no"}),
        ("num_hidden_layers: 9, but hybrid_override_pattern names 52", "nemotron-h-8b", {"num_hidden_layers": 9}),
    ],
)
def test_what_is_not_known_is_refused_by_name(match: str, name: str, changes: dict[str, Any]) -> None:
    refused(match, name, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ((FOLDER / "llama-3.1-70b.json").read_text()[:150], r"not valid JSON: .*line \d+, column \d+.*cut short"),
        ("", "not valid JSON"),
        ("[1, 2]", "holds no JSON object"),
        ("{}", "model_type: missing"),
        ('{"model_type": "llama", "text_config": 3}', "text_config: 3 is not a table"),
        ('{"model_type": "llama", "hidden_size": ' + "9" * 5000 + "}", "too many digits"),
        ('{"model_type": "llama", "hidden_size": ' + "9" * 4000 + "}", "missing|out of range|too many digits"),
        ('{"model_type": "\\ud800"}', "is not known"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_broken_files_are_one_line(text: str, message: str) -> None:
    with pytest.raises(RooflineError, match=message) as caught:
        import_config(text, "config.json")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config.json: ")
    str(caught.value).encode()


def mutations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every file with every one of its keys taken away or given each wrong value in turn."""
    wrong = [..., None, "x", "", -1, 0, 1.5, 10**30, True, [], [1], {}, {"a": 1}, float("inf"), float("nan")]
    for name in NAMES:
        outer = config(name)
        for place in ("text_config", None):
            for key in outer.get(place, {}) if place else outer:
                for value in wrong:
                    table = config(name)
                    inner = table[place] if place else table
                    inner[key] = value
                    if value is ...:
                        del inner[key]
                    yield f"{name}: {key} = {value}", table


def test_wrong_values_are_errors_or_tables_but_never_tracebacks() -> None:
    for what, table in mutations():
        try:
            imported_table = import_config(json.dumps(table), "config.json")
        except RooflineError as error:
            assert "\n" not in str(error), what
        else:
            to_toml(imported_table)


WRONG = st.sampled_from([None, "x", -1, 0, 1.5, True, [], [1], {}, 10**12, 2**27, float("inf"), float("nan")])


@settings(max_examples=300)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_several_wrong_values_are_errors_or_models(name: str, data: st.DataObject) -> None:
    table = config(name)
    inner = table.get("text_config", table)
    for key in data.draw(st.lists(st.sampled_from(sorted(inner)), min_size=1, max_size=3, unique=True)):
        inner[key] = data.draw(WRONG)
    try:
        model = read(table)
    except RooflineError as error:
        assert "\n" not in str(error)
    else:
        assert total_parameters(model) > 0


# What a table carries besides dimensions.


def test_where_a_model_comes_from() -> None:
    table = import_config(json.dumps(config("llama-3.1-70b")), "some/folder/llama.json")
    assert table["name"] == "Llama-3.1-70B"
    assert table["hf_id"] == "meta-llama/Llama-3.1-70B"
    assert table["developer"] == "meta-llama"
    assert table["source"] == "Hugging Face config.json: llama.json"
    assert "release" not in table
    local = import_config(json.dumps(config("llama-3.1-70b", _name_or_path="/home/someone/run\n7/")), "config.json")
    assert "hf_id" not in local
    assert (local["name"], local["developer"]) == ("run_7", "unknown")
    nameless = import_config(json.dumps(config("llama-3.1-70b", _name_or_path="")), "config.json")
    assert nameless["name"] == "LlamaForCausalLM"


def test_a_language_model_two_levels_down() -> None:
    inner = config("qwen3-8b")
    omni = {"model_type": "some_omni", "thinker_config": {"text_config": inner, "audio_config": {"hidden_size": 7}}}
    assert sequence(read(omni)) == sequence(imported("qwen3-8b"))


def test_the_outer_key_for_tying_wins() -> None:
    assert read(config("qwen3.5-27b") | {"tie_word_embeddings": True}).tied_embeddings
    assert not read(config("gemma-3-27b") | {"tie_word_embeddings": False}).tied_embeddings


@pytest.mark.parametrize(
    ("quantised", "weights", "kv"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4", None),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "int4_g32", None),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "int8", None),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8", None),
        ({"quant_method": "fbgemm_fp8"}, "fp8", None),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}, "nvfp4", "fp8"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
                "kv_cache_scheme": {"num_bits": 8, "type": "float"},
            },
            "fp8",
            "fp8",
        ),
    ],
)
def test_formats_of_quantised_checkpoints(quantised: dict[str, Any], weights: str, kv: str | None) -> None:
    precision = imported("llama-3.1-70b", quantization_config=quantised).precision
    assert (precision.weights, precision.embeddings, precision.kv) == (weights, "bf16", kv)


def test_a_configuration_is_a_model_everywhere() -> None:
    from roofline import evaluate
    from roofline.resolve import Request

    path = str(FOLDER / "llama-3.1-70b.json")
    found = evaluate.decode([Request("h100", path, chips=8)], [1], [8192])[0]
    known = evaluate.decode([Request("h100", "llama-3.1-70b", chips=8)], [1], [8192])[0]
    # The file has no date of release: its kernels are taken to be tuned, as those of a model of 2024 nearly are.
    assert found["step_seconds"] == pytest.approx(known["step_seconds"], rel=0.005)
