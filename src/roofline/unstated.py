"""What a published row leaves unsaid and its recipe says: cache format, lengths, how often its scheduler looks.

A serving benchmark rarely states the format of its KV cache. The recipes of campaigns that are public keep it in eight
bits where the weights are a quantised copy that carries the cache's scales, and on Blackwell throughout [1]_ [2]_. A
fit that took such caches for 16-bit ones would put the difference on the chip. Who starts a server by hand has the
engine's default, `auto`: eight bits for a 4-bit floating-point copy, whose files carry the scales [8]_, else the format
of the model.

References
----------
.. [1] SemiAnalysis, InferenceX, ``benchmarks/``: the launch scripts ask for an FP8 cache for Llama 3.3 70B on every
   chip and for gpt-oss on B200 alone, for DeepSeek-R1 and Qwen3.5 on B200; Hopper's SGLang and gpt-oss runs leave it
   ``auto``, which is 16 bits: https://github.com/SemiAnalysisAI/InferenceX (read 2026-11-23).
.. [2] NVIDIA TensorRT-LLM, deployment guides: ``kv_cache_config: dtype: fp8``:
   https://nvidia.github.io/TensorRT-LLM/
.. [3] The same repository, ``utils/bench_serving/benchmark_serving.py`` and ``.github/workflows/benchmark-tmpl.yml``:
   lengths are drawn evenly from 0.8 of the stated one to all of it.
.. [4] The same repository, ``benchmarks/``: SGLang on B200 looks for new prompts every 30 steps, below 16 users every
   10 (``--scheduler-recv-interval``); on Hopper the scripts leave it at 1; on AMD it decodes 4 steps at a time
   (``--num-continuous-decode-steps``). TensorRT-LLM gathers prompts for 20 steps for Llama 3.3 70B at 1,024 in and out
   on fewer than 8 chips, and for 40 for DeepSeek-R1 in FP8 on B200 from 64 to 255 users
   (``batch_wait_timeout_iters``). With attention-DP it looks every 60 steps, gpt-oss 50, or when every rank has a
   prompt (``attention_dp_config``; ``tensorrt_llm/_torch/pyexecutor/py_executor.py``) (read 2026-11-24).
.. [5] The same repository, ``benchmarks/single_node/minimaxm2.5_*.sh``: vLLM gets ``--tensor-parallel-size`` and
   ``--enable-expert-parallel``, and no ``--data-parallel-size`` (read 2026-11-24).
.. [6] MLCommons, inference rules and its posts on rounds 4.0 to 6.1: latencies of the 99th percentile per benchmark;
   ``closed/*/documentation/calibration.md`` of the results: weights and caches in the narrowest floating-point format
   that the chip multiplies, https://github.com/mlcommons (read 2026-11-28).
.. [7] Hugging Face, optimum-habana, ``examples/text-generation/quantization_config/maxabs_quant.json``: its list of
   types is empty, so every kind of module that can be is quantised, caches among them,
   https://github.com/huggingface/optimum-habana (read 2026-11-28).
.. [8] NVIDIA Model Optimizer, ``hf_quant_config.json`` of its NVFP4 checkpoints: ``kv_cache_quant_algo: FP8``; vLLM,
   ``--kv-cache-dtype auto``: https://docs.vllm.ai/en/latest/features/quantization/quantized_kvcache/
.. [9] SGLang, server arguments: ``--enable-flashinfer-allreduce-fusion``, ``--moe-runner-backend``,
   ``--attention-backend``, https://docs.sglang.ai; the recipes of [1]_ give them on NVIDIA's chips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofline import catalog
from roofline.dtypes import BYTES
from roofline.measurements.loadgen import GENERATORS

if TYPE_CHECKING:
    from roofline.specs.hardware import Hardware

#: Mean of lengths that are even between 0.8 and 1 of the stated one [3].
DRAWN_MEAN = 0.9
#: How the name of a source begins or contains whose lengths are drawn so.
DRAWN = ("inferencex", "inferencemax")
#: How the name of a source contains who runs by public recipes.
CAMPAIGNS = (*DRAWN, "nvidia", "aiconfigurator")
#: Whose lengths are drawn some other way, around the means that they state.
VARIED = ("sglang cookbook",)
#: Source and model of runs of the former that are told again: where both tell a run, their figures are the same.
RETOLD = ("aiconfigurator silicon measurements", "qwen3.5")
#: Latencies that an MLPerf server keeps in 99 of 100 cases, by model: TTFT and TPOT [s], those of its interactive
#: scenario behind them [6].
MLPERF_LIMITS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "llama-2-70b": ((2.0, 0.2), (0.45, 0.04)),
    "mixtral-8x7b": ((2.0, 0.2), (0.45, 0.04)),
    "llama-3.1-405b": ((6.0, 0.175), (4.5, 0.08)),
    "llama-3.1-8b": ((2.0, 0.1), (0.5, 0.03)),
    "deepseek-r1": ((2.0, 0.08), (1.5, 0.015)),
    "gpt-oss-120b": ((3.0, 0.08), (2.0, 0.015)),
}
#: Modes of serving benchmarks: others state their formats, or hold kernels alone.
SERVED = ("concurrency", "disagg", "offline_throughput", "server")


def month(m: Any, name: str) -> str:
    """Return the month of the engine's release: the row's date, or earlier if its version is told and older.

    Disaggregated runs tell the version of the router before the engines.
    """
    date: str = m.date[:7]
    return date if m.mode == "disagg" else catalog.engine(name).month(date, m.engine_version)


def engine(m: Any) -> str:
    """Return the profile of the engine that ran a row: SGLang without the flags of a campaign is another [9]."""
    if not m.engine:
        return ""
    chip = catalog.hardware(m.hardware)
    by_hand = m.mode in SERVED and _is_published(m) and not _from(m, CAMPAIGNS)
    if by_hand and chip.vendor == "NVIDIA" and catalog.label("engines", m.engine) == "sglang":
        return "sglang-defaults"
    return catalog.port(m.engine, chip.hardware_class)


def cache(m: Any, weights: str | None) -> str | None:
    """Return the format of the cache that the recipe of a row asks for; None: the engine's own default.

    Parameters
    ----------
    m : Measurement
        A row that states no cache format.
    weights : str or None
        Its weights' format, canonical.
    """
    if weights is None or BYTES[weights] > 1.2 or not m.engine or not _is_published(m):
        return None
    if is_mlperf(m) or catalog.label("engines", m.engine) == "optimum-habana":
        return "fp8"  # [6], [7]
    if m.mode not in SERVED:
        return None
    blackwell = _is_blackwell(catalog.hardware(m.hardware))
    engine = catalog.label("engines", m.engine)
    shipped = catalog.model(m.model).precision
    narrowest = min(BYTES[shipped.weights], BYTES[shipped.experts or shipped.weights])
    if engine == "tensorrt-llm":
        eight_bits = blackwell or weights != "mxfp4"
    elif not _from(m, CAMPAIGNS):
        eight_bits = weights in ("nvfp4", "mxfp4") and BYTES[weights] < narrowest  # [8]
    elif engine == "vllm":
        eight_bits = narrowest > 1.2 or (blackwell and BYTES[weights] < 1.0)
    else:
        eight_bits = engine == "sglang" and blackwell
    return "fp8" if eight_bits else None


def is_mlperf(m: Any) -> bool:
    """Return whether a row is a submission to MLPerf."""
    return "mlperf" in f"{m.engine} {m.source}".lower()


def weights(m: Any) -> str | None:
    """Return the format of weights that a row leaves out; None: as the checkpoint ships them."""
    if not is_mlperf(m):
        return None
    peak = catalog.hardware(m.hardware).peak
    return "nvfp4" if "fp4" in peak else "fp8" if "fp8" in peak else None


def limits(m: Any) -> tuple[float, float] | None:
    """Return the TTFT and TPOT that a server keeps in 99 of 100 cases [s]; None where nobody says."""
    if not is_mlperf(m):
        return None
    server, interactive = MLPERF_LIMITS.get(catalog.label("models", m.model), (None, None))
    return interactive if "interactive" in f"{m.notes} {m.source} {m.source_ref}".lower() else server


def _is_published(m: Any) -> bool:
    """Return whether a row was published, and so ran by a recipe: one's own runs have the engine's default."""
    return bool(m.source) and m.source not in GENERATORS.values()


def _is_blackwell(chip: Hardware) -> bool:
    return chip.vendor == "NVIDIA" and "fp4" in chip.peak


def lengths(m: Any) -> tuple[float, float]:
    """Return the mean lengths that ran [tokens]: some sources draw them below the ones they state."""
    share = DRAWN_MEAN if m.mode in ("concurrency", "disagg") and _drawn(m) else 1.0
    return max(1.0, share * m.isl), max(1.0, share * m.osl)


def varied(m: Any) -> bool:
    """Return whether the requests of a row are known to differ in length."""
    return _drawn(m) or _from(m, VARIED)


def scheduler(m: Any, dp: int) -> dict[str, float]:
    """Return the figures of the scheduler that a row's recipe sets [4]; what it leaves out, the profile says.

    Parameters
    ----------
    m : Measurement
        A closed loop.
    dp : int
        Its attention-DP ranks.
    """
    if not _drawn(m):
        return {}
    chip = catalog.hardware(m.hardware)
    engine, blackwell = catalog.label("engines", m.engine), _is_blackwell(chip)
    if engine == "sglang" and blackwell:
        return {"poll_steps": 30.0 if m.batch >= 16 else 10.0}
    if engine == "sglang" and chip.vendor == "AMD":
        return {"poll_steps": 4.0}
    if engine != "tensorrt-llm":
        return {}
    if dp > 1:
        # Its count runs on while there is none to wait for.
        most = 60.0 if m.model.startswith("deepseek") else 50.0
        return {"poll_steps": max(1.0, min(most, dp * m.osl / m.batch))}
    short = m.isl == m.osl == 1024
    if short and m.model.startswith("llama-3.3-70b") and (m.tp or 1) < 8:
        return {"gather_steps": 20.0}
    if short and m.model.startswith("deepseek") and blackwell and m.weight_precision == "fp8" and 64 <= m.batch < 256:
        return {"gather_steps": 40.0}
    return {}


def attention_dp(m: Any) -> bool:
    """Return whether a row's attention-DP ranks are what ran: one dump calls tensor and expert parallel so [5]."""
    return not (_drawn(m) and "malformed" in m.notes and catalog.label("engines", m.engine) == "vllm")


def _drawn(m: Any) -> bool:
    source, model = RETOLD
    return _from(m, DRAWN) or (_from(m, (source,)) and m.model.startswith(model))


def _from(m: Any, names: tuple[str, ...]) -> bool:
    return any(name in m.source.lower() for name in names)
