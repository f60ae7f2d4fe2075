"""Formats that weights, experts and the cache are stored in: what the user says, else what the checkpoint ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofline import dtypes
from roofline.specs.deployment import Deployment
from roofline.specs.layers import Moe

if TYPE_CHECKING:
    from roofline.resolve import Loaded, Request


def chosen(request: Request, specs: Loaded) -> tuple[Deployment, list[str]]:
    """Choose stored formats: what the user says, what a wafer stores, or what the checkpoint ships."""
    given = {
        name: dtypes.normalise(value, f"--{name}")
        for name in ("weights", "experts", "kv", "activations")
        if (value := getattr(request, name)) is not None
    }
    shipped, spatial = specs.model.precision, specs.hardware.spatial
    if spatial is not None:
        weights = given.get("weights", spatial.weights)
        experts, embeddings = given.get("experts", weights), weights
        kv = given.get("kv", "fp16")
    else:
        weights, experts = _of_copy(specs, given.get("weights"), given.get("experts"))
        # Quantised checkpoints leave embedding table and head in 16 bits, except llama.cpp's.
        whole = dtypes.BYTES[weights] >= 2 or weights.startswith("q")
        own = shipped.embeddings if "weights" not in given else None
        embeddings = own or (weights if whole else "bf16")
        kv = given.get("kv", shipped.kv or "bf16")
    formats = (weights, experts, embeddings, kv)
    weights, experts, embeddings, kv = (dtypes.normalise(f) for f in formats)
    deployment = Deployment(
        weights=weights, experts=experts, embeddings=embeddings, kv=kv, activations=given.get("activations")
    )
    notes = []
    peaks = {unit: figure.value for unit, figure in specs.hardware.peak.items()}
    for dtype in dict.fromkeys((weights, experts)):
        wanted, got = dtypes.COMPUTE[dtype], dtypes.compute_unit(dtype, None, peaks)
        if got != wanted and {got, wanted} != {"bf16", "fp16"}:
            notes.append(
                f"{specs.hardware.name} has no {wanted} units: {dtype} weights are stored so, computed in {got}"
            )
    return deployment, notes


#: Formats whose copies of models with experts keep all else as it was shipped [1]_.
FOUR_BITS = ("nvfp4", "mxfp4")
#: Engines of GGML: their files keep in 8 bits what is beside experts that are shipped in 4 [2]_.
GGML = ("llama.cpp", "ollama")


def _of_copy(specs: Loaded, weights: str | None, experts: str | None) -> tuple[str, str]:
    """Return the formats of all weights but the routed experts', and of those, in a copy that a format names.

    References
    ----------
    .. [1] DeepSeek-R1, Qwen3-235B and Qwen3.5 in 4 bits by NVIDIA and AMD: attention in 16 or 8 bits, experts in FP4:
       https://github.com/NVIDIA/Model-Optimizer/issues/150, https://github.com/ROCm/ATOM/pull/527,
       https://github.com/sgl-project/sglang/pull/18189, https://github.com/SemiAnalysisAI/InferenceX/pull/2205
    .. [2] https://huggingface.co/ggml-org/gpt-oss-20b-GGUF: 12.1 GB, where 16-bit attention would make it 13.8.
    """
    shipped = specs.model.precision
    routed = any(isinstance(ffn, Moe) for ffn in specs.model.ffns.values())
    narrow = shipped.experts is not None and dtypes.BYTES[dtypes.normalise(shipped.experts)] < 1.0
    rest = "q8_0" if narrow and specs.names[2].partition("@")[0] in GGML else shipped.weights
    if weights is None:
        return rest, experts or shipped.experts or rest
    if experts is None and ((routed and weights in FOUR_BITS) or (narrow and dtypes.BYTES[weights] < 1.0)):
        return shipped.beside or rest, weights
    return weights, experts or weights
