"""Lower a model onto chips that pin layers to regions of on-chip memory: wafers and LPUs.

One sequence only ever uses the region that holds the current layer, so the rates are those of a region:

    t_stage = t0 + n_x * P / f + work / (cores * mu * f) + KV / (cores * kappa * f),   P = sqrt(cores per stage)

References
----------
.. [1] C. He et al., "WaferLLM: large language model inference at wafer scale", OSDI 2025, arXiv:2502.04563: the
   decode times from which t0, n_x and mu are fitted.
.. [2] P. Luczynski et al., "Near-optimal wafer-scale reduce", HPDC 2024, arXiv:2404.15888: hops cost cycles.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from roofline.dtypes import BYTES
from roofline.errors import RooflineError
from roofline.lower.cache import cache_entries
from roofline.lower.parameters import ffn_matrices, mixer_matrices
from roofline.lower.table import KV, LINK, OVERHEAD, WEIGHTS, Row, Table
from roofline.specs.layers import Moe

if TYPE_CHECKING:
    from roofline.lower.rates import Rates
    from roofline.specs.engine import SpatialEngine
    from roofline.specs.layers import Ffn, Mixer
    from roofline.specs.model import Model


def stages(model: Model, rates: Rates) -> int:
    """Return the regions that the model is pinned to: one per layer, and one for the LM head where it has its own."""
    engine = rates.engine.spatial
    return model.n_layers + (1 if engine is None or engine.head_stage else 0)


def region_cores(model: Model, rates: Rates) -> float:
    """Return the cores of one stage: an even split of the chips, or what the experiment fixed."""
    if rates.deployment.cores is not None:
        return float(rates.deployment.cores)
    spatial = rates.hardware.spatial
    assert spatial is not None and spatial.cores is not None
    return spatial.cores.value * rates.deployment.chips / stages(model, rates)


def active_elements(mixer: Mixer, ffn: Ffn, d_model: int) -> float:
    """Return the weights that one token multiplies in a layer: of the routed experts only the chosen ones."""
    total = 0.0
    for matrix in (*mixer_matrices(mixer, d_model), *ffn_matrices(ffn, d_model)):
        share = ffn.top_k / ffn.experts if matrix.split == "experts" and isinstance(ffn, Moe) else 1.0
        total += matrix.elements * share
    return total


def lower(model: Model, rates: Rates, phase: str) -> Table:
    """Return the operation table of one token (decode) or one chunk (prefill) through all stages of one copy.

    Parameters
    ----------
    model : Model
    rates : Rates
    phase : {"decode", "prefill"}

    Raises
    ------
    RooflineError
        If the engine has no constants for spatial chips.
    """
    if rates.ideal:
        return _naive(model, rates)
    engine = rates.engine.spatial
    if engine is None:
        raise RooflineError(
            f"engine {rates.engine.name!r} has no constants for {rates.hardware.name}, which pins layers to regions; "
            f"use --engine {rates.hardware.default_engine} or --engine ideal"
        )
    if engine.layer_dense is not None:
        rows = _constant_layers(model, rates, engine, phase)
    else:
        rows = _regions(model, rates, engine, phase)
    chips = rates.deployment.chips
    if engine.fixed:
        rows.append(Row("sampling", "once", OVERHEAD, overhead=engine.fixed.value))
    if engine.hop:
        rows.append(Row("chip hop", "once", LINK, count=float(chips), overhead=engine.hop.value))
    return Table(tuple(rows), 1.0)


def _regions(model: Model, rates: Rates, engine: SpatialEngine, phase: str) -> list[Row]:
    assert model.d_model and model.vocab_size and rates.hardware.spatial and rates.hardware.spatial.clock
    clock = rates.hardware.spatial.clock.value
    cores = region_cores(model, rates)
    macs = engine.macs_per_core_cycle
    if phase == "prefill" and engine.prefill_macs_per_core_cycle:
        macs = engine.prefill_macs_per_core_cycle
    rate = macs.value * clock  # multiply-adds per second and core
    side = math.sqrt(cores)
    rows = []
    for (mixer_name, ffn_name), layers in model.kinds.items():
        mixer, ffn = model.mixers[mixer_name], model.ffns[ffn_name]
        work = active_elements(mixer, ffn, model.d_model)
        width, transit = side, 0.0
        best = (2.0 * work / (engine.crossings.value * engine.macs_per_core_cycle.value)) ** (1 / 3)
        if phase == "decode" and rates.deployment.cores is None and best < side:
            # Beyond the side that balances work against crossings, d/dP (n_x P + W / (mu P^2)) = 0, more cores make a
            # layer slower: the layer takes a part of its region, and the token travels to it and back.
            width, transit = best, 2.0 * side / clock
        used = width * width
        name = " + ".join(n for n, part in ((mixer_name, mixer), (ffn_name, ffn)) if part.kind != "none")
        floor = engine.stage.value + engine.crossings.value * width / clock + transit
        rows.append(_stage(name, layers, work, used * rate, floor, rates))
        if engine.kv_bytes_per_core_cycle and mixer.kind != "none":
            rows += _kv(mixer, name, layers, cores * engine.kv_bytes_per_core_cycle.value * clock, rates)
    if engine.head_stage:
        head = float(model.d_model * model.vocab_size)
        floor = engine.stage.value + engine.crossings.value * side / clock
        once = _stage("lm_head", 1, head, cores * rate, floor, rates)
        rows.append(replace(once, flops_token=0.0, flops_sampled=once.flops_token))
    return rows


def _stage(name: str, layers: float, work: float, rate: float, floor: float, rates: Rates) -> Row:
    return Row(
        "stage",
        name,
        WEIGHTS,
        rates.deployment.weights,
        count=float(layers),
        flops_token=2.0 * work,
        seconds_per_flop=0.5 / rate,
        overhead=floor,
        overlap=1.0,
    )


def _kv(mixer: Mixer, name: str, layers: float, bandwidth: float, rates: Rates) -> list[Row]:
    return [
        Row(
            "kv read",
            name,
            KV,
            rates.deployment.kv,
            count=float(layers),
            bytes_entry=entry.elements * BYTES[rates.deployment.kv],
            ratio=float(entry.tokens_per_entry),
            cap=float(entry.cap_tokens) if entry.cap_tokens else 1e18,
            seconds_per_byte=1.0 / bandwidth,
        )
        for entry in cache_entries(mixer)
    ]


def _constant_layers(model: Model, rates: Rates, engine: SpatialEngine, phase: str) -> list[Row]:
    """Return layers of a fixed time each: all that is known of an LPU, whose makers size the chips per layer.

    A prefill chunk adds its arithmetic at the class's achieved fraction of the peak of the chips that hold a layer.
    """
    assert model.d_model and engine.layer_dense
    share = rates.deployment.chips / stages(model, rates)
    rows = []
    for (mixer_name, ffn_name), layers in model.kinds.items():
        mixer, ffn = model.mixers[mixer_name], model.ffns[ffn_name]
        if mixer.kind == "none" and not isinstance(ffn, Moe):
            continue
        time = engine.layer_moe if isinstance(ffn, Moe) and engine.layer_moe else engine.layer_dense
        flops = 2.0 * active_elements(mixer, ffn, model.d_model) if phase == "prefill" else 0.0
        name = " + ".join(n for n, part in ((mixer_name, mixer), (ffn_name, ffn)) if part.kind != "none")
        rows.append(
            Row(
                "stage",
                name,
                OVERHEAD,
                rates.deployment.weights,
                count=float(layers),
                flops_token=flops,
                seconds_per_flop=rates.gemm_seconds_per_flop(rates.deployment.weights) / share,
                overhead=time.value,
                overlap=1.0,
            )
        )
    return rows


def _naive(model: Model, rates: Rates) -> Table:
    """Return what a bandwidth roofline claims: active weights and KV over the headline bandwidth, all at once.

    A chip that holds whole layers is used one at a time, so one chip's bandwidth counts; where a layer spans several
    chips, all of them do.
    """
    assert model.d_model and model.vocab_size
    tier = rates.hardware.memory[0]
    assert tier.bandwidth is not None
    chips = rates.deployment.chips if rates.deployment.chips > stages(model, rates) else 1
    bandwidth = tier.bandwidth.value * chips
    peak = max(rates.peaks[rates.unit(rates.deployment.weights)], 1.0) * chips
    rows = []
    for (mixer_name, ffn_name), layers in model.kinds.items():
        mixer, ffn = model.mixers[mixer_name], model.ffns[ffn_name]
        elements = active_elements(mixer, ffn, model.d_model)
        rows.append(
            Row(
                "weights",
                f"{mixer_name} + {ffn_name}",
                dtype=rates.deployment.weights,
                count=float(layers),
                flops_token=2.0 * elements,
                bytes_fixed=elements * BYTES[rates.deployment.weights],
                seconds_per_flop=1.0 / peak,
                seconds_per_byte=1.0 / bandwidth,
            )
        )
    head = float(model.d_model * model.vocab_size)
    rows.append(
        Row(
            "lm_head",
            "once",
            dtype=rates.deployment.embeddings,
            flops_sampled=2.0 * head,
            bytes_fixed=head * BYTES[rates.deployment.embeddings],
            seconds_per_flop=1.0 / peak,
            seconds_per_byte=1.0 / bandwidth,
        )
    )
    return Table(tuple(rows), 1.0)
