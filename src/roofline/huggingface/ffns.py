"""Feed-forward networks and experts of a configuration."""

from __future__ import annotations

from typing import Any

from roofline.huggingface.fields import DENSE_WIDTH, EXPERT_WIDTH, EXPERTS, TOP_K, Config
from roofline.huggingface.mixers import without_defaults

Ffn = dict[str, Any]
#: Activations of FFNs with a gate (three matrices), and of plain ones (two).
GATED = ("silu", "swish", "gelu_pytorch_tanh", "gelu", "swigluoai", "situ", "gelu_new", "gelu_fast")
PLAIN = ("relu2", "relu", "gelu", "gelu_new", "gelu_fast")


def is_gated(c: Config, default: str, *, gelu_is_gated: bool) -> bool:
    """Return whether the FFN has a gate, by its activation; gelu may stand in either, which the family decides."""
    name = c.text("mlp_hidden_act", "hidden_activation", "hidden_act", "activation_function", default=default)
    if name.startswith("gelu"):
        return gelu_is_gated
    if name not in GATED + PLAIN:
        c.fail("hidden_act", f"activation {name!r} is not known; write a model file with `gated`")
    return name not in PLAIN


def dense(c: Config, *names: str, gated: bool | None = None, bias: bool = False, width: int | None = None) -> Ffn:
    """Return a dense FFN whose width stands under one of `names` (the usual ones where none is given)."""
    gated = is_gated(c, "silu", gelu_is_gated=True) if gated is None else gated
    table: Ffn = {"kind": "dense", "d_ff": width or c.whole(*(names or DENSE_WIDTH))}
    return table | ({} if gated else {"gated": False}) | ({"bias": True} if bias else {})


def moe(
    c: Config, *names: str, shared: int = 0, shared_width: int | None = None, gated: bool | None = None, **more: Any
) -> Ffn:
    """Return experts whose width stands under one of `names`; `shared` experts beside them.

    Parameters
    ----------
    shared : int
        Shared experts, each as wide as a routed one unless `shared_width` gives their total width.
    """
    gated = is_gated(c, "silu", gelu_is_gated=True) if gated is None else gated
    width = c.whole(*(names or EXPERT_WIDTH))
    experts, top_k = c.whole(*EXPERTS), c.whole(*TOP_K)
    if top_k > experts:
        c.fail(c.first(*TOP_K)[0], f"{top_k} is more than the {experts} experts")
    table: Ffn = {"kind": "moe", "experts": experts, "top_k": top_k, "expert_d_ff": width}
    total = shared_width if shared_width is not None else shared * width
    if total:
        table |= {"shared_experts": max(1, shared), "shared_d_ff": total}
    return without_defaults(table | more) | ({} if gated else {"gated": False})
