"""What a layer is made of: the mixers that read the context, and the FFNs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from roofline.specs.figure import STRICT, Positive, Whole


@dataclass(frozen=True)
class ByKind:
    """Annotation of a union: which class the key `kind` of a table means."""

    choices: dict[str, type[Any]]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Tell pydantic to choose the class by `kind`, so that its messages speak of one class only."""
        from pydantic_core import core_schema

        choices = {kind: handler.generate_schema(cls) for kind, cls in self.choices.items()}
        return core_schema.tagged_union_schema(choices, discriminator="kind")


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """The small attention that chooses which tokens the main attention reads."""

    __pydantic_config__ = STRICT

    kind: Literal["token_topk", "compressed_topk", "block_topk"]
    """token_topk: DSA; compressed_topk: over compressed entries (CSA); block_topk: over blocks (MSA)."""
    heads: Positive
    head_dim: Positive
    top_k: Positive | None = None
    """Tokens (or compressed entries) kept."""
    k_heads: Positive = 1
    block: Positive | None = None
    top_k_blocks: Positive | None = None
    local_blocks: Whole = 0
    mode: Literal["full", "shared"] = "full"
    """shared: reuses another layer's selection and owns no keys."""


@dataclass(frozen=True, kw_only=True)
class Gqa:
    """Softmax attention with grouped keys and values: MHA (kv_heads = heads), GQA, MQA (kv_heads = 1)."""

    __pydantic_config__ = STRICT

    kind: Literal["gqa"] = "gqa"
    heads: Positive
    kv_heads: Positive
    head_dim_qk: Positive
    head_dim_v: Positive
    window: Positive | None = None
    """Tokens a query can see; absent: all."""
    window_kind: Literal["full", "sliding", "chunked"] = "full"
    """chunked: a token sees only its own block of `window` tokens."""
    rotary: bool = True
    qkv_bias: bool = False
    o_bias: bool = False
    sinks: bool = False
    qk_norm: Literal["per_head_dim", "all_heads"] | None = None
    output_gate: bool = False
    v_proj_shared_with_k: bool = False
    indexer: Indexer | None = None


@dataclass(frozen=True, kw_only=True)
class Mla:
    """Multi-head latent attention: one latent per token is cached, for all heads."""

    __pydantic_config__ = STRICT

    kind: Literal["mla"] = "mla"
    heads: Positive
    q_lora_rank: Positive | None = None
    kv_lora_rank: Positive
    qk_nope_head_dim: Positive
    qk_rope_head_dim: Whole
    v_head_dim: Positive
    rotary: bool = True
    output_gate: bool = False
    indexer: Indexer | None = None
    kv_source: Literal["own", "shared"] = "own"
    """shared: reads another layer's cache and stores none."""


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """Compressed attention with one vector as key and value (DeepSeek V4): window, CSA and HCA layers."""

    __pydantic_config__ = STRICT

    kind: Literal["compressed"] = "compressed"
    heads: Positive
    head_dim: Positive
    q_lora_rank: Positive
    o_groups: Positive
    o_lora_rank: Positive
    qk_rope_head_dim: Whole
    window: Positive
    sinks: bool = False
    compress_ratio: Whole
    """0: window only; otherwise tokens per compressed entry."""
    overlap: bool = False
    indexer: Indexer | None = None


@dataclass(frozen=True, kw_only=True)
class GatedDeltaNet:
    """Linear attention with a gated delta rule (Qwen3-Next and later)."""

    __pydantic_config__ = STRICT

    kind: Literal["gated_deltanet"] = "gated_deltanet"
    k_heads: Positive
    k_head_dim: Positive
    v_heads: Positive
    v_head_dim: Positive
    conv_kernel: Positive
    state_bytes_per_element: Positive = 4


@dataclass(frozen=True, kw_only=True)
class Kda:
    """Kimi delta attention."""

    __pydantic_config__ = STRICT

    kind: Literal["kda"] = "kda"
    heads: Positive
    head_dim: Positive
    conv_kernel: Positive
    full_rank_gate: bool = False
    state_bytes_per_element: Positive = 4


@dataclass(frozen=True, kw_only=True)
class Lightning:
    """Lightning attention (MiniMax-01, M1)."""

    __pydantic_config__ = STRICT

    kind: Literal["lightning"] = "lightning"
    heads: Positive
    head_dim: Positive
    state_bytes_per_element: Positive = 4


@dataclass(frozen=True, kw_only=True)
class Mamba2:
    """State-space layer."""

    __pydantic_config__ = STRICT

    kind: Literal["mamba2"] = "mamba2"
    heads: Positive
    head_dim: Positive
    state_size: Positive
    n_groups: Positive
    conv_kernel: Positive
    state_bytes_per_element: Positive = 4


@dataclass(frozen=True, kw_only=True)
class NoMixer:
    """A sub-layer that has only an FFN."""

    __pydantic_config__ = STRICT

    kind: Literal["none"] = "none"


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A feed-forward network: gated has three matrices, ungated two."""

    __pydantic_config__ = STRICT

    kind: Literal["dense"] = "dense"
    d_ff: Positive
    gated: bool = True
    bias: bool = False


@dataclass(frozen=True, kw_only=True)
class Moe:
    """Routed experts, shared experts and what stands beside them."""

    __pydantic_config__ = STRICT

    kind: Literal["moe"] = "moe"
    experts: Positive
    top_k: Positive
    expert_d_ff: Positive
    shared_experts: Whole = 0
    shared_d_ff: Whole = 0
    """Total width of all shared experts."""
    gated: bool = True
    shared_gate: bool = False
    expert_bias: bool = False
    router_bias_param: bool = False
    router_extra: bool = False
    latent_dim: Positive | None = None
    """Experts work on a projection of this width."""
    latent_norm: bool = False
    parallel_dense_d_ff: Positive | None = None
    """A dense FFN of this width runs beside the experts."""


@dataclass(frozen=True, kw_only=True)
class NoFfn:
    """A sub-layer that has only a mixer."""

    __pydantic_config__ = STRICT

    kind: Literal["none"] = "none"


MIXERS: tuple[type[Any], ...] = (Gqa, Mla, Compressed, GatedDeltaNet, Kda, Lightning, Mamba2, NoMixer)
FFNS: tuple[type[Any], ...] = (Dense, Moe, NoFfn)
Mixer = Annotated[
    Gqa | Mla | Compressed | GatedDeltaNet | Kda | Lightning | Mamba2 | NoMixer, ByKind({c.kind: c for c in MIXERS})
]
Ffn = Annotated[Dense | Moe | NoFfn, ByKind({c.kind: c for c in FFNS})]
