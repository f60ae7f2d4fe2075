"""A config.json as a model table: the family's shape, sizes, formats, and the layers run-length coded."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from roofline.errors import suggest
from roofline.huggingface.families import FAMILIES, refuse_overlooked
from roofline.huggingface.fields import CONTEXT, WIDTH, Config, read, shown
from roofline.huggingface.layers import Shape, run_lengths
from roofline.huggingface.precision import precision

_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]*/[\w.-]+", re.ASCII)


def import_config(text: str, where: str) -> dict[str, Any]:
    """Return the model table of a Hugging Face config.json.

    Parameters
    ----------
    text : str
        The file's text.
    where : str
        Its name, for the source and for messages.

    Raises
    ------
    RooflineError
        If the text is not JSON, a key is missing or wrong, or the family or an attention kind is not known; one line
        that names the file and the key.
    """
    c = read(text, where)
    family = _family(c)
    # A language model inside another may leave its type to the outer name.
    c = replace(c, values={**c.values, "model_type": family})
    shape = FAMILIES[family](c)
    refuse_overlooked(c)
    table: dict[str, Any] = {
        "d_model": c.whole(*WIDTH),
        "vocab_size": c.whole("vocab_size", "padded_vocab_size", default=shape.vocab),
    }
    if _tied(c, shape):
        table["tied_embeddings"] = True
    context = c.maybe(*CONTEXT)
    if context:
        table["max_context"] = context
    table["layers"] = run_lengths(shape.layers)
    table["precision"] = precision(c, experts=any(ffn["kind"] == "moe" for ffn in shape.ffns.values()))
    if shape.extras:
        table["extras"] = shape.extras
    table |= {"mixers": shape.mixers, "ffns": shape.ffns}
    if shape.mtp:
        modules, blocks = shape.mtp
        if all(m in shape.mixers and f in shape.ffns for m, f in blocks):
            table["mtp"] = {"modules": modules, "blocks": [{"mixer": m, "ffn": f} for m, f in blocks]}
    note = {"note": " ".join(dict.fromkeys(c.notes))} if c.notes else {}
    return _identity(c, family, where) | note | table


def _family(c: Config) -> str:
    """Return the model type, of the language model if it says its own."""
    for values in (c.values, c.outer):
        name = values.get("model_type")
        if name is None:
            continue
        if not isinstance(name, str):
            c.fail("model_type", f"{shown(name)} is not a string")
        family = name.lower()
        if family in FAMILIES:
            return family
        near = suggest(family, list(FAMILIES))
        c.fail(
            "model_type",
            f"family {shown(name)} is not known{near}; write a model file by hand (see CONTRIBUTING.md)",
        )
    return c.fail("model_type", "missing; this is not a model's config.json, or it is cut")


def _identity(c: Config, family: str, where: str) -> dict[str, Any]:
    """Return name, developer, repository and source."""
    told = c.outer.get("_name_or_path") or c.values.get("_name_or_path")
    path = printable(told) if isinstance(told, str) else ""
    table = {"name": path.rstrip("/").rpartition("/")[2] or _architecture(c) or family, "developer": "unknown"}
    # Training runs write a path of their own machine here.
    if _REPOSITORY.fullmatch(path):
        table |= {"developer": path.partition("/")[0], "hf_id": path}
    return table | {"source": f"Hugging Face config.json: {PurePath(where).name}"}


def _architecture(c: Config) -> str:
    names = c.outer.get("architectures")
    return printable(names[0]) if isinstance(names, list) and names and isinstance(names[0], str) else ""


def printable(text: str) -> str:
    """Return text without what cannot stand in a file of UTF-8 lines."""
    return "".join(ch if ch.isprintable() else "_" for ch in text).strip()


def _tied(c: Config, shape: Shape) -> bool:
    """Return whether the head is the embedding table; absent, the family's habit holds; the outer key wins."""
    for values in (c.outer, c.values):
        if values.get("tie_word_embeddings") is not None:
            return replace(c, values=values).flag("tie_word_embeddings")
    return shape.tied
