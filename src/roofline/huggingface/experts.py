"""What stands beside the mixers in most families with experts: dense layers first, shared experts, MTP modules."""

from __future__ import annotations

from roofline.huggingface import ffns
from roofline.huggingface.fields import MTP, SHARED, Config
from roofline.huggingface.layers import Shape, expert_layers


def with_experts(c: Config, shape: Shape, draft: str = "") -> Shape:
    """Return a shape with its FFNs filled in: dense layers first, experts with shared ones after; `draft` for MTP."""
    has = expert_layers(c, len(shape.layers))
    if any(has):
        shared = c.maybe(*SHARED, low=0) or 0
        latent = c.maybe("routed_expert_hidden_size", "moe_latent_size")
        norm = c.flag("latent_moe_use_norm")
        shape.ffns["moe"] = ffns.moe(c, shared=shared, latent_dim=latent, latent_norm=norm)
    if not all(has):
        shape.ffns["dense"] = ffns.dense(c, "intermediate_size")
    shape.layers = [(mixer, "moe" if moe else "dense") for (mixer, _), moe in zip(shape.layers, has, strict=True)]
    if draft:
        shape.mtp = mtp(c, draft, shape.layers[-1][1])
    return shape


def mtp(c: Config, mixer: str, ffn: str) -> tuple[int, list[tuple[str, str]]] | None:
    """Return the modules of multi-token prediction, which repeat a layer."""
    modules = c.maybe(*MTP, low=0)
    layers = c.maybe("mtp_transformer_layers") or 1
    return (modules, [(mixer, ffn)] * layers) if modules else None
