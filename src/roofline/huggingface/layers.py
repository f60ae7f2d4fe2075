"""Which layer is of which kind: lists of kinds, every n-th layer, and the shape that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roofline.huggingface.fields import LAYERS, WINDOW, Config, shown

Table = dict[str, dict[str, Any]]

#: What an entry of `layer_types` means; a family that knows neither name refuses it.
FULL = ("full_attention", "attention", "full")
SLIDING = ("sliding_attention", "sliding")
LINEAR = ("linear_attention",)
MAMBA = ("mamba", "mamba2", "linear_attention")
INDEXED = ("indexed_attention", "deepseek_sparse_attention")
#: Keys that say which layers are of the rarer kind; where the layers are listed one by one, they add nothing.
PERIODS = ("sliding_window_pattern", "full_attention_interval", "global_attn_every_n_layers")
#: What an entry of `mlp_layer_types` means.
FFN_KINDS = {"dense": False, "sparse": True, "moe": True, "hash_moe": True}


@dataclass
class Shape:
    """Blocks of a model before they are written as a table."""

    mixers: Table
    ffns: Table
    layers: list[tuple[str, str]]
    extras: dict[str, Any] = field(default_factory=dict)
    tied: bool = False
    mtp: tuple[int, list[tuple[str, str]]] | None = None
    vocab: int | None = None
    """Vocabulary of the model class, where the family's files leave it out."""


def count(c: Config) -> int:
    """Return the number of layers; thousands would be a slip."""
    layers = c.whole(*LAYERS)
    if layers > 2000:
        c.fail(LAYERS[0], f"{layers} layers is out of range")
    return layers


def layer_types(c: Config, layers: int, known: dict[str, str], key: str = "layer_types") -> list[str] | None:
    """Return each layer's mixer by the `layer_types` list; a kind that is not known is refused by name."""
    kinds = c.items(key, length=layers)
    if kinds is None:
        return None
    c.asked.update(PERIODS)
    for kind in kinds[:layers]:
        if not isinstance(kind, str) or kind not in known:
            c.fail(
                key,
                f"attention kind {shown(kind)} is not known; family {c.text('model_type')!r} has {', '.join(known)}; "
                "for another, write a model file (see CONTRIBUTING.md)",
            )
    return [known[kind] for kind in kinds[:layers]]


def kinds(**names: tuple[str, ...]) -> dict[str, str]:
    """Return what each `layer_types` entry means, from the entries of each mixer."""
    return {entry: mixer for mixer, entries in names.items() for entry in entries}


def every(c: Config, layers: int, name: str, often: str, rare: str, default: int) -> list[str]:
    """Return layers where each `name`-th is `rare` and the others `often`; a family's habit where it is absent."""
    step = c.maybe(name, f"_{name}") or default
    return [rare if (i + 1) % step == 0 else often for i in range(layers)]


def used(table: Table, names: list[str]) -> Table:
    """Return the entries that some layer uses, in order of first use."""
    return {name: table[name] for name in dict.fromkeys(names)}


def sliding_window(c: Config) -> int | None:
    """Return the window, unless the configuration carries one that it does not use."""
    return c.maybe(*WINDOW) if c.flag("use_sliding_window", default=True) else None


def expert_layers(c: Config, layers: int) -> list[bool]:
    """Return which layers have experts, by whichever of the usual keys the configuration has."""
    told = c.items("mlp_layer_types", length=layers)
    if told is not None:
        for kind in told[:layers]:
            if not isinstance(kind, str) or kind not in FFN_KINDS:
                c.fail("mlp_layer_types", f"layer kind {shown(kind)} is not known (known: {', '.join(FFN_KINDS)})")
        c.asked.update(("first_k_dense_replace", "moe_layer_freq", "mlp_only_layers", "decoder_sparse_step"))
        return [FFN_KINDS[kind] for kind in told[:layers]]
    dense = c.maybe("first_k_dense_replace", "n_dense_layers", low=0) or 0
    only = c.items("mlp_only_layers") or []
    step = c.maybe("decoder_sparse_step", low=0)
    has = [i >= dense and i not in only for i in range(layers)]
    if step is not None:
        return [yes and step > 0 and (i + 1) % step == 0 for i, yes in enumerate(has)]
    if isinstance(c.first("moe_layer_freq")[1], list):
        flags = c.switches("moe_layer_freq", length=layers) or []
        return [yes and flag for yes, flag in zip(has, flags, strict=True)]
    each = c.whole("moe_layer_freq") if c.first("moe_layer_freq")[0] else 1
    return [yes and i % each == 0 for i, yes in enumerate(has)]


def run_lengths(layers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return layers as runs of repeated patterns: the shortest period that covers most, greedily."""
    runs: list[dict[str, Any]] = []
    at = 0
    while at < len(layers):
        best, period = 1, 1
        for size in range(1, min(16, (len(layers) - at) // 2) + 1):
            times = 1
            while layers[at + times * size : at + (times + 1) * size] == layers[at : at + size]:
                times += 1
            if times > 1 and times * size > best * period:
                best, period = times, size
        blocks = [{"mixer": mixer, "ffn": ffn} for mixer, ffn in layers[at : at + period]]
        runs.append({"repeat": best, "blocks": blocks} if best > 1 else {"blocks": blocks})
        at += best * period
    return runs
