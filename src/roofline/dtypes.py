"""Number formats: how many bytes a stored element takes, scales included, and which units compute with it."""

from __future__ import annotations

from roofline.errors import RooflineError, suggest

#: Stored bytes per element, block scales included.
#: nvfp4: 4 bits + one fp8 scale per 16 = 4.5 bits; mxfp4: 4 bits + one e8m0 scale per 32 = 4.25 bits;
#: int4: 4 bits + fp16 scale and zero per 128 = 4.25 bits; int4_g32: + fp16 scale per 32 = 4.5 bits;
#: q4_k_m: 4.85 bits on average over a checkpoint, the other mixtures of GGML 3.16, 4.00, 4.67, 5.70 and 6.56, as its
#: tools/quantize/README.md tells them of Llama 3.1 8B; q4_1, q5_0: 4 and 5 bits + two and one fp16 per 32;
#: q8_0: 8 bits + fp16 scale per 32 = 8.5 bits; fp8_block: fp32 scale per 128x128 block, below 0.03 %.
BYTES: dict[str, float] = {
    "fp32": 4.0,
    "tf32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "fp8_block": 1.0,
    "mxfp8": 1.03125,
    "int8": 1.0,
    "q8_0": 1.0625,
    "nvfp4": 0.5625,
    "mxfp4": 0.53125,
    "int4": 0.53125,
    "int4_g32": 0.5625,
    "q4_0": 0.5625,
    "q4_k_m": 0.60625,
    "q2_k": 0.395,
    "q3_k_m": 0.5,
    "q4_k_s": 0.584,
    "q4_1": 0.625,
    "q5_0": 0.6875,
    "q5_k_m": 0.713,
    "q6_k": 0.82,
}

#: The unit that multiplies weights of a format when activations come in their usual format.
#: Weight-only formats (int4, and those of GGML) are widened to 16 bits before the multiplication; GGML widens to FP16.
COMPUTE: dict[str, str] = {
    "fp32": "fp32",
    "tf32": "tf32",
    "bf16": "bf16",
    "fp16": "fp16",
    "fp8": "fp8",
    "fp8_block": "fp8",
    "mxfp8": "fp8",
    "int8": "int8",
    "q8_0": "fp16",
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "int4": "bf16",
    "int4_g32": "bf16",
    "q4_0": "fp16",
    "q4_k_m": "fp16",
    "q2_k": "fp16",
    "q3_k_m": "fp16",
    "q4_k_s": "fp16",
    "q4_1": "fp16",
    "q5_0": "fp16",
    "q5_k_m": "fp16",
    "q6_k": "fp16",
}

#: Names of the units whose peak a chip file may state.
UNITS = ("fp4", "fp8", "int8", "fp16_half", "bf16", "fp16", "tf32", "fp32")
#: FP16 products summed in FP16: twice the rate on chips that halve it for sums in FP32.
HALF_SUMS = "fp16_half"

#: Units to try in turn when the chip has none for a format: the next wider one.
_WIDER: dict[str, tuple[str, ...]] = {
    # Kernels for chips without the unit widen 4-bit weights to 16 bits, whatever else the chip has.
    "fp4": ("fp4", "bf16", "fp16", "tf32", "fp32"),
    "fp8": ("fp8", "bf16", "fp16", "tf32", "fp32"),
    "int8": ("int8", "bf16", "fp16", "tf32", "fp32"),
    "bf16": ("bf16", "fp16", "tf32", "fp32"),
    "fp16": ("fp16", "bf16", "tf32", "fp32"),
    "tf32": ("tf32", "fp32", "bf16"),
    "fp32": ("fp32", "tf32", "bf16", "fp16"),
}

_ALIASES = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "fp8_e4m3": "fp8",
    "fp8e4m3": "fp8",
    "e4m3": "fp8",
    "fp4": "nvfp4",
    "awq": "int4",
    "gptq": "int4",
    "8bit": "int8",
    "4bit": "int4",
}


def normalise(name: str, what: str = "dtype") -> str:
    """Return the canonical name of a format.

    Raises
    ------
    RooflineError
        If no such format is known; the message lists them.
    """
    key = name.strip().lower().replace("-", "_")
    key = _ALIASES.get(key, _ALIASES.get(key.replace("_", ""), key))
    if key not in BYTES:
        raise RooflineError(f"{what}: unknown dtype {name!r}{suggest(key, list(BYTES))}; known: {', '.join(BYTES)}")
    return key


def compute_unit(weights: str, activations: str | None, peaks: dict[str, float]) -> str:
    """Return the name of the chip's unit that multiplies such weights by such activations.

    Parameters
    ----------
    weights, activations : str
        Stored formats; activations None means the format's usual partner.
    peaks : dict of str to float
        The chip's dense peak by unit name [FLOP/s].

    Returns
    -------
    str
        A key of `peaks`: the unit for the wider of the two formats, or the next wider one that the chip has.
    """
    unit = COMPUTE[weights]
    if activations is not None:
        partner = COMPUTE[activations]
        rank = ("fp4", "fp8", "int8", "bf16", "fp16", "tf32", "fp32")
        unit = max(unit, partner, key=rank.index)
    for candidate in _WIDER[unit]:
        if candidate in peaks:
            return candidate
    # None is as wide: the widest there is.
    return max(peaks, key=UNITS.index)
