"""What a published row leaves unsaid and its recipe says: the cache's format, and how the lengths were drawn.

A serving benchmark rarely states the format of its KV cache. The recipes that are public keep it in eight bits where
the weights are a quantised copy that carries the cache's scales, and on Blackwell throughout [1]_ [2]_. A fit that took
such caches for 16-bit ones would put the difference on the chip.

References
----------
.. [1] SemiAnalysis, InferenceX, ``benchmarks/``: the launch scripts ask for an FP8 cache for Llama 3.3 70B on every
   chip and for gpt-oss on B200 alone, for DeepSeek-R1 and Qwen3.5 on B200; Hopper's SGLang and gpt-oss runs leave it
   ``auto``, which is 16 bits: https://github.com/SemiAnalysisAI/InferenceX (read 2026-11-23).
.. [2] NVIDIA TensorRT-LLM, deployment guides: ``kv_cache_config: dtype: fp8``:
   https://nvidia.github.io/TensorRT-LLM/
.. [3] The same repository, ``utils/bench_serving/benchmark_serving.py`` and ``.github/workflows/benchmark-tmpl.yml``:
   lengths are drawn evenly from 0.8 of the stated one to all of it.
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
#: And whose lengths are drawn some other way, around the means that they state.
VARIED = (*DRAWN, "sglang cookbook")
#: Modes of serving benchmarks: others state their formats, or hold kernels alone.
SERVED = ("concurrency", "disagg", "offline_throughput", "server")


def cache(m: Any, weights: str | None) -> str | None:
    """Return the format of the cache that the recipe of a row asks for; None: the engine's own default.

    Parameters
    ----------
    m : Measurement
        A row that states no cache format.
    weights : str or None
        Its weights' format, canonical.
    """
    if m.mode not in SERVED or weights is None or BYTES[weights] > 1.2 or not m.engine or not _is_published(m):
        return None
    blackwell = _is_blackwell(catalog.hardware(m.hardware))
    engine = catalog.label("engines", m.engine)
    if engine == "tensorrt-llm":
        eight_bits = blackwell or weights != "mxfp4"
    elif engine == "vllm":
        shipped = catalog.model(m.model).precision
        copy = min(BYTES[shipped.weights], BYTES[shipped.experts or shipped.weights]) > 1.2
        eight_bits = copy or (blackwell and BYTES[weights] < 1.0)
    else:
        eight_bits = engine == "sglang" and blackwell
    return "fp8" if eight_bits else None


def _is_published(m: Any) -> bool:
    """Return whether a row was published, and so ran by a recipe: one's own runs have the engine's default."""
    return bool(m.source) and m.source not in GENERATORS.values()


def _is_blackwell(chip: Hardware) -> bool:
    return chip.vendor == "NVIDIA" and "fp4" in chip.peak


def lengths(m: Any) -> tuple[float, float]:
    """Return the mean lengths that ran [tokens]: some sources draw them below the ones they state."""
    drawn = m.mode in ("concurrency", "disagg") and _from(m, DRAWN)
    share = DRAWN_MEAN if drawn else 1.0
    return max(1.0, share * m.isl), max(1.0, share * m.osl)


def varied(m: Any) -> bool:
    """Return whether the requests of a row are known to differ in length."""
    return _from(m, VARIED)


def _from(m: Any, names: tuple[str, ...]) -> bool:
    return any(name in m.source.lower() for name in names)
