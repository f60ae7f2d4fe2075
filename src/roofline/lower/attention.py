"""Softmax attention of every kind: its weight matrices and its small parameters."""

from __future__ import annotations

from roofline.lower.matrices import Matrix
from roofline.specs.layers import Compressed, Gqa, Indexer, Mla


def gqa_matrices(mixer: Gqa, d_model: int) -> tuple[Matrix, ...]:
    """Return the matrices of MHA, GQA or MQA [elements]; an output gate is projected together with the queries.

    Parameters
    ----------
    mixer : Gqa
        The layer's attention.
    d_model : int
        Width of the residual stream.
    """
    queries = d_model * mixer.heads * mixer.head_dim_qk * (2 if mixer.output_gate else 1)
    keys = d_model * mixer.kv_heads * mixer.head_dim_qk
    values = 0 if mixer.v_proj_shared_with_k else d_model * mixer.kv_heads * mixer.head_dim_v
    return (
        Matrix("qkv", queries, "heads"),
        Matrix("qkv", keys + values, "kv_heads"),
        Matrix("o", mixer.heads * mixer.head_dim_v * d_model, "heads"),
        *_index(mixer.indexer, d_model, d_model),
    )


def gqa_vectors(mixer: Gqa, d_model: int) -> int:
    """Return the biases, sinks and head norms of MHA, GQA or MQA [elements]."""
    total = 0
    if mixer.qkv_bias:
        total += mixer.heads * mixer.head_dim_qk + mixer.kv_heads * (mixer.head_dim_qk + mixer.head_dim_v)
    if mixer.o_bias:
        total += d_model
    if mixer.sinks:
        total += mixer.heads
    if mixer.qk_norm == "per_head_dim":
        total += 2 * mixer.head_dim_qk
    elif mixer.qk_norm == "all_heads":
        total += (mixer.heads + mixer.kv_heads) * mixer.head_dim_qk
    return total + _index_vectors(mixer.indexer)


def mla_matrices(mixer: Mla, d_model: int) -> tuple[Matrix, ...]:
    """Return the matrices of latent attention [elements].

    A layer that reads another layer's latents has no key/value down-projection of its own. Without a query latent
    the queries are projected from the residual stream directly, still as ``q_up``.
    """
    query_source = mixer.q_lora_rank or d_model
    down = d_model * (mixer.q_lora_rank or 0)
    if mixer.kv_source == "own":
        down += d_model * (mixer.kv_lora_rank + mixer.qk_rope_head_dim)
    queries = query_source * mixer.heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim)
    gate = d_model * mixer.heads * mixer.v_head_dim if mixer.output_gate else 0
    return (
        *((Matrix("down", down, "none"),) if down else ()),
        Matrix("q_up", queries, "heads"),
        *((Matrix("gate", gate, "heads"),) if gate else ()),
        Matrix("kv_up", mixer.kv_lora_rank * mixer.heads * (mixer.qk_nope_head_dim + mixer.v_head_dim), "heads"),
        Matrix("o", mixer.heads * mixer.v_head_dim * d_model, "heads"),
        *_index(mixer.indexer, d_model, query_source),
    )


def mla_vectors(mixer: Mla) -> int:
    """Return the latent norms of latent attention [elements]."""
    own = mixer.kv_lora_rank if mixer.kv_source == "own" else 0
    return (mixer.q_lora_rank or 0) + own + _index_vectors(mixer.indexer)


def compressed_matrices(mixer: Compressed, d_model: int) -> tuple[Matrix, ...]:
    """Return the matrices of compressed attention [elements].

    ``down`` makes the query latent and the one key/value vector, ``compress`` the values and gates of the
    compressed entries (twice as wide where windows overlap), ``o_down`` is block-diagonal over groups of heads.
    """
    series = 2 if mixer.overlap else 1
    compress = 2 * d_model * series * mixer.head_dim if mixer.compress_ratio else 0
    indexer = mixer.indexer
    index = 0
    if indexer is not None and indexer.mode == "full":
        index = 2 * d_model * series * indexer.head_dim  # its own small compressor
        index += mixer.q_lora_rank * indexer.heads * indexer.head_dim + d_model * indexer.heads
    return (
        Matrix("down", d_model * (mixer.q_lora_rank + mixer.head_dim), "none"),
        Matrix("q_up", mixer.q_lora_rank * mixer.heads * mixer.head_dim, "heads"),
        *((Matrix("compress", compress, "none"),) if compress else ()),
        *((Matrix("index", index, "none"),) if index else ()),
        Matrix("o_down", mixer.heads * mixer.head_dim * mixer.o_lora_rank, "heads"),
        Matrix("o", mixer.o_groups * mixer.o_lora_rank * d_model, "heads"),
    )


def compressed_vectors(mixer: Compressed) -> int:
    """Return the norms, sinks and position biases of compressed attention [elements]."""
    series = 2 if mixer.overlap else 1
    total = mixer.q_lora_rank + mixer.head_dim + (mixer.heads if mixer.sinks else 0)
    widths = [mixer.head_dim] if mixer.compress_ratio else []
    if mixer.indexer is not None and mixer.indexer.mode == "full":
        widths.append(mixer.indexer.head_dim)
    return total + sum(mixer.compress_ratio * series * width + width for width in widths)


def _index(indexer: Indexer | None, d_model: int, query_source: int) -> tuple[Matrix, ...]:
    """Return the indexer's matrices: its queries, its keys and, for token top-k, one weight per head."""
    if indexer is None or indexer.mode == "shared":
        return ()
    elements = query_source * indexer.heads * indexer.head_dim + d_model * indexer.k_heads * indexer.head_dim
    if indexer.kind == "token_topk":
        elements += d_model * indexer.heads
    return (Matrix("index", elements, "none"),)


def _index_vectors(indexer: Indexer | None) -> int:
    """Return the indexer's norms: weight and bias for keys (token top-k), or one norm each for queries and keys."""
    return 0 if indexer is None or indexer.mode == "shared" else 2 * indexer.head_dim
