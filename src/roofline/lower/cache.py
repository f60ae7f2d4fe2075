"""What a sequence keeps in memory: cached keys and values, index keys, recurrent state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roofline.lower.linear import linear_state_bytes
from roofline.specs.layers import Compressed, Gqa, Indexer, Mixer, Mla, NoMixer
from roofline.specs.model import Model


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One kind of cached vector in one layer.

    Attributes
    ----------
    elements : int
        Elements per entry.
    tokens_per_entry : int
        Tokens that share an entry; 1 except for compressed attention.
    cap_tokens : int or None
        Tokens kept at most (a window, or the block of chunked attention); None: all.
    split : {"kv_heads", "none"}
        Divided among tensor-parallel ranks by key/value heads, or a copy on each rank.
    index : bool
        True for the keys of an indexer.
    """

    elements: int
    tokens_per_entry: int = 1
    cap_tokens: int | None = None
    split: Literal["kv_heads", "none"] = "none"
    index: bool = False

    def stored(self, context: float) -> float:
        """Return the elements stored for a context [tokens] of one sequence."""
        tokens = context if self.cap_tokens is None else min(context, self.cap_tokens)
        return self.elements * tokens / self.tokens_per_entry


def cache_entries(mixer: Mixer) -> tuple[CacheEntry, ...]:
    """Return what one layer with this mixer caches; empty for recurrent mixers.

    Keys and values that share a projection are still stored apart: they differ after norm and rotation. A layer that
    reads another layer's latents stores none, but keeps its own index keys.
    """
    match mixer:
        case Gqa():
            width = mixer.kv_heads * (mixer.head_dim_qk + mixer.head_dim_v)
            return (CacheEntry(width, cap_tokens=mixer.window, split="kv_heads"), *_index(mixer.indexer))
        case Mla():
            latent = CacheEntry(mixer.kv_lora_rank + mixer.qk_rope_head_dim)
            return (*((latent,) if mixer.kv_source == "own" else ()), *_index(mixer.indexer))
        case Compressed():
            entries = [CacheEntry(mixer.head_dim, cap_tokens=mixer.window)]
            if mixer.compress_ratio:
                entries.append(CacheEntry(mixer.head_dim, mixer.compress_ratio))
            return (*entries, *_index(mixer.indexer, mixer.compress_ratio or 1))
        case _:
            return ()


def state_bytes(mixer: Mixer) -> int:
    """Return what one layer keeps per sequence whatever its length: recurrent state, convolution cache [B]."""
    if isinstance(mixer, Gqa | Mla | Compressed | NoMixer):
        return 0
    return linear_state_bytes(mixer)


def kv_bytes(model: Model, context: float, bytes_per_element: float = 2.0) -> float:
    """Return the KV cache of one sequence over all layers [B], without recurrent state and MTP modules.

    Parameters
    ----------
    model : Model
        The model.
    context : float
        Cached tokens.
    bytes_per_element : float
        Stored bytes per element; 2 is bf16.
    """
    elements = sum(
        n * entry.stored(context)
        for (mixer, _), n in model.kinds.items()
        for entry in cache_entries(model.mixers[mixer])
    )
    return elements * bytes_per_element


def recurrent_bytes(model: Model) -> int:
    """Return the recurrent state of one sequence over all layers [B]."""
    return sum(n * state_bytes(model.mixers[mixer]) for (mixer, _), n in model.kinds.items())


def _index(indexer: Indexer | None, tokens_per_entry: int = 1) -> tuple[CacheEntry, ...]:
    if indexer is None or indexer.mode == "shared":
        return ()
    return (CacheEntry(indexer.k_heads * indexer.head_dim, tokens_per_entry, index=True),)
