"""Families whose layers were chosen by search: every layer its own KV heads and FFN width, or none."""

from __future__ import annotations

from typing import Any

from roofline.huggingface import ffns, mixers
from roofline.huggingface.fields import HEADS, WIDTH, Config, shown
from roofline.huggingface.layers import Shape, Table, count

#: Keys of a block's attention that change what it reads; a block that sets one is not known.
_UNKNOWN = ("window_length", "sparsify", "num_sink_tokens", "mamba", "llama4", "moe")


def deci(c: Config) -> Shape:
    """DeciLM (KV heads per layer) and Nemotron-NAS (block_configs)."""
    layers = count(c)
    heads = c.items("num_key_value_heads_per_layer", length=layers)
    blocks = c.items("block_configs", length=layers)
    table: Table = {}
    both: Table = {}
    found = []
    for i in range(layers):
        if heads is not None:
            kv = c.inside({"num_key_value_heads_per_layer": heads[i]}, "layer").whole("num_key_value_heads_per_layer")
            mixer, ffn = f"gqa{kv}", "dense"
            table.setdefault(mixer, mixers.gqa(c, kv_heads=kv))
            both.setdefault(ffn, ffns.dense(c))
        elif blocks is not None and isinstance(blocks[i], dict):
            block = c.inside(blocks[i], f"block_configs.{i}")
            mixer, ffn = _mixer(c, block, table), _ffn(c, block, both)
        else:
            c.fail("block_configs", f"missing, or layer {i} is not a table (or num_key_value_heads_per_layer)")
        found.append((mixer, ffn))
    return Shape(table, both, found)


def _part(block: Config, name: str) -> Config:
    part = block.table(name) or block.fail(name, "missing")
    if part.flag("replace_with_linear"):
        part.fail("replace_with_linear", "blocks replaced by a linear layer are not known")
    for key in _UNKNOWN:
        if part.first(key)[1]:
            part.fail(key, f"{shown(part.values[key])}: such blocks are not known; write a model file")
    return part


def _mixer(c: Config, block: Config, table: Table) -> str:
    part = _part(block, "attention")
    if part.flag("no_op"):
        table.setdefault("none", {"kind": "none"})
        return "none"
    heads, size = c.whole(*HEADS), part.whole("n_heads_in_group")
    if heads % size:
        part.fail("n_heads_in_group", f"{size} does not divide the {heads} query heads")
    name = f"gqa{heads // size}"
    table.setdefault(name, mixers.gqa(c, kv_heads=heads // size))
    return name


def _ffn(c: Config, block: Config, both: Table) -> str:
    part = _part(block, "ffn")
    if part.flag("no_op"):
        both.setdefault("none", {"kind": "none"})
        return "none"
    width = part.maybe("intermediate_size") or _width(part, c.whole(*WIDTH))
    both.setdefault(f"dense{width}", ffns.dense(c, width=width))
    return f"dense{width}"


def _width(part: Config, d_model: int) -> int:
    """Return two thirds of a multiple of twice the width, rounded up to 256, as the model's own code does."""
    raw: Any = part.first("ffn_mult")[1]
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < 64:
        part.fail("ffn_mult", f"{shown(raw)} is not a multiple of the width")
    return -(-int(2 * raw * d_model / 3) // 256) * 256
