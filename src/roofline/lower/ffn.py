"""Feed-forward networks, dense and mixture of experts: weight matrices and small parameters."""

from __future__ import annotations

from roofline.lower.matrices import Matrix
from roofline.specs.layers import Dense, Ffn, Moe


def ffn_matrices(ffn: Ffn, d_model: int) -> tuple[Matrix, ...]:
    """Return the matrices of a feed-forward network [elements]; expert matrices count all experts.

    Parameters
    ----------
    ffn : Ffn
        Dense, mixture of experts, or none.
    d_model : int
        Width of the residual stream.
    """
    if isinstance(ffn, Dense):
        return _mlp("", d_model, ffn.d_ff, ffn.gated)
    if not isinstance(ffn, Moe):
        return ()
    inputs = ffn.latent_dim or d_model
    expert = inputs * ffn.expert_d_ff
    matrices = [Matrix("router", d_model * ffn.experts, "none")]
    if ffn.latent_dim is not None:
        matrices.append(Matrix("latent_in", d_model * ffn.latent_dim, "none"))
        matrices.append(Matrix("latent_out", ffn.latent_dim * d_model, "none"))
    matrices.append(Matrix("expert_gate_up", ffn.experts * expert * (2 if ffn.gated else 1), "experts"))
    matrices.append(Matrix("expert_down", ffn.experts * expert, "experts"))
    if ffn.shared_d_ff:
        matrices.extend(_mlp("shared_", d_model, ffn.shared_d_ff, ffn.gated))
    if ffn.parallel_dense_d_ff:
        matrices.extend(_mlp("", d_model, ffn.parallel_dense_d_ff, ffn.gated))
    return tuple(matrices)


def ffn_vectors(ffn: Ffn, d_model: int) -> int:
    """Return biases, gates and norms of a feed-forward network, those of all experts included [elements]."""
    if isinstance(ffn, Dense):
        return (ffn.d_ff * (2 if ffn.gated else 1) + d_model) if ffn.bias else 0
    if not isinstance(ffn, Moe):
        return 0
    total = routed_vectors(ffn, d_model)
    if ffn.router_bias_param:
        total += ffn.experts
    if ffn.router_extra:
        total += d_model + ffn.experts
    if ffn.shared_gate:
        total += d_model
    if ffn.latent_norm:
        total += ffn.latent_dim or d_model
    return total


def routed_vectors(ffn: Ffn, d_model: int) -> int:
    """Return the biases inside routed experts, all experts [elements]; part of `ffn_vectors`."""
    if not isinstance(ffn, Moe) or not ffn.expert_bias:
        return 0
    return ffn.experts * (ffn.expert_d_ff * (2 if ffn.gated else 1) + (ffn.latent_dim or d_model))


def routed_elements(ffn: Ffn, d_model: int) -> int:
    """Return everything inside routed experts, all experts [elements]."""
    weights = sum(matrix.elements for matrix in ffn_matrices(ffn, d_model) if matrix.split == "experts")
    return weights + routed_vectors(ffn, d_model)


def _mlp(prefix: str, d_model: int, d_ff: int, gated: bool) -> tuple[Matrix, ...]:
    return (
        Matrix(f"{prefix}gate_up", d_model * d_ff * (2 if gated else 1), "width"),
        Matrix(f"{prefix}down", d_ff * d_model, "width"),
    )
