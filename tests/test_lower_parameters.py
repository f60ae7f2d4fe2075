"""Parameters, cache and state of every open model of the catalogue, against exact counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline import catalog
from roofline.errors import RooflineError
from roofline.lower.cache import CacheEntry, cache_entries, kv_bytes, recurrent_bytes, state_bytes
from roofline.lower.matrices import Matrix
from roofline.lower.parameters import (
    active_parameters,
    embedding_parameters,
    ffn_matrices,
    ffn_vectors,
    mixer_matrices,
    mixer_vectors,
    mtp_parameters,
    routed_active_parameters,
    routed_parameters,
    total_parameters,
)
from roofline.specs.layers import Dense, Gqa, Indexer, Mla, Moe, NoFfn, NoMixer

COUNTS = json.loads((Path(__file__).parent / "data" / "model_counts.json").read_text())["models"]


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_exact(name: str) -> None:
    model = catalog.model(name)
    got = [
        total_parameters(model),
        active_parameters(model),
        kv_bytes(model, 8192),
        kv_bytes(model, 131072),
        recurrent_bytes(model),
    ]
    assert got == COUNTS[name]


def test_llama_3_1_8b_by_hand() -> None:
    model = catalog.model("llama-3.1-8b")
    # qkv 4096 x (4096 + 2 x 1024) = 25,165,824; o 4096^2 = 16,777,216; FFN 3 x 4096 x 14336 = 176,160,768
    # layer with 2 norms: 218,103,808 + 8,192 = 218,112,000; x 32 = 6,979,584,000
    # tables 2 x 128256 x 4096 = 1,050,673,152; last norm 4,096
    assert total_parameters(model) == 6_979_584_000 + 1_050_673_152 + 4_096 == 8_030_261_248
    # without the input table: - 525,336,576
    assert embedding_parameters(model) == 525_336_576
    assert active_parameters(model) == 7_504_924_672
    # 32 layers x 8 heads x (128 + 128) x 2 B = 131,072 B per token
    assert kv_bytes(model, 1) == 131_072
    assert kv_bytes(model, 1, 1.0) == 65_536
    assert recurrent_bytes(model) == mtp_parameters(model) == routed_parameters(model) == 0


def test_deepseek_v3_by_hand() -> None:
    model = catalog.model("deepseek-v3")
    # latent 512 + rotary 64, 61 layers, 2 B; neither times two nor times heads
    assert kv_bytes(model, 1) == 61 * (512 + 64) * 2 == 70_272
    # 58 layers x 256 experts x 3 x 7168 x 2048
    assert routed_parameters(model) == 58 * 256 * 3 * 7168 * 2048 == 653_908_770_816
    assert routed_active_parameters(model) == 58 * 8 * 3 * 7168 * 2048
    # q latent 7168 x 1536, kv latent and rotary 7168 x 576; up 1536 x 128 x 192; 512 x 128 x 256; out 16384 x 7168
    mla = mixer_matrices(model.mixers["mla"], 7168)
    assert mla == (
        Matrix("down", 7168 * (1536 + 576), "none"),
        Matrix("q_up", 1536 * 128 * 192, "heads"),
        Matrix("kv_up", 512 * 128 * 256, "heads"),
        Matrix("o", 128 * 128 * 7168, "heads"),
    )
    assert mixer_vectors(model.mixers["mla"], 7168) == 1536 + 512
    # one MTP module: a layer (11,507,286,016) and 2 x 7168^2 (102,760,448)
    assert mtp_parameters(model) == 11_507_286_016 + 102_760_448


def test_gpt_oss_20b_experts_by_hand() -> None:
    # experts with biases: 32 x (3 x 2880 x 2880 + 2 x 2880 + 2880), 24 layers, 4 of 32 active
    model = catalog.model("gpt-oss-20b")
    assert routed_parameters(model) == 24 * 32 * (3 * 2880 * 2880 + 3 * 2880) == 19_116_933_120
    assert routed_active_parameters(model) == 19_116_933_120 // 8


def test_qwen3_next_state_by_hand() -> None:
    # 32 heads x 128 x 128 x 4 B = 2,097,152 B; filter: (2 x 16 x 128 + 32 x 128) channels x 3 tokens x 2 B = 49,152 B
    model = catalog.model("qwen3-next-80b-a3b")
    assert state_bytes(model.mixers["gdn"]) == 2_097_152 + 49_152
    assert recurrent_bytes(model) == 36 * 2_146_304
    assert cache_entries(model.mixers["gdn"]) == ()


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("llama-2-7b", 6_738_415_616),
        ("llama-2-13b", 13_015_864_320),
        ("codellama-34b", 33_743_970_304),
        ("decilm-7b", 7_043_551_232),
        ("gemma-2b", 2_506_172_416),
        ("gemma-7b", 8_537_680_896),
        ("opt-6.7b", 6_658_473_984),
        ("qwen1.5-7b", 7_721_324_544),
        ("qwen2.5-14b", 14_770_033_664),
        ("bloom-7b1", 7_069_016_064 - 2 * 4096),  # the norm after the embedding table
        ("gpt-j-6b", 6_050_882_784 - 50_400),  # the bias of the head
        ("nemotron-super-49b", 49_867_145_216 + 31 * 8192),  # 31 blocks without attention have one norm less
    ],
)
def test_counts_of_older_models_match_their_checkpoints(name: str, total: int) -> None:
    assert total_parameters(catalog.model(name)) == total


def test_decilm_caches_fewer_heads_than_uniform_gqa() -> None:
    # kv heads per layer: 7 x 4 + 14 x 2 + 11 x 1 = 67; x 2 x 128 x 2 B
    assert kv_bytes(catalog.model("decilm-7b"), 1) == 67 * 2 * 128 * 2


def test_windows_cap_the_cache() -> None:
    # 18 window layers keep 128 tokens, 18 full layers all; 8 heads x 128 x 2 B = 2,048 B per layer and token
    model = catalog.model("gpt-oss-120b")
    assert kv_bytes(model, 100) == 36 * 100 * 2048
    assert kv_bytes(model, 1000) == 18 * (128 + 1000) * 2048


def test_compressed_entries() -> None:
    csa = catalog.model("deepseek-v4-pro").mixers["csa"]
    assert cache_entries(csa) == (CacheEntry(512, 1, 128), CacheEntry(512, 4), CacheEntry(128, 4, index=True))


def test_split_and_gate_of_gqa() -> None:
    mixer = Gqa(heads=4, kv_heads=2, head_dim_qk=8, head_dim_v=6, output_gate=True, qkv_bias=True, o_bias=True)
    # q and gate 2 x 16 x 4 x 8; k 16 x 2 x 8 and v 16 x 2 x 6; o 4 x 6 x 16
    assert mixer_matrices(mixer, 16) == (
        Matrix("qkv", 1024, "heads"),
        Matrix("qkv", 448, "kv_heads"),
        Matrix("o", 384, "heads"),
    )
    assert mixer_vectors(mixer, 16) == 32 + 16 + 12 + 16  # q, k, v and o biases


def test_shared_indexer_and_shared_latents_own_nothing() -> None:
    shared = Indexer(kind="token_topk", heads=2, head_dim=4, top_k=8, mode="shared")
    mixer = Mla(
        heads=2,
        kv_lora_rank=8,
        qk_nope_head_dim=4,
        qk_rope_head_dim=2,
        v_head_dim=4,
        kv_source="shared",
        indexer=shared,
    )
    assert [matrix.op for matrix in mixer_matrices(mixer, 16)] == ["q_up", "kv_up", "o"]
    assert cache_entries(mixer) == ()
    assert mixer_vectors(mixer, 16) == 0


def test_moe_operations() -> None:
    ffn = Moe(
        experts=4, top_k=2, expert_d_ff=8, gated=False, latent_dim=6, shared_experts=1, shared_d_ff=10,
        parallel_dense_d_ff=12, shared_gate=True,
    )  # fmt: skip
    assert ffn_matrices(ffn, 16) == (
        Matrix("router", 64, "none"),
        Matrix("latent_in", 96, "none"),
        Matrix("latent_out", 96, "none"),
        Matrix("expert_gate_up", 4 * 6 * 8, "experts"),
        Matrix("expert_down", 4 * 6 * 8, "experts"),
        Matrix("shared_gate_up", 160, "width"),
        Matrix("shared_down", 160, "width"),
        Matrix("gate_up", 192, "width"),
        Matrix("down", 192, "width"),
    )
    assert ffn_vectors(ffn, 16) == 16


def test_empty_halves_have_nothing() -> None:
    assert mixer_matrices(NoMixer(), 16) == ffn_matrices(NoFfn(), 16) == ()
    assert mixer_vectors(NoMixer(), 16) == ffn_vectors(NoFfn(), 16) == state_bytes(NoMixer()) == 0
    assert ffn_vectors(Dense(d_ff=8, gated=False, bias=True), 4) == 12


def test_closed_model_has_no_count() -> None:
    with pytest.raises(RooflineError, match="closed model"):
        total_parameters(catalog.model("gpt-5.5"))


@given(st.sampled_from(sorted(COUNTS)), st.integers(0, 10**6), st.integers(0, 10**6))
def test_cache_never_shrinks_with_context(name: str, first: int, second: int) -> None:
    model = catalog.model(name)
    short, long = sorted((first, second))
    assert 0 <= kv_bytes(model, short) <= kv_bytes(model, long)
    assert 0 < active_parameters(model) <= total_parameters(model)
