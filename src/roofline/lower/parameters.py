"""How many parameters a model has: in all, active per token, in routed experts, in its MTP modules.

Counts are exact: they equal the tensor sizes of the checkpoint (text model; vision towers are out of scope).
"""

from __future__ import annotations

from collections.abc import Iterable

from roofline.errors import RooflineError
from roofline.lower.attention import (
    compressed_matrices,
    compressed_vectors,
    gqa_matrices,
    gqa_vectors,
    mla_matrices,
    mla_vectors,
)
from roofline.lower.ffn import ffn_matrices, ffn_vectors, routed_elements, routed_vectors
from roofline.lower.linear import linear_matrices, linear_vectors
from roofline.lower.matrices import Matrix
from roofline.specs.layers import Compressed, Gqa, Mixer, Mla, Moe, NoMixer
from roofline.specs.model import Model

__all__ = [
    "active_parameters",
    "dimensions",
    "embedding_parameters",
    "ffn_matrices",
    "ffn_vectors",
    "layer_vectors",
    "mixer_matrices",
    "mixer_vectors",
    "mtp_parameters",
    "routed_active_parameters",
    "routed_elements",
    "routed_parameters",
    "routed_vectors",
    "total_parameters",
]


def mixer_matrices(mixer: Mixer, d_model: int) -> tuple[Matrix, ...]:
    """Return the weight matrices of a mixer [elements].

    Parameters
    ----------
    mixer : Mixer
        Any kind of mixer; ``none`` has no matrices.
    d_model : int
        Width of the residual stream.
    """
    match mixer:
        case Gqa():
            return gqa_matrices(mixer, d_model)
        case Mla():
            return mla_matrices(mixer, d_model)
        case Compressed():
            return compressed_matrices(mixer, d_model)
        case NoMixer():
            return ()
        case _:
            return linear_matrices(mixer, d_model)


def mixer_vectors(mixer: Mixer, d_model: int) -> int:
    """Return the parameters of a mixer that are no matrix: biases, norms, sinks, filters, decays [elements]."""
    match mixer:
        case Gqa():
            return gqa_vectors(mixer, d_model)
        case Mla():
            return mla_vectors(mixer)
        case Compressed():
            return compressed_vectors(mixer)
        case NoMixer():
            return 0
        case _:
            return linear_vectors(mixer)


def dimensions(model: Model) -> tuple[int, int]:
    """Return (d_model, vocab_size) of a model whose architecture is known.

    Raises
    ------
    RooflineError
        For a closed model, of which only a scenario range is known.
    """
    if model.d_model is None or model.vocab_size is None:
        raise RooflineError(f"{model.name}: closed model, no architecture is known; use its scenario range or a proxy")
    return model.d_model, model.vocab_size


def embedding_parameters(model: Model) -> int:
    """Return the size of one embedding table, which is also the size of the LM head [elements]."""
    d_model, vocab_size = dimensions(model)
    return d_model * vocab_size


def layer_vectors(model: Model, ffn: str) -> int:
    """Return the parameters of one layer outside its mixer and FFN: norms and residual mixing [elements].

    Parameters
    ----------
    model : Model
        The model.
    ffn : str
        Name of the layer's FFN; layers with experts may have more norms.
    """
    d_model, _ = dimensions(model)
    extras = model.extras
    norms = extras.norms_per_layer
    if isinstance(model.ffns[ffn], Moe):
        norms += extras.norms_extra_per_moe_layer
    total = norms * d_model * (2 if extras.norm_bias else 1)
    if extras.mhc:  # before mixer and FFN alike: map n streams to n inputs, n outputs and n x n mixing weights
        weights = (2 + extras.mhc) * extras.mhc
        total += 2 * (weights * extras.mhc * d_model + weights + 3)
    if extras.attn_res:  # a query and a norm per sub-layer
        total += 4 * d_model
    return total


def total_parameters(model: Model) -> int:
    """Return all parameters of the model without MTP modules; a tied table counts once [elements]."""
    d_model, _ = dimensions(model)
    extras = model.extras
    outside = embedding_parameters(model) * (1 if model.tied_embeddings else 2)
    outside += d_model * (2 if extras.norm_bias else 1) + extras.learned_pos * d_model
    if extras.mhc:  # the streams are merged once more before the head
        outside += extras.mhc * extras.mhc * d_model + extras.mhc + 1
    if extras.attn_res:  # and the residuals once more
        outside += 2 * d_model
    return outside + sum(n * _block_parameters(model, *names) for names, n in model.kinds.items())


def active_parameters(model: Model) -> int:
    """Return the parameters one token uses, without the input table, whose lookup is no multiplication [elements].

    A tied table counts once, as the head.
    """
    unused = 0 if model.tied_embeddings else embedding_parameters(model)
    return total_parameters(model) - unused - routed_parameters(model) + routed_active_parameters(model)


def routed_parameters(model: Model) -> int:
    """Return the parameters of all routed experts of all layers [elements]."""
    d_model, _ = dimensions(model)
    return sum(n * routed_elements(model.ffns[ffn], d_model) for (_, ffn), n in model.kinds.items())


def routed_active_parameters(model: Model) -> int:
    """Return the parameters of the routed experts that one token uses [elements]."""
    d_model, _ = dimensions(model)
    total = 0
    for (_, name), n in model.kinds.items():
        ffn = model.ffns[name]
        if isinstance(ffn, Moe):
            total += n * routed_elements(ffn, d_model) // ffn.experts * ffn.top_k
    return total


def mtp_parameters(model: Model) -> int:
    """Return the parameters of all MTP modules: blocks and input projection, without table and head [elements]."""
    if model.mtp is None:
        return 0
    d_model, _ = dimensions(model)
    blocks = sum(_block_parameters(model, block.mixer, block.ffn) for block in model.mtp.blocks)
    return model.mtp.modules * (blocks + 2 * d_model * d_model)


def _block_parameters(model: Model, mixer: str, ffn: str) -> int:
    d_model, _ = dimensions(model)
    mix, feed = model.mixers[mixer], model.ffns[ffn]
    matrices = _elements(mixer_matrices(mix, d_model)) + _elements(ffn_matrices(feed, d_model))
    return matrices + mixer_vectors(mix, d_model) + ffn_vectors(feed, d_model) + layer_vectors(model, ffn)


def _elements(matrices: Iterable[Matrix]) -> int:
    return sum(matrix.elements for matrix in matrices)
