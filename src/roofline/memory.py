"""What is stored where: weights, KV cache, state and activations per memory tier; what fits, and how much of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from roofline.dtypes import BYTES
from roofline.errors import RooflineError
from roofline.lower.cache import cache_entries, state_bytes
from roofline.lower.cores import heads_per_rank
from roofline.lower.parameters import ffn_matrices, mixer_matrices, routed_parameters, total_parameters
from roofline.lower.temporal import split_factor
from roofline.specs.layers import Compressed, Dense, Gqa, Mla, Moe

if TYPE_CHECKING:
    from roofline.lower.rates import Rates
    from roofline.specs.deployment import Deployment
    from roofline.specs.hardware import Hardware, MemoryTier
    from roofline.specs.model import Model

#: Most chips that one copy of a model is spread over when the caller names no number.
MOST_CHIPS = 4096

#: What layers of one kind store: (layers, cap [tokens], tokens per entry, elements, bytes of one), and state [B].
Stored = tuple[list[tuple[float, int | None, int, int, float]], float]


@dataclass(frozen=True)
class Memory:
    """Storage of one deployment of one model, per chip unless said otherwise.

    Attributes
    ----------
    model : Model
    rates : Rates
        Chip, engine and deployment.
    """

    model: Model
    rates: Rates

    @property
    def _d(self) -> Deployment:
        return self.rates.deployment

    @cached_property
    def embedding_parameters(self) -> int:
        """Elements of the embedding table and, where it is not tied, the LM head."""
        assert self.model.d_model and self.model.vocab_size
        return self.model.d_model * self.model.vocab_size * (1 if self.model.tied_embeddings else 2)

    @cached_property
    def weights_bytes(self) -> float:
        """One copy of the weights, over all chips, without replicas [B]."""
        routed, ends = routed_parameters(self.model), self.embedding_parameters
        rest = total_parameters(self.model) - routed - ends
        return routed * BYTES[self._d.experts] + ends * BYTES[self._d.embeddings] + rest * BYTES[self._d.weights]

    @cached_property
    def weights_bytes_per_chip(self) -> float:
        """Weights that one chip holds, replicas included [B]."""
        if self.spatial:
            return self.weights_bytes / self._d.chips
        model = self.model
        assert model.d_model
        held = self.embedding_parameters * BYTES[self._d.embeddings] / self._d.tp
        for (mixer_name, ffn_name), count in model.kinds.items():
            mixer, ffn = model.mixers[mixer_name], model.ffns[ffn_name]
            for matrix in mixer_matrices(mixer, model.d_model) if mixer.kind != "none" else ():
                held += count * matrix.elements / split_factor(matrix, mixer, self.rates) * BYTES[self._d.weights]
            for matrix in ffn_matrices(ffn, model.d_model) if ffn.kind != "none" else ():
                size = BYTES[self._d.experts if matrix.split == "experts" else self._d.weights]
                held += count * matrix.elements / split_factor(matrix, None, self.rates) * size
        return held / self._d.pp

    @property
    def spatial(self) -> bool:
        """True on chips that pin layers to regions."""
        return self.rates.hardware.execution == "spatial"

    def kv_bytes(self, context: float) -> float:
        """Return KV cache and recurrent state of one sequence over all layers, without replicas [B]."""
        return self._cache(context, shared_out=False)

    def kv_bytes_per_chip(self, context: float) -> float:
        """Return what one sequence of an attention-DP rank stores on one chip [B]."""
        if self.spatial:
            return self.kv_bytes(context) / self._d.chips
        return self._cache(context, shared_out=True) / self._d.pp

    def _cache(self, context: float, *, shared_out: bool) -> float:
        total = 0.0
        for entries, state in self._per_chip if shared_out else self._whole:
            for layers, cap, per_entry, elements, size in entries:
                tokens = context if cap is None else min(context, cap)
                total += layers * tokens / per_entry * elements * size
            total += state
        return total

    @cached_property
    def _whole(self) -> list[Stored]:
        return list(self._stored(shared_out=False))

    @cached_property
    def _per_chip(self) -> list[Stored]:
        return list(self._stored(shared_out=True))

    def _stored(self, *, shared_out: bool) -> Iterator[Stored]:
        """Yield what each kind of layer caches: (layers, cap, tokens per entry, elements, bytes) and its state [B]."""
        d = self._d
        engine_windows = self.rates.engine.window_cache
        for (mixer_name, _), count in self.model.kinds.items():
            mixer = self.model.mixers[mixer_name]
            entries = []
            for entry in cache_entries(mixer):
                cap = entry.cap_tokens if engine_windows is not False or entry.cap_tokens is None else None
                share = 1.0
                if shared_out and entry.split == "kv_heads" and isinstance(mixer, Gqa):
                    share = heads_per_rank(mixer.kv_heads, d.tp) / mixer.kv_heads
                if shared_out:
                    share /= d.dcp
                entries.append((count * share, cap, entry.tokens_per_entry, entry.elements, BYTES[d.kv]))
            yield entries, count * state_bytes(mixer) / (d.tp if shared_out else 1)

    @cached_property
    def activation_bytes(self) -> float:
        """Working space of one prefill chunk on one chip: hidden states and the widest FFN [B]."""
        if self.rates.ideal or self.spatial:
            return 0.0
        # Engines without chunks take a whole prompt at once, but process it in slices of about this size.
        chunk = min(8192.0, self.rates.engine.prefill_tokens.value if self.rates.engine.prefill_tokens else 8192.0)
        width = max(
            (f.d_ff if isinstance(f, Dense) else (f.expert_d_ff * f.top_k + f.shared_d_ff if isinstance(f, Moe) else 0))
            for f in self.model.ffns.values()
        )
        assert self.model.d_model
        return 2.0 * chunk * (4 * self.model.d_model + 2 * width / self._d.tp)

    @cached_property
    def usable_bytes(self) -> float:
        """What weights and KV cache may fill of the tier that holds them, per chip [B]."""
        if self.rates.engine.kv_of_free and self.weights_fit:
            size = self._tier.capacity.value
            free = size - self.weights_bytes_per_chip - self.activation_bytes
            return size - free * (1.0 - self._filled / size)
        return self._filled

    @property
    def _tier(self) -> MemoryTier:
        return self.rates.hardware.memory[self._d.weights_tier]

    @cached_property
    def _filled(self) -> float:
        """What an engine fills of the tier that holds the weights, per chip [B]."""
        size, spatial, engine = self._tier.capacity.value, self.rates.hardware.spatial, self.rates.engine
        if self.spatial and spatial is not None and self._d.weights_tier == 0:
            return size * spatial.usable_memory.value
        return size if self.rates.ideal or not engine.kv_memory else size * engine.kv_memory.value

    @cached_property
    def kv_room(self) -> float:
        """What is left for KV cache and state, per chip [B]; below zero where not even the weights fit."""
        if self._d.kv_tier != self._d.weights_tier:
            return self.rates.hardware.memory[self._d.kv_tier].capacity.value
        return self.usable_bytes - self.weights_bytes_per_chip - self.activation_bytes

    def fits(self, batch: float, context: float) -> bool:
        """Return whether weights and the cache of so many sequences fit; a wafer needs no room to spare."""
        return self.weights_fit and self.max_batch(context) >= batch

    @property
    def weights_fit(self) -> bool:
        """True where the weights and the working space fit what an engine fills of their tier."""
        return self._filled - self.weights_bytes_per_chip - self.activation_bytes >= 0

    def max_batch(self, context: float) -> int:
        """Return the sequences whose cache fits at a context, over all attention-DP ranks."""
        if self.kv_room <= 0 or not self.weights_fit:
            return 0
        each, state = self.kv_bytes_per_chip(context), sum(state for _, state in self._per_chip) / self._d.pp
        room, apart, slots = self.kv_room, self.rates.engine.state_memory, self.rates.engine.state_slots
        if state and apart and not self.spatial:
            # Two pools: the one that is full first limits both.
            most = room * apart.value / (state * (slots.value if slots else 1.0))
            if each > state:
                most = min(most, room * (1.0 - apart.value) / (each - state))
        else:
            most = room / each if each > 0 else math.inf
        return min(math.floor(min(most, 2.0**31) * (1 + 1e-12)), 2**31) * self._d.dp

    def max_context(self, batch: float) -> int:
        """Return the longest context at which so many sequences fit [tokens]; at most 2^40."""
        low, high = 0, 2**40
        if not self.fits(batch, 1):
            return 0
        while low < high:
            middle = (low + high + 1) // 2
            if self.fits(batch, middle):
                low = middle
            else:
                high = middle - 1
        return low


def chips_needed(model: Model, rates: Rates, batch: float, context: float) -> Deployment:
    """Return the deployment on the fewest chips that holds the model and the cache of `batch` sequences.

    The formats, tiers and any DP degree of ``rates.deployment`` are kept; TP, PP and the number of chips are chosen.

    Raises
    ------
    RooflineError
        If no number of chips up to 4,096 holds it.
    """
    if rates.hardware.execution == "spatial":
        return _spatial_chips(model, rates, batch, context)
    best: Deployment | None = None
    for candidate in shapes(model, rates.hardware, rates.deployment):
        memory = Memory(model, replace(rates, deployment=candidate))
        if memory.fits(batch, context):
            best = candidate
            break
    if best is None:
        raise RooflineError(
            f"{model.name} with {batch:,.0f} sequences of {context:,.0f} tokens does not fit on {MOST_CHIPS:,} chips "
            f"of {rates.hardware.name}; lower --batch or --context, or choose a smaller format with --weights or --kv"
        )
    return best


def _spatial_chips(model: Model, rates: Rates, batch: float, context: float) -> Deployment:
    """Return the fewest chips whose on-chip memory holds weights and cache; layers are split over any number."""
    one = Memory(model, replace(rates, deployment=replace(rates.deployment, chips=1, tp=1, pp=1)))
    held = one.weights_bytes + one.kv_bytes(context) * max(batch, 1.0)
    chips = max(1, math.ceil(held / one.usable_bytes * (1 - 1e-12)))
    return replace(rates.deployment, chips=chips, tp=1, pp=1)


def shapes(model: Model, hardware: Hardware, base: Deployment) -> Iterator[Deployment]:
    """Yield deployments of growing size: one fabric domain by TP first, then more domains by PP."""
    domain = hardware.scale_up.domain if hardware.scale_up else 1
    degrees = tp_degrees(model, max(1, domain))
    for tp in degrees:
        yield replace(base, chips=tp * base.dp, tp=tp, pp=1)
    for pp in (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512):
        if degrees[-1] * pp * base.dp <= MOST_CHIPS:
            yield replace(base, chips=degrees[-1] * pp * base.dp, tp=degrees[-1], pp=pp)


def tp_degrees(model: Model, most: int) -> list[int]:
    """Return the tensor-parallel degrees up to `most` that divide the model's heads, smallest first."""
    most = min(most, 64)
    return [tp for tp in range(1, most + 1) if not indivisible(model, tp)]


def indivisible(model: Model, tp: int) -> str:
    """Return what `tp` ranks cannot share evenly, such as ``"32 heads"``, or an empty string."""
    for mixer in model.mixers.values():
        heads = getattr(mixer, "heads", None) or getattr(mixer, "v_heads", None)
        if heads and heads % tp:
            return f"{heads} heads"
        if isinstance(mixer, Gqa) and mixer.kv_heads % tp and tp % mixer.kv_heads:
            return f"{mixer.kv_heads} KV heads"
    return ""


def context_parallel_limit(model: Model, tp: int) -> int:
    """Return the most ranks that decode context parallelism can use: those that would only hold copies of KV heads."""
    limit = tp
    for mixer in model.mixers.values():
        if isinstance(mixer, Gqa):
            limit = min(limit, max(1, tp // mixer.kv_heads))
        elif not isinstance(mixer, Mla | Compressed) and mixer.kind != "none":
            limit = 1
    return limit


def engine_limit(rates: Rates) -> float:
    """Return the most sequences an engine decodes together; attention-DP ranks have as many each."""
    engine = rates.engine
    return engine.max_batch.value * rates.deployment.dp if engine.max_batch else 2.0**31
