"""A serving engine: what software adds on top of the silicon."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roofline.specs.figure import STRICT, Bytes, Count, Fraction, Number, Seconds, Share, Sourced


@dataclass(frozen=True, kw_only=True)
class SpatialEngine:
    """Constants of an engine that pins layers to regions of on-chip memory. See docs/model.md, "Spatial chips"."""

    __pydantic_config__ = STRICT

    stage: Seconds
    """t0: kernel start, software routing, norms and softmax of one layer [s]."""
    crossings: Number
    """n_x: region crossings per layer."""
    macs_per_core_cycle: Number
    """mu: 16-bit multiply-adds a core reaches in one cycle."""
    kv_bytes_per_core_cycle: Number | None = None
    """KV bytes a core reads in one cycle; absent where the engine's own measurements show no slope."""
    prefill_tokens: Count | None = None
    """c: prompt tokens a stage handles at a time."""
    prefill_macs_per_core_cycle: Number | None = None
    """Multiply-adds a core reaches in one cycle of prefill."""
    fixed: Seconds | None = None
    """Sampling and host, once per token [s]."""
    hop: Seconds | None = None
    """One crossing from chip to chip [s]."""
    head_stage: bool = False
    """True where the LM head is a stage of its own."""
    layer_dense: Seconds | None = None
    """Where no mechanism is known: the time of a dense layer, whatever its size [s]."""
    layer_moe: Seconds | None = None
    """The same for a mixture-of-experts layer [s]."""
    served_layer: Seconds | None = None
    """As served, speculation undisclosed: seconds per layer and token [s]."""
    served_range: Number | None = None
    """Typical factor between such a figure and a published reading."""
    served_worst: Number | None = None
    """Largest factor seen between such a figure and a published reading."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What differs between an engine's releases: its overheads and limits."""

    launch: Seconds | None = None
    """Added to the chip's shortest kernel for each operation [s]."""
    launches_per_layer: Number | None = None
    """Small kernels per layer besides the matrix products, attention and collectives."""
    launches_moe: Number | None = None
    """More of them in a layer of experts: scores, top-k, sorting tokens to experts and back."""
    launches_latent: Number | None = None
    """More of them in a layer of latent or compressed attention: norms, rotary parts, copies."""
    launches_index: Number | None = None
    """More of them where an indexer chooses what is attended to: norms, rotation, quantisation, sorting."""
    launches_state: Number | None = None
    """More of them in a recurrent layer: convolution, gates, norms."""
    launches_fp4: Number | None = None
    """More of them for each dense product in FP4: its input is quantised block by block, in a kernel of its own."""
    untuned: Number | None = None
    """What the kernels of a model take longer on the day of its release, as a share of what they take once their tiles,
    fusions and backends are chosen for it; it fades by e in six months."""
    elementwise_passes: Number | None = None
    """Times the hidden state crosses memory per layer: norms, residuals, rotary, quantisation."""
    host_per_step: Seconds | None = None
    """Scheduler, sampling and launch time that no kernel hides, per step [s]."""
    host_per_sequence: Seconds | None = None
    """The same, per sequence of the batch [s]."""
    isolated_gap: Seconds | None = None
    """What a decode kernel timed alone takes longer than the same kernel in a captured graph, where the start of one
    hides behind the end of the last: tables of kernel timings compose steps from such timings [s]."""
    isolated_prefill: Number | None = None
    """A large kernel timed alone over the same kernel in service: alone, a chip clocks higher than under load."""
    isolated_experts: dict[str, Number] | None = None
    """The same of grouped expert products, by compute unit: the tables time them with a skew of their own choice."""
    isolated_quantise: Seconds | None = None
    """Quantising the input of an 8- or 4-bit product where such a table times it by itself; serving fuses it [s]."""
    expert_imbalance: Number | None = None
    """Tokens of the busiest expert rank over the mean."""
    prefill_launch: Seconds | None = None
    """Host time of an operation of a prefill, whose shapes no graph holds: host and chip run side by side, and the
    slower is the step [s]."""
    request: Seconds | None = None
    """What a request waits for besides prefill: HTTP, scheduling, the first step's turn [s]."""
    request_per_token: Seconds | None = None
    """Tokenisation and transport per prompt token [s]."""
    steps_ahead: Number | None = None
    """Decode steps that pass before the prefill of a new prompt: under way, queued on the chip, with others' chunks."""
    poll_steps: Count | None = None
    """Decode steps between two looks of the scheduler for new prompts, where not each (SGLang:
    ``--scheduler-recv-interval``); those that came meanwhile are prefilled together."""
    gather_steps: Number | None = None
    """Decode steps that a prompt waits, at most, for others that fill a chunk (TensorRT-LLM:
    ``batch_wait_timeout_iters``)."""
    bunched: Share | None = None
    """Share of a closed loop's prompts that come at once with everybody else's where all requests are of one length:
    benchmarks start all users together, and those that were prefilled together end together."""
    kv_memory: Share | None = None
    """Share of memory that weights and KV cache may fill."""
    kv_of_free: bool | None = None
    """True: `kv_memory` is the share that the KV cache gets of what weights leave free."""
    state_memory: Share | None = None
    """Share of what weights leave that is set apart for recurrent states, where KV cache and states share no room."""
    state_slots: Count | None = None
    """Recurrent states that a running sequence holds: its own and those kept for prefixes to come."""
    prefill_tokens: Count | None = None
    """Chunk of a prompt that one step takes."""
    max_batch: Count | None = None
    """Most sequences the engine decodes together."""
    gemm: Fraction | None = None
    """Matrix products relative to the chip's achieved fraction."""
    attention: Fraction | None = None
    """Attention relative to the chip's achieved fraction."""
    score_passes: Number | None = None
    """Times that attention scores cross memory in 32 bits where attention is not one fused kernel."""
    widens_on: tuple[str, ...] | None = None
    """Vendors on whose chips a kernel of its own widens the weights of each prefill chunk to 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Small:
    """Limits that an engine chooses where a chip is small."""

    __pydantic_config__ = STRICT

    below: Bytes
    """Memory of a chip below which they hold [B]."""
    chips: tuple[str, ...] = ()
    """Chips with more memory where they hold too."""
    max_batch: Count | None = None
    prefill_tokens: Count | None = None


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers: (1, 2, 0) of "tensorrt-llm 1.2.0rc6"; nothing where it has no dots."""
    found = re.search(r"\d+(\.\d+)+", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


@dataclass(frozen=True, kw_only=True)
class Epoch(Pace):
    """Figures of releases up to a month; what is left out is as today."""

    __pydantic_config__ = STRICT

    until: str
    """Last month of these releases (YYYY-MM)."""
    before: str | None = None
    """First version after them, for figures whose version is told and older than the month they were told in."""
    source: str | None = None
    """Where these figures come from; the file's source if absent."""
    as_fast: bool = False
    """True: these releases differ from today's in limits alone."""


@dataclass(frozen=True, kw_only=True)
class Engine(Pace, Sourced):
    """Software overheads and habits. `ideal` has none."""

    parent: str | None = None
    """Engine whose figures hold where this file is silent."""
    ideal: bool | None = None
    """True: every fraction 1, nothing overlaps badly, no overhead; the floor that no prediction may beat."""
    ports: dict[str, str] | None = None
    """Profiles that stand for this one on chips of a class, where its kernels are others."""
    two_batch_overlap: bool | None = None
    """True: the batch is halved, and one half's experts travel while the other half computes. False: never. Left out:
    in prefill, where a group of experts spans servers."""
    travel_cores: Share | None = None
    """Share of a chip's cores that moves the travelling half in prefill; in decode the network cards move it alone."""
    reserves_output: bool | None = None
    """True: a request is admitted only with room for its whole answer; False: the cache grows as it is written."""
    mixed_steps: bool | None = None
    """True: prefill chunks share a step with decode."""
    window_cache: bool | None = None
    """True: window layers keep only their window; False: the cache keeps every token."""
    int8_inputs: Fraction | None = None
    """Where given, products with weights of fewer bits than 16 take their inputs as 8-bit integers, where the chip can,
    in blocks with a scale each: share of the rate of plain INT8 products."""
    half_sums: bool | None = None
    """True: FP16 products are summed in FP16, where the chip is faster at it."""
    launch_queue: Number | None = None
    """Operations that may wait on a chip before the host must: how far chunks of a prefill run ahead in a pipeline."""
    pads_heads: bool | None = None
    """True: a TP degree that does not divide the heads is allowed; the last ranks hold padding."""
    small: Small | None = None
    """Other limits on chips with little memory."""
    epochs: tuple[Epoch, ...] = ()
    """Earlier releases that were not equally fast, oldest first."""
    spatial: SpatialEngine | None = None
    """Only for engines of spatial chips."""

    def month(self, date: str, version: str) -> str:
        """Return the date, or if that is later or not told, the last month of the epoch that a version falls into."""
        told = _numbers(version)
        older = (e.until for e in self.epochs if told and e.before and told < _numbers(e.before))
        return next((until for until in older if not date or until < date), date)

    def epoch(self, date: str) -> Epoch | None:
        """Return the epoch of releases of a date (YYYY, YYYY-MM or YYYY-MM-DD); None for today's."""
        month = date[:7] if len(date) >= 7 else f"{date}-12"
        return next((epoch for epoch in self.epochs if month <= epoch.until), None)
