"""Linear attention and state-space layers: weight matrices, small parameters and the state a sequence carries."""

from __future__ import annotations

from roofline.lower.matrices import Matrix
from roofline.specs.layers import GatedDeltaNet, Kda, Lightning, Mamba2

Linear = GatedDeltaNet | Kda | Lightning | Mamba2

#: Bytes per element of the convolution cache, which engines keep in 16 bits.
CONV_BYTES = 2
#: Activations and the states of chunks have 16 bits.
ACTIVATION_BYTES = 2.0
#: Tokens that a prefill takes at once: the chunk of flash-linear-attention. Libraries of Mamba-2 take 128 or 256, with
#: which its prefills would take 1 % less to 3 % more.
CHUNK = 64


def linear_matrices(mixer: Linear, d_model: int) -> tuple[Matrix, ...]:
    """Return the matrices into and out of the recurrence [elements].

    Parameters
    ----------
    mixer : GatedDeltaNet, Kda, Lightning or Mamba2
        The layer's mixer.
    d_model : int
        Width of the residual stream.
    """
    inner = inner_width(mixer)
    match mixer:
        case GatedDeltaNet():  # q, k; v, output gate; decay and write strength per head
            into = d_model * (2 * mixer.k_heads * mixer.k_head_dim + 2 * inner + 2 * mixer.v_heads)
        case Kda():  # q, k, v; write strength per head; low-rank decay and output gate
            into = d_model * (3 * inner + mixer.heads) + mixer.head_dim * inner
            into += d_model * inner if mixer.full_rank_gate else mixer.head_dim * inner
            low_rank = d_model * mixer.head_dim * (1 if mixer.full_rank_gate else 2)
            return (
                Matrix("in", into, "heads"),
                Matrix("in", low_rank, "none"),
                Matrix("out", inner * d_model, "heads"),
            )
        case Lightning():  # q, k, v, output gate
            into = d_model * 4 * inner
        case Mamba2():  # x, gate; B, C; step per head
            into = d_model * (2 * inner + 2 * mixer.n_groups * mixer.state_size + mixer.heads)
    return (Matrix("in", into, "heads"), Matrix("out", inner * d_model, "heads"))


def linear_vectors(mixer: Linear) -> int:
    """Return convolution filters, decay parameters and the output norm [elements]."""
    inner, channels = inner_width(mixer), conv_channels(mixer)
    match mixer:
        case GatedDeltaNet():
            return channels * mixer.conv_kernel + 2 * mixer.v_heads + mixer.v_head_dim
        case Kda():
            return channels * mixer.conv_kernel + mixer.heads + inner + mixer.head_dim
        case Lightning():
            return inner
        case Mamba2():  # the filter has a bias
            return channels * (mixer.conv_kernel + 1) + 3 * mixer.heads + inner


def inner_width(mixer: Linear) -> int:
    """Return the width of the recurrence's output [elements]."""
    if isinstance(mixer, GatedDeltaNet):
        return mixer.v_heads * mixer.v_head_dim
    return mixer.heads * mixer.head_dim


def conv_channels(mixer: Linear) -> int:
    """Return how many channels pass the short convolution [elements]."""
    match mixer:
        case GatedDeltaNet():
            return 2 * mixer.k_heads * mixer.k_head_dim + mixer.v_heads * mixer.v_head_dim
        case Kda():
            return 3 * mixer.heads * mixer.head_dim
        case Lightning():
            return 0
        case Mamba2():
            return inner_width(mixer) + 2 * mixer.n_groups * mixer.state_size


def state_elements(mixer: Linear) -> int:
    """Return the size of the recurrent state of one sequence in one layer [elements]."""
    match mixer:
        case GatedDeltaNet():
            return mixer.v_heads * mixer.k_head_dim * mixer.v_head_dim
        case Kda() | Lightning():
            return mixer.heads * mixer.head_dim**2
        case Mamba2():
            return mixer.heads * mixer.head_dim * mixer.state_size


def linear_state_bytes(mixer: Linear) -> int:
    """Return what one layer keeps per sequence whatever its length: state and convolution cache [B]."""
    kept = 0 if isinstance(mixer, Lightning) else mixer.conv_kernel - 1
    return state_elements(mixer) * mixer.state_bytes_per_element + conv_channels(mixer) * kept * CONV_BYTES


def chunked(mixer: Linear) -> tuple[float, float, int]:
    """Return what the chunks of a prefill add to the recurrence, over all heads of a layer.

    Within a chunk, tokens meet one another in products as wide as the output. The delta rule has five (scores of keys
    and of queries, the inverse applied to keys and to values, outputs) in five kernels (scores, inverse, its products,
    states, outputs), which move what passed the convolution seven times; without it there are two (scores, outputs) in
    four (states, their passing on, scores, outputs) that move it three times. The state of each chunk is written and
    read. Convolution, gates and norms are small kernels.

    Returns
    -------
    flops, bytes : float
        Per token [FLOP, B]; activations and states of chunks have 16 bits.
    kernels : int

    References
    ----------
    .. [1] S. Yang et al., "Gated Delta Networks: Improving Mamba2 with Delta Rule", ICLR 2025, section 3.3.
    .. [2] flash-linear-attention, ``fla/ops/gated_delta_rule``, https://github.com/fla-org/flash-linear-attention:
       one kernel for each of the above; crossings are counted in them.
    .. [3] T. Dao, A. Gu, "Transformers are SSMs", ICML 2024, section 6: chunks without the delta rule.
    """
    products, kernels, crossings = (5, 5, 7) if isinstance(mixer, GatedDeltaNet | Kda) else (2, 4, 3)
    channels = conv_channels(mixer) or 3 * inner_width(mixer)
    moved = ACTIVATION_BYTES * (crossings * channels + 2.0 * state_elements(mixer) / CHUNK)
    return products * 2.0 * CHUNK * inner_width(mixer), moved, kernels
