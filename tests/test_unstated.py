"""What a row leaves unsaid and its recipe says: the launch scripts of InferenceX, read 2026-11-23."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roofline import catalog, row, unstated
from roofline.errors import RooflineError
from roofline.measurements import Measurement, read_csv
from roofline.predict import predict

HEAD = "hardware,model,mode,metric,value,engine,weight_precision,kv_precision,isl,osl,batch,source,date\n"


@pytest.fixture
def made(tmp_path: Path) -> Measurement:
    path = tmp_path / "row.csv"
    path.write_text(
        HEAD + "b200,gpt-oss-120b,concurrency,tpot_ms,5,vllm,mxfp4,,1024,1024,8,InferenceX runs,2026-02-01\n"
    )
    (one,) = read_csv(path)
    return one


@pytest.mark.parametrize(
    ("hardware", "model", "engine", "weights", "cache"),
    [
        # benchmarks/gptoss_fp4_b200.sh asks for an FP8 cache, gptoss_fp4_h100.sh and gptoss_fp4_mi355x.sh do not.
        ("b200", "gpt-oss-120b", "vllm", "mxfp4", "fp8"),
        ("h100", "gpt-oss-120b", "vllm", "mxfp4", "bf16"),
        ("mi355x", "gpt-oss-120b", "vllm", "mxfp4", "bf16"),
        # gptoss_fp4_h200_trt.sh: auto; gptoss_fp4_b200_trt.sh and dsr1_fp8_h200_trt.sh: fp8.
        ("h200", "gpt-oss-120b", "tensorrt-llm", "mxfp4", "bf16"),
        ("b200", "gpt-oss-120b", "tensorrt-llm", "mxfp4", "fp8"),
        ("h200", "deepseek-r1", "tensorrt-llm", "fp8", "fp8"),
        # 70b_fp8_h200_slurm.sh and 70b_fp8_mi300x_slurm.sh: fp8.
        ("h200", "llama-3.3-70b", "vllm", "fp8", "fp8"),
        ("mi300x", "llama-3.3-70b", "vllm", "fp8", "fp8"),
        # dsr1_fp8_b200.sh: fp8_e4m3; dsr1_fp8_h200.sh: auto.
        ("b200", "deepseek-r1", "sglang", "fp8", "fp8"),
        ("h200", "deepseek-r1", "sglang", "fp8", "bf16"),
        # qwen3.5_bf16_b200.sh: nothing, so 16 bits.
        ("b200", "qwen3.5-397b-a17b", "sglang", "bf16", "bf16"),
    ],
)
def test_the_cache_is_the_recipes(
    made: Measurement, hardware: str, model: str, engine: str, weights: str, cache: str
) -> None:
    asked = row.request_of(replace(made, hardware=hardware, model=model, engine=engine, weight_precision=weights))
    # Two chips of a server hold none of these alone; the format does not depend on how many.
    system = row.system_of(replace(asked, chips=8, tp=8))
    assert system.deployment.kv.replace("fp16", "bf16") == cache


@pytest.mark.parametrize(
    ("engine", "weights", "cache"), [("vllm", "fp8", None), ("vllm", "nvfp4", "fp8"), ("sglang", "fp8", None)]
)
def test_a_server_started_by_hand_has_the_engines_default(
    made: Measurement, engine: str, weights: str, cache: str | None
) -> None:
    # Qwen3-8B on an H100, vLLM's issue 25915: FP8 weights gave 5,304 tok/s where BF16 gave 5,409, which an FP8 cache
    # would have nearly doubled. NVIDIA's NVFP4 checkpoints name an FP8 cache themselves.
    told = replace(made, source="a thread", engine=engine, model="llama-3.3-70b", weight_precision=weights)
    assert row.request_of(told).kv == cache


def test_a_server_started_by_hand_lacks_the_flags_of_recipes(made: Measurement) -> None:
    # SGLang's cookbook starts MiniMax-M2.5 on B200 with --tp 8 --ep 8 alone: 9.9 ms a token for one user.
    told = replace(made, source="SGLang cookbook", engine="sglang", model="minimax-m2.5", weight_precision="fp8", tp=8)
    told = replace(told, n_chips=8)
    alone = replace(told, batch=1, value=9.89)
    assert row.request_of(told).engine == "sglang-defaults@2026-02"
    assert predict(alone).value > predict(replace(alone, source="InferenceX runs")).value
    # A campaign gives its flags; on other vendors' chips there are none to give, and SGLang is another; kernel tables
    # and one's own runs name what they mean.
    for other in (
        replace(told, source="InferenceX runs"),
        replace(told, mode="decode_only"),
        replace(told, source=""),
    ):
        assert unstated.engine(other) == "sglang"
    assert unstated.engine(replace(told, hardware="mi355x")) == "sglang"
    assert unstated.engine(replace(told, engine="")) == ""


@pytest.mark.parametrize(
    ("engine", "version", "date", "mode", "month"),
    [
        # SGLang 0.5.1 is of August 2025 and 0.5.6 of December, TensorRT-LLM 1.0.0rc3 of July.
        ("sglang", "sglang 0.5.1.post1", "2026-04", "concurrency", "2025-11"),
        ("sglang", "sglang 0.5.6", "2026-03", "concurrency", "2026-03"),
        ("tensorrt-llm", "tensorrt-llm 1.0.0rc3", "2026-04", "concurrency", "2025-09"),
        ("tensorrt-llm", "tensorrt-llm 1.2.0rc2", "2025-12-17", "concurrency", "2025-12"),
        ("vllm", "rocm/vllm 0.11.1 (rocm7.0)", "2025-11", "concurrency", "2025-11"),
        ("vllm", "vllm 0.6.2", "2024-10", "concurrency", "2024-10"),
        ("vllm", "vllm nightly", "2026-04", "concurrency", "2026-04"),
        # A version alone says enough.
        ("sglang", "sglang 0.5.1.post1", "", "concurrency", "2025-11"),
        # Disaggregated runs tell Dynamo's version.
        ("tensorrt-llm", "tensorrt-llm 0.8.1.post1", "2026-02", "disagg", "2026-02"),
    ],
)
def test_an_old_version_is_not_made_new_by_when_it_was_told(
    made: Measurement, engine: str, version: str, date: str, mode: str, month: str
) -> None:
    told = replace(made, engine=engine, engine_version=version, date=date, mode=mode)
    assert row.request_of(told).engine == f"{engine}@{month}"


def test_a_stated_cache_is_kept(made: Measurement) -> None:
    assert row.request_of(replace(made, kv_precision="bf16")).kv == "bf16"


def test_ones_own_runs_have_the_engines_default(made: Measurement) -> None:
    assert row.request_of(made).kv == "fp8"
    assert row.request_of(replace(made, engine="vLLM")).kv == "fp8"
    for source in ("", "vllm bench serve"):
        assert row.request_of(replace(made, source=source)).kv is None


def test_lengths_are_drawn_below_what_is_stated(made: Measurement) -> None:
    # Even between 0.8 and 1.0 of the stated length: 0.9 in the mean.
    assert unstated.lengths(made) == pytest.approx((921.6, 921.6))
    assert unstated.lengths(replace(made, source="a vendor's page")) == (1024, 1024)


@pytest.mark.parametrize(
    ("hardware", "model", "engine", "weights", "users", "osl", "tp", "dp", "figures"),
    [
        # dsr1_fp8_b200.sh: --scheduler-recv-interval 30, below 16 users 10; dsr1_fp8_h200.sh: not set.
        ("b200", "deepseek-r1", "sglang", "fp8", 64, 1024, 8, 1, {"poll_steps": 30}),
        ("b200", "deepseek-r1", "sglang", "fp8", 8, 1024, 8, 1, {"poll_steps": 10}),
        ("h200", "deepseek-r1", "sglang", "fp8", 64, 1024, 8, 1, {}),
        # dsr1_fp8_mi300x.sh: --num-continuous-decode-steps=4.
        ("mi300x", "deepseek-r1", "sglang", "fp8", 64, 1024, 8, 1, {"poll_steps": 4}),
        # 70b_fp8_h200_trt_slurm.sh: batch_wait_timeout_iters 20 at 1,024/1,024 below TP 8, else not set.
        ("h200", "llama-3.3-70b", "tensorrt-llm", "fp8", 16, 1024, 4, 1, {"gather_steps": 20}),
        ("h200", "llama-3.3-70b", "tensorrt-llm", "fp8", 16, 1024, 8, 1, {}),
        ("h200", "llama-3.3-70b", "tensorrt-llm", "fp8", 16, 8192, 4, 1, {}),
        # dsr1_fp8_b200_trt.sh: batch_wait_timeout_iters 40 from 64 to 255 users.
        ("b200", "deepseek-r1", "tensorrt-llm", "fp8", 128, 1024, 8, 1, {"gather_steps": 40}),
        ("b200", "deepseek-r1", "tensorrt-llm", "fp8", 32, 1024, 8, 1, {}),
        # dsr1_fp4_b200_trt.sh: timeout_iters 60. 256 users end 0.25 answers of 1,024 a step: 8 ranks have one after 32.
        ("b200", "deepseek-r1", "tensorrt-llm", "nvfp4", 64, 1024, 8, 8, {"poll_steps": 60}),
        ("b200", "deepseek-r1", "tensorrt-llm", "nvfp4", 256, 1024, 8, 8, {"poll_steps": 32}),
        ("h100", "gpt-oss-120b", "vllm", "mxfp4", 64, 1024, 8, 1, {}),
    ],
)
def test_the_scheduler_is_the_recipes(
    made: Measurement,
    hardware: str,
    model: str,
    engine: str,
    weights: str,
    users: int,
    osl: int,
    tp: int,
    dp: int,
    figures: dict[str, float],
) -> None:
    one = replace(
        made, hardware=hardware, model=model, engine=engine, weight_precision=weights, batch=users, osl=osl, tp=tp
    )
    assert unstated.scheduler(one, dp) == figures
    assert unstated.scheduler(replace(one, source="a vendor's page"), dp) == {}


def test_a_campaign_that_is_told_again_is_known_by_its_model(made: Measurement) -> None:
    # Both dumps give 223.5 ms for Qwen3.5 on B200, BF16, 1,024 in and 8,192 out, 4 users, and 20 more such figures.
    again = replace(
        made, source="NVIDIA aiconfigurator silicon measurements", model="qwen3.5-397b-a17b", engine="sglang"
    )
    assert unstated.varied(again)
    assert unstated.lengths(again) == pytest.approx((921.6, 921.6))
    assert not unstated.varied(replace(again, model="qwen3-32b"))


def test_expert_parallel_is_not_taken_for_attention_dp(made: Measurement) -> None:
    # minimaxm2.5_fp8_h100.sh: --tensor-parallel-size=4 --enable-expert-parallel; the dump's columns say 4/4/1/16.
    note = "parallelism decoded from malformed source columns 4/4/1/16"
    one = replace(made, model="minimax-m2.5", weight_precision="fp8", n_chips=4, tp=1, dp=4, ep=4)
    told, stated = row.request_of(replace(one, notes=note)), row.request_of(one)
    assert (told.tp, told.dp, told.ep) == (4, 1, 4)
    assert (stated.tp, stated.dp, stated.ep) == (1, 4, 4)


@pytest.mark.parametrize(
    ("hardware", "weights"),
    # calibration.md of the submitters: FP4 where the chip multiplies it, else FP8; A100 has neither.
    [("b200", "nvfp4"), ("mi355x", "nvfp4"), ("h200", "fp8"), ("mi300x", "fp8"), ("a100", None)],
)
def test_submissions_to_mlperf_are_quantised(made: Measurement, hardware: str, weights: str | None) -> None:
    one = replace(made, engine="mlperf", source="MLPerf Inference v5.1", weight_precision="", model="llama-2-70b")
    one = replace(one, hardware=hardware, mode="offline_throughput")
    asked = row.request_of(one)
    assert asked.weights == weights
    assert asked.kv == ("fp8" if weights else None)


def test_servers_of_mlperf_keep_the_latencies_of_their_scenario(made: Measurement) -> None:
    # mlperf.conf: llama2-70b TTFT 2,000 ms, TPOT 200 ms; interactive 450 and 40.
    one = replace(made, engine="mlperf", source="MLPerf Inference v5.1", model="llama-2-70b", mode="server", notes="")
    assert unstated.limits(one) == (2.0, 0.2)
    assert unstated.limits(replace(one, notes="llama2-70b Interactive")) == (0.45, 0.04)
    assert unstated.limits(replace(one, model="gemma-2b")) is None
    assert unstated.limits(replace(one, engine="vllm", source="a vendor's page")) is None


def test_quantised_models_on_gaudi_keep_an_eight_bit_cache(made: Measurement) -> None:
    one = replace(made, hardware="gaudi3", engine="optimum-habana", model="llama-3.1-8b", mode="static_batch")
    assert row.request_of(replace(one, weight_precision="fp8")).kv == "fp8"
    assert row.request_of(replace(one, weight_precision="bf16")).kv is None


def test_a_version_that_is_no_number_is_refused(tmp_path: Path) -> None:
    # It would be before no version, and every row would be taken for today's.
    path = tmp_path / "mine.toml"
    head = 'name = "mine"\nparent = "vllm"\nsource = "mine"\nchecked = "2026-11-28"\nkind = "estimate"\n'
    path.write_text(head + '[[epochs]]\nuntil = "2025-11"\nbefore = "latest"\n')
    with pytest.raises(RooflineError, match=r"mine.toml: epochs.before: 'latest' is no version"):
        catalog.engine(str(path))
