"""What a chip and an engine reach together: achieved FLOP/s and bytes/s, latencies, with the engine's overheads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from roofline import dtypes

if TYPE_CHECKING:
    from roofline.specs.deployment import Deployment
    from roofline.specs.engine import Engine
    from roofline.specs.figure import Figure
    from roofline.specs.hardware import Achieved, Hardware, Link
    from roofline.specs.layers import Ffn, Mixer

#: Query rows that share a cache entry and fill a matrix unit's tile; below it decode attention wastes the unit.
TILE_ROWS = 64
#: Month that an engine without a date is of: that of the fit of the shipped constants.
TODAY = "2026-11"
#: Months in which what a new model's kernels lack falls to 1/e; errors on models left out of the fit tell 3 from 12
#: hardly apart.
TUNING_MONTHS = 6.0


@dataclass(frozen=True)
class Rates:
    """Achieved rates of one chip under one engine.

    Attributes
    ----------
    hardware : Hardware
    achieved : Achieved
        The chip's measured fractions over its class defaults; unused by the ideal engine.
    engine : Engine
    deployment : Deployment
    newness : float
        Share that is left of what the engine's kernels lack on the day of a model's release: 1 then, 0 for an old one.
    """

    hardware: Hardware
    achieved: Achieved
    engine: Engine
    deployment: Deployment
    newness: float = 0.0

    @property
    def ideal(self) -> bool:
        """True for the engine without any overhead."""
        return bool(self.engine.ideal)

    def _bandwidth(self, tier: int) -> float:
        memory = self.hardware.memory[tier].bandwidth
        assert memory is not None  # checked where the tier was chosen
        return memory.value

    @cached_property
    def peaks(self) -> dict[str, float]:
        """Dense peak by compute unit [FLOP/s]."""
        return {unit: figure.value for unit, figure in self.hardware.peak.items()}

    def unit(self, dtype: str) -> str:
        """Return the compute unit that multiplies weights of a format."""
        narrow = dtypes.BYTES[dtype] < dtypes.BYTES["fp16"] and self.deployment.activations is None
        if self.widens(dtype):
            dtype = "fp16"
        elif narrow and self.engine.int8_inputs and "int8" in self.peaks:
            return "int8"
        unit = dtypes.compute_unit(dtype, self.deployment.activations, self.peaks)
        if self.engine.half_sums and unit == "fp16" and dtypes.HALF_SUMS in self.peaks:
            unit = dtypes.HALF_SUMS
        # The bound takes what is fastest: some engine may.
        return "int8" if self.ideal and narrow and self.peaks.get("int8", 0.0) > self.peaks[unit] else unit

    def gemm_seconds_per_flop(self, dtype: str, *, moe: bool = False) -> float:
        """Return 1 / achieved FLOP/s of large matrix products with weights of a format [s]."""
        unit = self.unit(dtype)
        peak = self.peaks[unit]
        if self.ideal:
            return 1.0 / peak
        fraction = _by_unit(self.achieved.gemm, unit) * (self.engine.gemm.value if self.engine.gemm else 1.0)
        if unit == "int8" and self.engine.int8_inputs:
            fraction *= self.engine.int8_inputs.value
        if moe:
            # Grouped kernels widen narrow weights tile by tile, for every tile of tokens again.
            fraction *= _by_unit(self.achieved.moe_gemm, "widened" if self._widens_inside(dtype) else unit)
        return 1.0 / (peak * fraction)

    def weights_seconds_per_byte(self, dtype: str, *, moe: bool = False) -> float:
        """Return 1 / achieved bytes/s of streaming weights of a format [s]."""
        bandwidth = self._bandwidth(self.deployment.weights_tier)
        if self.ideal:
            return 1.0 / bandwidth
        size, rate = dtypes.BYTES[dtype], self.achieved.moe_widening
        if moe and rate is not None and self._widens_inside(dtype):
            # Bytes come as those of plain weights do; what slows narrow ones is what is done to them.
            memory = 1.0 / (bandwidth * _by_unit(self.achieved.weights, "bf16"))
            # GeForce chips sum products in FP32 at half the rate; their vector units are as many as others'.
            peak = max(self.peaks[self.unit(dtype)], self.peaks.get(dtypes.HALF_SUMS, 0.0))
            widening = 1.0 / (rate.value * peak * size)
            return max(memory, widening) + self.overlap * min(memory, widening)
        fraction = _by_unit(self.achieved.weights, "fp4" if size < 0.8 else "fp8" if size < 1.5 else "bf16")
        if moe and self.achieved.moe_weights:
            fraction *= self.achieved.moe_weights.value
        return 1.0 / (bandwidth * min(1.0, fraction))

    def _widens_inside(self, dtype: str) -> bool:
        """Return whether a product widens weights of a format to 16 bits on the way to the matrix unit."""
        unit = self.unit(dtype)
        return unit in ("bf16", "fp16") and dtypes.BYTES[dtype] < dtypes.BYTES[unit] and not self.widens(dtype)

    def attention_seconds_per_flop(self, phase: str, rows_per_entry: float) -> float:
        """Return 1 / achieved FLOP/s of attention arithmetic [s]; decode with few query rows per entry is slower."""
        peak = self.peaks[self.unit("bf16")]
        if self.ideal:
            return 1.0 / peak
        full = phase == "prefill" or rows_per_entry >= TILE_ROWS
        figure = self.achieved.attention_prefill_flops if full else self.achieved.attention_decode_flops
        assert figure is not None
        return 1.0 / (peak * figure.value * self._attention)

    @property
    def _attention(self) -> float:
        return self.engine.attention.value if self.engine.attention else 1.0

    @property
    def kv_seconds_per_byte(self) -> float:
        """1 / achieved bytes/s of reading the KV cache [s]."""
        bandwidth = self._bandwidth(self.deployment.kv_tier)
        if self.ideal:
            return 1.0 / bandwidth
        assert self.achieved.attention_decode_bytes is not None
        return 1.0 / (bandwidth * self.achieved.attention_decode_bytes.value * self._attention)

    def attention_floor(self, phase: str) -> float:
        """Return the shortest attention call [s]."""
        if self.ideal:
            return 0.0
        achieved = self.achieved
        figure = achieved.attention_prefill_floor if phase == "prefill" else achieved.attention_decode_floor
        assert figure is not None
        return figure.value + self.launch - self.kernel

    def score_seconds(self, width: float) -> float:
        """Return what a FLOP of attention over heads of such a width costs more where scores cross memory [s]."""
        passes = self.engine.score_passes
        # A pair of a head is 2 x width FLOPs and one score of four bytes.
        return (
            0.0 if self.ideal or passes is None else passes.value * 2.0 / width * self.weights_seconds_per_byte("fp16")
        )

    def widens(self, dtype: str) -> bool:
        """Return whether weights of a format are widened to 16 bits by a kernel of their own before a prefill."""
        vendors = self.engine.widens_on or ()
        return dtypes.BYTES[dtype] < dtypes.BYTES["fp16"] and self.hardware.vendor in vendors

    @property
    def slowness(self) -> float:
        """Time of the kernels of this model over what they take once they are tuned for it; wafers have no such."""
        if self.ideal or self.engine.untuned is None or self.hardware.execution == "spatial":
            return 1.0
        return 1.0 + self.engine.untuned.value * self.newness

    @property
    def attention_padding(self) -> float:
        """Pairs that a query of a prefill pays for beside those it attends to."""
        figure = self.achieved.attention_prefill_padding
        return 0.0 if self.ideal or figure is None else figure.value

    @property
    def elementwise_seconds_per_byte(self) -> float:
        """1 / achieved bytes/s of norms, residuals and activation functions [s]."""
        bandwidth = self._bandwidth(self.deployment.weights_tier)
        if self.ideal:
            return 1.0 / bandwidth
        assert self.achieved.elementwise is not None
        return 1.0 / (bandwidth * self.achieved.elementwise.value)

    @property
    def kernel(self) -> float:
        """The chip's shortest kernel [s]."""
        return 0.0 if self.ideal or self.achieved.kernel is None else self.achieved.kernel.value

    @property
    def launch(self) -> float:
        """Cost of one operation besides its work: shortest kernel plus the engine's launch [s]."""
        if self.ideal:
            return 0.0
        return self.kernel + (self.engine.launch.value if self.engine.launch else 0.0)

    def small_launches(self, mixer: Mixer, ffn: Ffn, fp4_products: float) -> float:
        """Return the small kernels of a layer with so many dense products in FP4, besides these and attention."""
        engine = self.engine
        figures = [engine.launches_per_layer]
        if ffn.kind == "moe":
            figures.append(engine.launches_moe)
        indexer = getattr(mixer, "indexer", None)
        if indexer is not None and indexer.mode != "shared":
            figures.append(engine.launches_index)
        if mixer.kind in ("mla", "compressed"):
            figures.append(engine.launches_latent)
        elif mixer.kind not in ("gqa", "none"):
            figures.append(engine.launches_state)
        if self.ideal:
            return 0.0
        quantised = fp4_products * engine.launches_fp4.value if engine.launches_fp4 else 0.0
        return quantised + sum(figure.value for figure in figures if figure)

    @property
    def moe_width(self) -> float:
        """Width of an expert's slice at which half of a grouped product is padding [elements]."""
        return 0.0 if self.ideal or self.achieved.moe_width is None else self.achieved.moe_width.value

    @property
    def moe_slice(self) -> float:
        """Size of an expert's slice at which half of the time to stream it is start-up [B]."""
        return 0.0 if self.ideal or self.achieved.moe_slice is None else self.achieved.moe_slice.value

    @property
    def moe_floor(self) -> float:
        """What a grouped expert product costs besides its work, over an ordinary one [s]."""
        return 0.0 if self.ideal or self.achieved.moe_floor is None else self.achieved.moe_floor.value

    @property
    def elementwise_passes(self) -> float:
        """Times the hidden state crosses memory per layer; an ideal engine keeps it on chip."""
        return 0.0 if self.ideal or self.engine.elementwise_passes is None else self.engine.elementwise_passes.value

    @property
    def overlap(self) -> float:
        """κ of this chip."""
        return 0.0 if self.ideal or self.achieved.overlap is None else self.achieved.overlap.value

    @property
    def imbalance(self) -> float:
        """Tokens of the busiest expert rank over the mean."""
        if self.ideal or self.engine.expert_imbalance is None or self.deployment.ep == 1:
            return 1.0
        return self.engine.expert_imbalance.value

    def link(self, group: int) -> Link | None:
        """Return the fabric that connects a group of chips: the fast one while the group fits in its domain."""
        fast = self.hardware.scale_up
        if fast is not None and group <= fast.domain:
            return fast
        return self.hardware.scale_out or fast


def _by_unit(fractions: dict[str, Figure], unit: str) -> float:
    """Return the fraction of a unit, or of the nearest unit that has one."""
    near = {"fp4": ("fp8", "int8", "bf16"), "fp8": ("int8", "bf16"), "int8": ("fp8", "bf16"), "fp16": ("bf16",)}
    near[dtypes.HALF_SUMS] = ("fp16", "bf16")
    near["widened"] = ("bf16",)
    for name in (unit, *near.get(unit, ()), "bf16", "fp16"):
        if name in fractions:
            return fractions[name].value
    return 0.5


def newness(release: str | None, date: str) -> float:
    """Return the share that is left, at an engine's date, of what its kernels lack when a model is released.

    Parameters
    ----------
    release, date : str
        YYYY (its middle), YYYY-MM or YYYY-MM-DD; a model without a release is an old one, an engine without a date is
        today's.
    """
    if release is None:
        return 0.0
    return math.exp(-max(0.0, _months(date or TODAY) - _months(release)) / TUNING_MONTHS)


def _months(date: str) -> float:
    year, _, rest = date.partition("-")
    return 12.0 * float(year) + (float(rest[:2]) if rest else 6.5)
