"""What rows mean that leave something out: figures per server, no split, no rate; formats a chip has no unit for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roofline import catalog, serving
from roofline.errors import RooflineError
from roofline.lower.table import LINK
from roofline.measurements import Measurement, read_csv
from roofline.predict import predict
from roofline.resolve import Request, resolve
from roofline.row import SkippedError, request_of, splits

HEADER = "hardware,n_chips,tp,dp,ep,engine,date,model,weight_precision,kv_precision,mode,isl,osl,batch,metric,value"
HEADER += ",spec_decode"


def rows(folder: Path, *lines: str) -> list[Measurement]:
    path = folder / "rows.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return read_csv(path)


def test_a_figure_per_server_of_a_wider_group(tmp_path: Path) -> None:
    # SGLang on 96 H100, https://lmsys.org/blog/2025-05-05-large-scale-ep: groups of 32 ranks read 52,300 tokens/s per
    # server of eight; no batch is stated, so that every rank takes full steps.
    (m,) = rows(
        tmp_path,
        "h100,8,1,32,32,sglang,2025-05,deepseek-v3,fp8,,prefill_only,2000,0,,input_tok_s,52300,false",
    )
    asked = request_of(m)
    assert (asked.chips, asked.tp, asked.dp, asked.ep) == (32, 1, 32, 32)
    assert predict(m).value == pytest.approx(52_300, rel=0.25)


def test_rows_without_a_split_are_the_fastest_one(tmp_path: Path) -> None:
    line = "h200,8,{tp},{dp},,tensorrt-llm,2024-08,llama-2-70b,fp8,fp8,{mode},294,294,,output_tok_s_total,1,false"
    splits = [line.format(tp=tp, dp=8 // tp, mode="offline_throughput") for tp in (1, 2, 4, 8)]
    unstated = [line.format(tp="", dp="", mode=mode) for mode in ("offline_throughput", "server")]
    *stated, offline, server = (predict(m).value for m in rows(tmp_path, *splits, *unstated))
    assert offline == server == max(stated)
    # Where latency counts, chips that are named without a split work together.
    (m,) = rows(tmp_path, "h200,8,,,,vllm,2025-01,llama-3.1-70b,fp8,,concurrency,1024,1024,4,tpot_ms,1,false")
    assert request_of(m).tp == 8


def test_an_open_loop_has_a_rate(tmp_path: Path) -> None:
    (m,) = rows(tmp_path, "h800,144,1,144,144,deepseek,2025-02,deepseek-v3,fp8,,server,4989,,,tok_s_user,21,false")
    with pytest.raises(SkippedError):
        predict(m)
    (m,) = rows(tmp_path, "h200,8,8,1,1,vllm,2025-02,llama-3.1-8b,fp8,,server,1024,128,,tok_s_user,21,false")
    with pytest.raises(SkippedError, match="states no request rate"):
        predict(m)


def test_tensorrt_llm_keeps_whole_caches_of_window_layers(tmp_path: Path) -> None:
    # gpt-oss-120b on two B200, attention-DP 2, 1,024 tokens in and 32,768 out: 6,279 tok/s per chip, TensorRT-LLM's own
    # page of v1.1. Its cache keeps every token unless `max_attention_window` says otherwise.
    (m,) = rows(
        tmp_path,
        "b200,2,1,2,2,tensorrt-llm,2025-11,gpt-oss-120b,mxfp4,fp8,offline_throughput,1024,32768,,output_tok_s_per_gpu,"
        "6279,false",
    )
    assert predict(m).value == pytest.approx(6279, rel=0.2)
    held = {
        engine: resolve(Request("b200", "gpt-oss-120b", engine, chips=1, kv="fp8")).memory.kv_bytes(33_792)
        for engine in ("tensorrt-llm", "vllm")
    }
    # Half of the layers have windows of 128 tokens.
    assert held["tensorrt-llm"] == pytest.approx(2 * held["vllm"], rel=0.01)


def test_tensorrt_llm_gives_the_cache_a_share_of_what_weights_leave() -> None:
    # Llama 3.3 70B in FP8 on one H200 of 141 GB. TensorRT-LLM: 0.9 x (141 - weights - activations); vLLM: 0.9 x 141
    # less both. The weights' tenth, some 7 GB, is the difference.
    ours, theirs = (
        resolve(Request("h200", "llama-3.3-70b", engine, chips=1, weights="fp8")).memory
        for engine in ("tensorrt-llm", "vllm")
    )
    held = ours.weights_bytes_per_chip + ours.activation_bytes
    assert ours.kv_room == pytest.approx(0.9 * (141e9 - held))
    assert theirs.kv_room == pytest.approx(0.9 * 141e9 - theirs.weights_bytes_per_chip - theirs.activation_bytes)


def test_a_static_batch_without_room_runs_in_waves(tmp_path: Path) -> None:
    # Llama 2 7B in FP16 on one A100 of 40 GB, 2,048 tokens in and out: a sequence's cache is 4,096 x 0.52 MB = 2.1 GB,
    # and weights leave some 24 GB. Argonne's LLM-Inference-Bench (2024-10) saw 751 tok/s, in and out, of a batch of 16
    # and 743 of 32: what has no room waits.
    found = {}
    for size, measured in ((16, 751), (32, 743)):
        (m,) = rows(
            tmp_path,
            "a100-40gb,1,1,1,1,tensorrt-llm,2024-10,llama-2-7b,fp16,fp16,static_batch,2048,2048,"
            f"{size},total_tok_s,{measured},false",
        )
        found[size] = predict(m).value
        assert found[size] == pytest.approx(measured, rel=0.15)
    assert found[32] == pytest.approx(found[16], rel=0.1)


@pytest.mark.parametrize(
    ("hw", "engine", "weights", "unit"),
    [
        ("h200", "vllm", "mxfp4", "bf16"),  # no FP4 unit: widened, though FP8 is there
        ("b200", "vllm", "mxfp4", "fp4"),
        ("rtx4090", "llama.cpp", "q4_k_m", "int8"),  # inputs in 8-bit integers since pull 8062
        ("rtx4090", "llama.cpp@2024-05", "q4_k_m", "fp16_half"),  # widened, and summed in FP16
        ("a100", "llama.cpp@2024-05", "q4_k_m", "fp16"),
        ("rtx4090", "vllm", "fp16", "fp16"),  # sums in FP32
        ("apple-m2-ultra", "llama.cpp", "q4_0", "fp16"),
    ],
)
def test_the_unit_that_multiplies(hw: str, engine: str, weights: str, unit: str) -> None:
    model = "gpt-oss-20b" if weights == "mxfp4" else "llama-3-8b"
    assert resolve(Request(hw, model, engine, weights=weights)).rates.unit(weights) == unit


@pytest.mark.parametrize(
    ("model", "engine", "asked", "rest", "experts"),
    [
        # Shipped so by its maker: experts in MXFP4, attention in 16 bits. GGML's files keep the rest in 8 bits.
        ("gpt-oss-120b", "vllm", None, "bf16", "mxfp4"),
        ("gpt-oss-120b", "vllm", "mxfp4", "bf16", "mxfp4"),
        ("gpt-oss-120b", "llama.cpp", "mxfp4", "q8_0", "mxfp4"),
        ("kimi-k2.5", "sglang", "int4", "bf16", "int4"),
        # NVIDIA's and AMD's 4-bit copies quantise the experts and leave attention be.
        ("qwen3-235b-a22b", "tensorrt-llm", "nvfp4", "bf16", "nvfp4"),
        ("deepseek-r1", "sglang", "mxfp4", "fp8_block", "mxfp4"),
        # Without experts there is all to quantise; wider and weight-only copies quantise all.
        ("llama-3.3-70b", "tensorrt-llm", "nvfp4", "nvfp4", "nvfp4"),
        ("gpt-oss-120b", "vllm", "fp8", "fp8", "fp8"),
        ("qwen3-235b-a22b", "vllm", "int4", "int4", "int4"),
    ],
)
def test_what_a_copy_keeps_in_which_format(model: str, engine: str, asked: str | None, rest: str, experts: str) -> None:
    made = resolve(Request("b200", model, engine, weights=asked)).deployment
    assert (made.weights, made.experts) == (rest, experts)


def test_experts_named_by_themselves_leave_the_rest_as_named() -> None:
    made = resolve(Request("b200", "qwen3-235b-a22b", "vllm", weights="nvfp4", experts="nvfp4")).deployment
    assert (made.weights, made.experts) == ("nvfp4", "nvfp4")


def test_vllm_takes_fewer_sequences_on_small_chips() -> None:
    # Defaults of its server: 1,024 sequences and chunks of 8,192 from 70 GiB on, else, and on A100, 256 and 2,048.
    for chip, batch, chunk in (("h100", 1024, 8192), ("rtx4090", 256, 2048), ("a100", 256, 2048)):
        engine = resolve(Request(chip, "llama-3.1-8b", "vllm", chips=1)).engine
        assert engine.max_batch is not None and engine.prefill_tokens is not None
        assert (engine.max_batch.value, engine.prefill_tokens.value) == (batch, chunk)
    asked = Request("rtx4090", "llama-3.1-8b", "vllm", chips=1, set=("engine.max_batch=512",))
    engine = resolve(asked).engine
    assert engine.max_batch is not None and engine.max_batch.value == 512


def test_a_row_without_a_split_ran_one_that_holds_the_model(tmp_path: Path) -> None:
    # 70 GB of FP8 weights on cards of 48 GB: replicas of one card cannot be meant, those of two can.
    (one,) = rows(
        tmp_path,
        "l40s,8,,,,tensorrt-llm,2025-02,llama-2-70b,fp8,fp8,offline_throughput,221,294,,output_tok_s_total,3000,false",
    )
    assert [(asked.tp, asked.dp) for asked in splits(one)] == [(2, 4), (4, 2), (8, 1)]


def test_an_engine_is_another_where_its_kernels_are_others(tmp_path: Path) -> None:
    assert resolve(Request("mi300x", "deepseek-r1", "sglang")).names[2] == "sglang-cdna3"
    assert resolve(Request("mi300x", "deepseek-r1", "sgl@2026-03")).names[2] == "sglang-cdna3@2026-03"
    assert resolve(Request("h200", "deepseek-r1", "sglang")).names[2] == "sglang"
    # A profile of the user's own is what he asked for.
    own = tmp_path / "mine.toml"
    own.write_text('name = "mine"\nparent = "sglang"\nsource = "bench"\nchecked = "2026-11-28"\nkind = "measured"\n')
    assert resolve(Request("mi300x", "deepseek-r1", str(own))).names[2] == "mine"
    own.write_text(f'{own.read_text()}ports = {{ amd-cdna3 = "nothing" }}\n')
    with pytest.raises(RooflineError, match=r"mine\.toml: ports\.amd-cdna3: unknown engine 'nothing'"):
        resolve(Request("mi300x", "deepseek-r1", str(own)))
    own.write_text(own.read_text().replace('amd-cdna3 = "nothing"', 'amd-cdna-3 = "vllm"'))
    with pytest.raises(RooflineError, match=r"mine\.toml: ports\.amd-cdna-3: unknown .* 'amd-cdna-3'.* 'amd-cdna3'"):
        resolve(Request("mi300x", "deepseek-r1", str(own)))


def test_a_prompt_after_a_cached_one_attends_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    line = "dgx-spark,1,1,1,1,llama.cpp,2025-11,gpt-oss-120b,mxfp4,fp16,prefill_only,2048,0,1,input_tok_s,{},false,{}\n"
    text = line.format(1938, "pp2048 at depth 0") + line.format(1155, "pp2048 at depth 32768")
    path.write_text(f"{HEADER},notes\n{text}")
    first, deep = (predict(m).value for m in read_csv(path))
    # 32,768 cached tokens, 16 times the prompt: half of the layers see 128 of them only, so that the rate falls by less
    # than half (https://github.com/ggml-org/llama.cpp/blob/master/benches/dgx-spark.md: 1,938 to 1,155 tokens/s).
    assert 0.5 * first < deep < 0.95 * first


def test_kernels_of_a_new_model_are_tuned_with_time(tmp_path: Path) -> None:
    ages = {
        date: resolve(Request("mi355x", "qwen3.5-397b-a17b", f"vllm@{date}", chips=8))
        for date in ("2026-02", "2026-08", "2026-11")
    }
    # The model is of 2026-02, and what its kernels lack falls by e in six months.
    assert ages["2026-02"].rates.newness == 1.0
    assert ages["2026-08"].rates.newness == pytest.approx(0.3679, abs=1e-4)  # exp(-6 / 6)
    assert ages["2026-11"].rates.newness == pytest.approx(0.2231, abs=1e-4)  # exp(-9 / 6)
    assert resolve(Request("h100", "llama-2-70b", "vllm@2026-02", chips=8)).rates.newness < 0.01
    wafer = resolve(Request("wse3", "kimi-k3"))
    assert wafer.rates.slowness == 1.0
    assert not any("untuned" in warning for warning in wafer.warnings)
    assert any("untuned" in warning for warning in resolve(Request("b200", "kimi-k3", chips=16)).warnings)
    spring = tmp_path / "spring.toml"
    text = catalog.read_text(catalog.find("models", "kimi-k3"))
    spring.write_text(text.replace('release = "2026-07"', 'release = "spring"'))
    with pytest.raises(RooflineError, match=r"spring\.toml: release: 'spring' is no month; write YYYY or YYYY-MM"):
        resolve(Request("b200", str(spring), chips=16))
    # Alone it is longer by the engine's figure; collectives are the same for every model.
    new = ages["2026-02"]
    old = replace(new, rates=replace(new.rates, newness=0.0))
    for row, tuned in zip(new.decode.rows, old.decode.rows, strict=True):
        if row.memory == LINK:
            assert row == tuned
        else:
            assert row.overhead == pytest.approx(tuned.overhead * (1.0 + new.engine.untuned.value))
            assert row.seconds_per_byte == pytest.approx(tuned.seconds_per_byte * (1.0 + new.engine.untuned.value))


def test_a_makers_four_bit_copy_keeps_the_rest_as_its_recipe_says() -> None:
    # https://github.com/NVIDIA-NeMo/Nemotron/pull/257: 560e9 parameters are 1.1 TB in 16 bits, and 331 GB in the copy
    # with its experts in FP4 and Mamba and shared experts in FP8; attention, in 16 bits, is here in 8.
    own = resolve(Request("b200", "nemotron-3-ultra-550b-a55b", weights="nvfp4", chips=8))
    assert (own.deployment.weights, own.deployment.experts, own.deployment.embeddings) == ("fp8", "nvfp4", "bf16")
    assert own.memory.weights_bytes == pytest.approx(331e9, rel=0.03)
    plain = resolve(Request("b200", "nemotron-3-ultra-550b-a55b", chips=8)).deployment
    assert (plain.weights, plain.experts) == ("bf16", "bf16")


def test_experts_that_are_widened_wait_for_that_and_not_for_memory() -> None:
    # gpt-oss-120b by vLLM 0.18 at TP 2 and 64 users of 1,024 in and out: 14.83 ms a token on H100 and 14.42 on H200,
    # whose memory is 1.43 times as fast (InferenceX runs). Experts are 4-bit, and Hopper multiplies no such format.
    def step(hw: str, model: str, weights: str | None) -> float:
        system = resolve(Request(hw, model, "vllm", chips=2, tp=2, weights=weights))
        return serving.decode_seconds(system, 64.0, 1536.0)

    assert step("h100", "gpt-oss-120b", None) / step("h200", "gpt-oss-120b", None) < 1.2
    # Those in 8 bits it does, and memory is what they wait for.
    assert step("h100", "qwen3-235b-a22b", "fp8") / step("h200", "qwen3-235b-a22b", "fp8") > 1.2


def test_experts_in_four_bits_wait_for_memory_where_vector_units_are_many() -> None:
    # Instructions a second for each byte of memory: RTX 4090 41e12 / 1.0e12, H100 30e12 / 3.35e12.
    slower = {}
    for name in ("rtx4090", "l40s", "h100"):
        rates = resolve(Request(name, "qwen3-30b-a3b", "vllm", weights="int4", chips=1)).rates
        slower[name] = rates.weights_seconds_per_byte("int4", moe=True) / rates.weights_seconds_per_byte("bf16")
    assert max(slower["rtx4090"], slower["l40s"]) < 1.1 < 1.2 < slower["h100"]


def test_products_in_blocks_take_twice_as_long_as_plain_ones() -> None:
    blocks = resolve(Request("rtx5090", "llama-3.1-8b", "llama.cpp", weights="q4_0")).rates
    plain = resolve(Request("rtx5090", "llama-3.1-8b", "vllm", weights="int8", activations="int8")).rates
    assert blocks.unit("q4_0") == plain.unit("int8") == "int8"
    slow, fast = blocks.gemm_seconds_per_flop("q4_0"), plain.gemm_seconds_per_flop("int8")
    gemm = plain.engine.gemm.value if plain.engine.gemm else 1.0
    assert slow == pytest.approx(2.0 * fast * gemm)
