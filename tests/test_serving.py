"""Naive limits by hand, and properties that must hold for every chip, model and engine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofline import lengths, serving
from roofline.errors import RooflineError
from roofline.lower.collectives import NETWORK_LATENCY
from roofline.resolve import Request, resolve
from roofline.system import System


def ideal(**changes: object) -> System:
    base = {"hw": "h100", "model": "llama-3.1-70b", "engine": "ideal", "tp": 8}
    return resolve(Request(**(base | changes)))  # type: ignore[arg-type]


def test_batch_1_is_bound_by_reading_the_weights() -> None:
    # 8 x 3.35 TB/s = 26.8 TB/s. Read per token: 69.50 G weights without the input table x 2 B = 139.0 GB, and 1,024
    # cached tokens x 327,680 B = 0.34 GB. 139.3 GB / 26.8 TB/s = 5.20 ms = 192 tok/s; published naive figure: 191.
    assert 1 / serving.decode_seconds(ideal(), 1, 1024) == pytest.approx(191, rel=0.02)


def test_batch_64_adds_the_cache_of_all_sequences() -> None:
    # Cache: 64 x 4,096 x 327,680 B = 85.9 GB; with 139.0 GB of weights 224.9 GB / 26.8 TB/s = 8.39 ms for 64 tokens.
    assert 64 / serving.decode_seconds(ideal(), 64, 4096) == pytest.approx(7630, rel=0.02)


def test_prefill_is_bound_by_compute() -> None:
    # 8 x 989 TFLOP/s = 7.912 PFLOP/s. Linear layers: 2 x 68.45 G x 4,096 = 5.607e14. Attention: 80 layers x 64 heads x
    # 2 x 256 x 4,096 x 4,097 / 2 pairs = 2.20e13. 5.83e14 / 7.912e15 = 73.7 ms; with the head on all positions 74.7 ms.
    assert serving.prefill_seconds(ideal(), 1, 4096) == pytest.approx(74.7e-3, rel=0.02)


CHIPS = ["h100", "b200", "a100", "mi300x", "gaudi3", "tpu-v6e", "trainium2", "rtx4090"]
MODELS = ["llama-3.1-8b", "llama-4-maverick", "gpt-oss-120b", "deepseek-v3", "qwen3-next-80b-a3b", "gemma-3-27b"]
MODELS += ["deepseek-v4-flash", "nemotron-3-nano-30b-a3b", "kimi-linear-48b-a3b", "minimax-m3", "glm-5"]
ENGINES = ["vllm", "tensorrt-llm", "sglang", "transformers", "llama.cpp", "llama.cpp@2024-05", "default"]

deployments = st.fixed_dictionaries(
    {
        "hw": st.sampled_from(CHIPS),
        "model": st.sampled_from(MODELS),
        "engine": st.sampled_from(ENGINES),
        "tp": st.sampled_from([1, 2, 4, 8]),
        "pp": st.sampled_from([1, 2, 4]),
        "dp": st.sampled_from([1, 2, 8]),
        "weights": st.sampled_from([None, "bf16", "fp16", "fp8", "nvfp4", "int4", "q4_0"]),
        "kv": st.sampled_from([None, "fp8"]),
    }
)


def system(options: dict[str, object]) -> System | None:
    """Resolve a random deployment; some are refused with a reason, which is right."""
    try:
        return resolve(Request(**options))  # type: ignore[arg-type]
    except RooflineError:
        return None


@settings(max_examples=150, deadline=None)
@given(options=deployments, batch=st.integers(1, 4096), context=st.integers(1, 200_000))
def test_no_prediction_beats_ideal(options: dict[str, object], batch: int, context: int) -> None:
    real, bound = system(options), system(options | {"engine": "ideal"})
    if real is None or bound is None:
        return
    assert serving.decode_seconds(bound, batch, context) <= serving.decode_seconds(real, batch, context)
    tokens = min(context, 20_000)
    assert serving.prefill_seconds(bound, batch, tokens) <= serving.prefill_seconds(real, batch, tokens) * (1 + 1e-12)


@settings(max_examples=150, deadline=None)
@given(
    options=deployments,
    batch=st.integers(1, 4000),
    context=st.integers(1, 200_000),
    more=st.floats(1.01, 20),
)
def test_time_rises_with_batch_and_context(options: dict[str, object], batch: int, context: int, more: float) -> None:
    one = system(options)
    if one is None:
        return
    base = serving.decode_seconds(one, batch, context)
    assert math.isfinite(base)
    assert base > 0
    assert serving.decode_seconds(one, math.ceil(batch * more), context) >= base * (1 - 1e-12)
    assert serving.decode_seconds(one, batch, math.ceil(context * more)) >= base * (1 - 1e-12)
    tokens = min(context, 4000)
    first = serving.prefill_seconds(one, 1, tokens)
    assert serving.prefill_seconds(one, 1, math.ceil(tokens * more)) >= first * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(
    hw=st.sampled_from(["h100", "b200", "mi300x"]),
    model=st.sampled_from(MODELS),
    figure=st.sampled_from(["memory.0.bandwidth", "peak.bf16", "peak.fp8", "scale_up.bandwidth"]),
    times=st.floats(1.0, 30.0),
    batch=st.integers(1, 512),
)
def test_time_falls_or_stays_with_a_faster_chip(hw: str, model: str, figure: str, times: float, batch: int) -> None:
    from roofline import catalog

    chip = catalog.hardware(hw)
    node: object = chip
    for step in figure.split("."):
        if isinstance(node, dict):
            node = node[step]
        else:
            node = node[int(step)] if step.isdigit() else getattr(node, step)  # type: ignore[index]
    value = node.value * times  # type: ignore[attr-defined]
    slow = resolve(Request(hw, model, tp=8))
    fast = resolve(Request(hw, model, tp=8, set=(f"hw.{figure}={value!r}",)))
    for time in (serving.decode_seconds, serving.prefill_seconds):
        assert time(fast, batch, 3000) <= time(slow, batch, 3000) * (1 + 1e-12)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("tp", "pp", "dp", "ep"), [(1, 1, 1, 1), (8, 1, 1, 1), (2, 4, 1, 1), (1, 1, 8, 8), (4, 1, 2, 8)]
)
def test_sharding_conserves_flops(model: str, tp: int, pp: int, dp: int, ep: int) -> None:
    """Divided over chips, matrix products are the same FLOPs in all; only what is replicated counts more often."""
    from roofline import catalog
    from roofline.specs.layers import Moe

    spec = catalog.model(model)
    if ep > 1 and not any(isinstance(ffn, Moe) for ffn in spec.ffns.values()):
        ep = 1
    one = resolve(Request("h100", model, "ideal", tp=1))
    many = resolve(Request("h100", model, "ideal", tp=tp, pp=pp, dp=dp, ep=ep))
    batch = 64.0

    def flops(found: System, divided_only: bool) -> float:
        # A table holds all pipeline stages, so TP x DP chips do its work; DP ranks have their own sequences.
        parts = serving.operations(found.decode, batch, 1.0, 1000.0, 1.0)
        shared = ("qkv", "q_up", "kv_up", "o", "gate_up", "down", "expert_gate_up", "expert_down", "lm_head")
        chosen = [p for p in parts if not divided_only or p.op in shared]
        return sum(p.flops for p in chosen) * found.deployment.tp * found.deployment.dp

    assert flops(many, divided_only=False) >= flops(one, divided_only=False) * (1 - 1e-9)
    dense = {p.op: p.flops for p in serving.operations(one.decode, batch, 1.0, 1000.0, 1.0) if p.op == "lm_head"}
    split = {p.op: p.flops for p in serving.operations(many.decode, batch, 1.0, 1000.0, 1.0) if p.op == "lm_head"}
    assert split["lm_head"] * tp * dp == pytest.approx(dense["lm_head"])
    for op in ("expert_gate_up", "expert_down"):
        whole = sum(p.flops for p in serving.operations(one.decode, batch, 1.0, 1000.0, 1.0) if p.op == op)
        part = sum(p.flops for p in serving.operations(many.decode, batch, 1.0, 1000.0, 1.0) if p.op == op)
        assert part * tp * dp == pytest.approx(whole)


@settings(max_examples=80, deadline=None)
@given(model=st.sampled_from(MODELS), batch=st.integers(1, 500), context=st.integers(1, 100_000))
def test_cache_bytes_are_linear_in_batch(model: str, batch: int, context: int) -> None:
    from roofline import evaluate

    record = evaluate.fit([Request("h100", model, tp=8, pp=8)], [batch], [context])[0]
    assert record["kv_bytes"] == pytest.approx(record["kv_bytes_per_user"] * batch, rel=1e-12)


def test_data_parallel_ranks_read_their_own_weights() -> None:
    # Two ranks of TP 4 hold attention twice; experts once.
    whole = resolve(Request("h100", "deepseek-v3", tp=8, weights="fp8"))
    ranks = resolve(Request("h100", "deepseek-v3", tp=1, dp=8, ep=8, weights="fp8"))
    assert ranks.memory.weights_bytes_per_chip > whole.memory.weights_bytes_per_chip
    routed = 653.6e9 / 8  # 58 layers x 256 experts x 3 x 7168 x 2048 = 653.9 G, one eighth a chip
    assert ranks.memory.weights_bytes_per_chip > routed


def test_latent_cache_is_replicated_by_tp_and_divided_by_context_parallelism() -> None:
    # MLA caches one latent of 576 elements per token for all heads: TP copies it, decode context parallelism splits it.
    one = resolve(Request("h100", "deepseek-v3", tp=1, pp=8, weights="fp8"))
    eight = resolve(Request("h100", "deepseek-v3", tp=8, weights="fp8"))
    split = resolve(Request("h100", "deepseek-v3", tp=8, dcp=8, weights="fp8"))
    latent = 61 * 576 * 2 * 8192
    assert eight.memory.kv_bytes_per_chip(8192) == latent
    assert one.memory.kv_bytes_per_chip(8192) == latent / 8
    assert split.memory.kv_bytes_per_chip(8192) == latent / 8
    assert serving.decode_seconds(split, 64, 100_000) < serving.decode_seconds(eight, 64, 100_000)


def test_kv_heads_never_split_below_one_per_rank() -> None:
    # Llama-3.1-70B has 8 KV heads: TP 16 holds every head twice.
    eight, sixteen = (resolve(Request("gb200", "llama-3.1-70b", tp=tp)) for tp in (8, 16))
    assert sixteen.memory.kv_bytes_per_chip(8192) == eight.memory.kv_bytes_per_chip(8192) == 2_684_354_560 / 8


def test_deepseek_decode_in_production() -> None:
    # DeepSeek's published day, 2025-02-28: decode units of 18 nodes of H800, EP 144 and DP 144, about 14.8k output
    # tokens a second per node at 20 to 22 tokens a second per user and 4,989 cached tokens: 705 users per node.
    system = resolve(Request("h800", "deepseek-v3", "deepseek", tp=1, dp=144, ep=144, weights="fp8"))
    users = 18 * 14_800 / 21
    assert users / serving.decode_seconds(system, users, 4989) / 18 == pytest.approx(14_800, rel=0.25)


def test_deepseek_prefill_in_production() -> None:
    # The same day: 73.7k input tokens a second per node, 56.3 % of them cached, so 32.2k computed. Prefill units of
    # four nodes, EP 32 and DP 32. Answers are 168/608 of the prompts, and lengths are as those of chats, lognormal with
    # sigma 1, of means that give 4,989 tokens of context. Machines follow the load by the hour and were busy 226.75/278
    # of the peak.
    system = resolve(Request("h800", "deepseek-v3", "deepseek", chips=32, tp=1, dp=32, ep=32))

    def computed(sigma: float) -> float:
        one = lengths.lognormal(608, 168, sigma, sigma, 0.563).alike
        scale = 4989 / (one.isl + 0.5 * one.osl)
        prompt = lengths.lognormal(scale * 608, scale * 168, sigma, sigma, 0.563).prompt
        new = prompt.isl - prompt.past
        return 32 * new / serving.prefill_seconds(system, 32, new, prompt.past) / 4

    assert computed(1.0) * 226.75 / 278 == pytest.approx(73_700 * (1 - 0.563), rel=0.25)
    # Always busy, the node would compute more; prompts that are all alike attend to less.
    assert 1.2 < computed(1.0) / 32_200 < computed(0.0) / 32_200 < 1.6
    # DeepSeek's own profile of such a unit, one trace of prompts of 4k: 62.7k tokens a second per node.
    assert 128 * 4096 / serving.prefill_seconds(system, 128, 4096) / 4 == pytest.approx(62_713, rel=0.15)


def test_a_short_prefill_waits_for_its_host() -> None:
    # SGLang on 8 B200, published for Qwen3-235B in BF16 (docs/autoregressive/Qwen/Qwen3.md of its cookbook): a prompt
    # of 610 tokens alone has its first token after 99 ms, one of 4,194 after 140; chips need 25 for the first.
    system = resolve(Request("b200", "qwen3-235b-a22b", "sglang@2025-12", chips=8))
    chips = sum(p.seconds for p in serving.operations(system.prefill, 1, 610, 0, 1) if p.op != "launching beside")
    short, long = (serving.prefill_seconds(system, 1, n) for n in (610, 65_536))
    assert chips < 0.6 * short < 0.6 * 0.140
    bare = resolve(Request("b200", "qwen3-235b-a22b", "sglang@2025-12", chips=8, set=("engine.prefill_launch=0us",)))
    assert serving.prefill_seconds(bare, 1, 610) == pytest.approx(chips)
    assert serving.prefill_seconds(bare, 1, 65_536) == pytest.approx(long)
    assert all(row.op != "launching beside" for row in system.decode.rows)
    ideal = resolve(Request("b200", "qwen3-235b-a22b", "ideal", chips=8))
    assert all(row.op != "launching beside" for row in ideal.prefill.rows)


def test_experts_that_are_widened_inside_a_kernel_are_slower() -> None:
    # gpt-oss in MXFP4: Hopper has no FP4 unit, so that each tile of tokens widens the experts again.
    narrow, wide = (resolve(Request("h100", "gpt-oss-20b", "vllm", chips=1, experts=e)) for e in (None, "bf16"))

    def rate(system: System) -> float:
        return next(row.seconds_per_flop for row in system.prefill.rows if row.op == "expert_down")

    assert rate(narrow) > 1.2 * rate(wide)


def test_halves_of_a_batch_read_the_weights_twice() -> None:
    options = {"tp": 1, "dp": 144, "ep": 144, "weights": "fp8"}
    halves = resolve(Request("h800", "deepseek-v3", "deepseek", **options))  # type: ignore[arg-type]
    whole = resolve(
        Request("h800", "deepseek-v3", "deepseek", set=("engine.two_batch_overlap=false",), **options)  # type: ignore[arg-type]
    )

    def work(system: System, op: str) -> tuple[float, float]:
        parts = [p for p in serving.operations(system.decode, 12_690, 1.0, 4989.0, 1.0) if p.op == op]
        return sum(p.flops for p in parts), sum(p.bytes for p in parts)

    for op in ("o", "expert_down"):
        assert work(halves, op)[0] == pytest.approx(work(whole, op)[0])
        assert work(halves, op)[1] > 1.2 * work(whole, op)[1]
    # The cache of a sequence is read once, in its half.
    assert work(halves, "attention") == pytest.approx(work(whole, "attention"))


def test_short_prompts_waste_tiles_of_attention() -> None:
    system = resolve(Request("b200", "llama-3.1-8b", "tensorrt-llm"))

    def share(tokens: float) -> float:
        parts = {p.op: p.compute_seconds for p in serving.operations(system.prefill, 1.0, tokens, 0.0, 1.0)}
        return parts["attention tiles"] / (parts["attention"] + parts["attention tiles"])

    assert 0 < share(32_768.0) < share(4096.0) < share(1024.0)
    ideal = resolve(Request("b200", "llama-3.1-8b", "ideal"))
    assert not any(row.op == "attention tiles" for row in ideal.prefill.rows)


def test_small_shards_in_fp4_are_no_faster_than_in_fp8() -> None:
    # InferenceX, 2025-10, TensorRT-LLM on B200, Llama 3.3 70B, 1k/1k at 4 users: TP 1 14.6 ms in FP8 and 12.1 in NVFP4,
    # TP 8 5.45 and 5.87: inputs are quantised block by block in kernels of their own.
    def ratio(tp: int) -> float:
        fp4, fp8 = (
            serving.decode_seconds(
                resolve(Request("b200", "llama-3.3-70b", "tensorrt-llm@2025-10", tp=tp, weights=w)), 4, 1500
            )
            for w in ("nvfp4", "fp8")
        )
        return fp4 / fp8

    assert ratio(1) < 0.9
    assert ratio(8) == pytest.approx(5.87 / 5.45, rel=0.15)


def test_two_batch_overlap_hides_communication_behind_computation() -> None:
    options = {"tp": 1, "dp": 144, "ep": 144, "weights": "fp8"}
    beside = resolve(Request("h800", "deepseek-v3", "deepseek", **options))  # type: ignore[arg-type]
    after = resolve(
        Request("h800", "deepseek-v3", "deepseek", set=("engine.two_batch_overlap=false",), **options)  # type: ignore[arg-type]
    )
    assert serving.decode_seconds(beside, 12_690, 4989) < serving.decode_seconds(after, 12_690, 4989)
    parts = serving.operations(beside.decode, 12_690, 1.0, 4989.0, 1.0)
    travel = sum(p.seconds for p in parts if p.op in ("dispatch", "combine"))
    rest = sum(p.seconds for p in parts) - travel
    assert serving.decode_seconds(beside, 12_690, 4989) == pytest.approx(max(travel, rest))


def _prompt_rate(
    hw: str, model: str, weights: str, tokens: int, pp: int = 1, engine: str = "llama.cpp@2024-05"
) -> float:
    system = resolve(Request(hw, model, engine, chips=pp, pp=pp, weights=weights))
    return tokens / serving.prefill_seconds(system, 1.0, tokens)


# Published prompt rates below: https://github.com/XiongjieDai/GPU-Benchmarks-on-LLM-Inference, 2024-05.
@pytest.mark.parametrize(
    ("hw", "short", "long"), [("a100", 5948, 4137), ("a40", 3325, 2013), ("rtx4000-ada", 2452, 1337)]
)
def test_long_prompts_are_slower_where_scores_cross_memory(hw: str, short: float, long: float) -> None:
    # Llama-3-8B in Q4_K_M, 512 and 8,192 tokens; attention of that year was three kernels, with scores in between.
    ratio = _prompt_rate(hw, "llama-3-8b", "q4_k_m", 8192) / _prompt_rate(hw, "llama-3-8b", "q4_k_m", 512)
    assert ratio == pytest.approx(long / short, rel=0.25)
    fused = [_prompt_rate(hw, "llama-3-8b", "q4_k_m", n, engine="llama.cpp") for n in (512, 8192)]
    assert fused[1] / fused[0] > 1.1 * ratio


def test_four_bit_prompts_were_slower_than_sixteen_bit_ones() -> None:
    # A100 PCIe, Llama-3-8B, 512 tokens: 7,741 tok/s in FP16 and 5,981 in Q4_K_M, whose weights a kernel widened first.
    ratio = _prompt_rate("a100-pcie", "llama-3-8b", "q4_k_m", 512) / _prompt_rate(
        "a100-pcie", "llama-3-8b", "fp16", 512
    )
    assert ratio == pytest.approx(5981 / 7741, rel=0.2)
    system = resolve(Request("apple-m2-ultra", "llama-3-8b", "llama.cpp@2024-05", weights="q4_k_m"))
    assert not any(row.op.startswith("widen") for row in system.prefill.rows)  # its kernels widen in registers


def test_pipelines_gain_what_their_host_runs_ahead() -> None:
    # Four A40 over one, 1,024 tokens in Q4_K_M: 4,842 / 3,241 = 1.49 with 32 layers, 263 / 240 = 1.10 with 80.
    gain = {
        model: _prompt_rate("a40", model, "q4_k_m", 1024, pp=4) / _prompt_rate("a40", model, "q4_k_m", 1024)
        for model in ("llama-3-8b", "llama-3-70b")
    }
    assert gain["llama-3-8b"] == pytest.approx(1.49, rel=0.15)
    assert gain["llama-3-70b"] == pytest.approx(1.10, rel=0.15)


def test_geforce_sums_in_sixteen_bits_at_twice_the_rate() -> None:
    # Llama-3-8B in FP16, 1,024 tokens: 9,056 tok/s on an RTX 4090, 4,315 on an RTX A6000; with sums in FP32 the peaks
    # are 165 and 155 TFLOP/s, with sums in FP16 330 and 155.
    ratio = _prompt_rate("rtx4090", "llama-3-8b", "fp16", 1024) / _prompt_rate("rtx-a6000", "llama-3-8b", "fp16", 1024)
    assert ratio == pytest.approx(9056 / 4315, rel=0.25)


def test_a_sum_across_servers_has_the_librarys_latency_and_crosses_twice() -> None:
    # InferenceX publishes 4,792, 1,020 and 497 tok/s per B200 in one server at speeds where 16 H100 in two reach 266,
    # 73 and 23: most of what lies between is latency.
    def sums(tp: int) -> float:
        system = resolve(Request("h100", "deepseek-r1", "sglang", tp=tp, ep=tp, weights="fp8"))
        return next(row.overhead for row in system.decode.rows if row.op == "all-reduce")

    system = resolve(Request("h100", "deepseek-r1", "sglang", tp=16, ep=16, weights="fp8"))
    achieved = system.rates.achieved
    assert achieved.collective_large is not None
    launch = system.rates.launch - system.rates.kernel
    assert sums(16) == pytest.approx(achieved.collective_large.value + 2 * NETWORK_LATENCY + launch)
    assert sums(8) < 0.5 * sums(16)
