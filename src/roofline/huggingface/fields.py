"""A config.json as typed fields: one meaning has many names, and every wrong value becomes one clear line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from roofline.errors import RooflineError

#: Where multimodal configurations keep their language model; some keep it two levels down.
NESTED = ("text_config", "language_config", "llm_config", "thinker_config")
#: A dimension beyond this is a slip: the widest model known has 2^15, the largest vocabulary 2^18.
LARGEST = 2**27

LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
WIDTH = ("hidden_size", "n_embd", "n_embed", "d_model", "dim", "emb_size")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "num_attention_groups")
HEAD_DIM = ("head_dim", "attention_head_dim", "kv_channels")
DENSE_WIDTH = ("intermediate_size", "ffn_hidden_size", "n_inner", "dense_intermediate_size", "inter_dim", "ffn_dim")
EXPERT_WIDTH = ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_inter_dim")
EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts")
TOP_K = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "experts_per_token",
    "top_k_experts",
    "moe_topk",
    "moe_top_k",
    "n_activated_experts",
)
SHARED = ("n_shared_experts", "num_shared_experts")
WINDOW = ("sliding_window", "sliding_window_size", "window_size")
CONTEXT = ("max_position_embeddings", "model_max_length", "n_positions", "n_ctx", "seq_length", "max_seq_len")
MTP = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules", "num_mtp_layers")


@dataclass(frozen=True)
class Config:
    """Fields of one configuration.

    Attributes
    ----------
    values : dict
        Of the language model; `outer` of the whole file.
    where : str
        File, for messages.
    asked : set of str
        Names that somebody looked at: an importer that never asked for a telling key does not know what it means.
    notes : list of str
        What a reader of the imported model should know: where the file was silent and what was taken.
    """

    values: dict[str, Any]
    outer: dict[str, Any]
    where: str
    asked: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def fail(self, key: str, reason: str) -> NoReturn:
        """Raise the one error of this package."""
        raise RooflineError(f"{self.where}: {key}: {reason}")

    def first(self, *names: str) -> tuple[str, Any]:
        """Return the first of several names that has a value, with the value; ("", None) where none has."""
        self.asked.update(names)
        for name in names:
            value = self.values.get(name)
            if value is not None:
                return name, value
        return "", None

    def whole(self, *names: str, low: int = 1, default: int | None = None) -> int:
        """Return a whole number under one of several names.

        A `default` is the model class's own, which a file may rely on; that it was taken goes into the notes.

        Raises
        ------
        RooflineError
            If none is there and there is no default, or the value is not a whole number in range.
        """
        found = self.maybe(*names, low=low)
        if found is not None:
            return found
        if default is not None:
            self.notes.append(f"{names[0]} is not in the file: {default}, as the model class has it.")
            return default
        others = f" (or {', '.join(names[1:])})" if names[1:] else ""
        return self.fail(names[0], f"missing{others}; the file may be cut or of another family")

    def maybe(self, *names: str, low: int = 1) -> int | None:
        """Return a whole number, or None where no name has a value."""
        name, value = self.first(*names)
        if not name:
            return None
        # Written so that infinity and NaN, which these files may hold, fail the comparison and not the conversion.
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, f"{shown(value)} is not a whole number")
        if not low <= value <= LARGEST:
            self.fail(name, f"{shown(value)} is out of range; it must be from {low} to {LARGEST:,}")
        if value != int(value):
            self.fail(name, f"{shown(value)} is not a whole number")
        return int(value)

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return a truth value."""
        name, value = self.first(*names)
        if not name:
            return default
        if not isinstance(value, bool):
            self.fail(name, f"{shown(value)} is not true or false")
        return value

    def items(self, *names: str, length: int = 0) -> list[Any] | None:
        """Return a list of at least `length` entries, or None."""
        name, value = self.first(*names)
        if not name:
            return None
        if not isinstance(value, list):
            self.fail(name, f"{shown(value)} is not a list")
        if len(value) < length:
            self.fail(name, f"{len(value)} entries for {length} layers")
        return value

    def switches(self, *names: str, length: int) -> list[bool] | None:
        """Return a list with 0 or 1 for each layer as truth values, or None."""
        values = self.items(*names, length=length)
        if values is None:
            return None
        for value in values[:length]:
            if value not in (0, 1):
                self.fail(names[0], f"{shown(value)} is not 0 or 1")
        return [bool(value) for value in values[:length]]

    def table(self, name: str) -> Config | None:
        """Return a table inside this one, or None."""
        _, value = self.first(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fail(name, f"{shown(value)} is not a table")
        return self.inside(value, name)

    def inside(self, values: dict[str, Any], name: str) -> Config:
        """Return a table inside this one, given its values."""
        return Config(values, self.outer, f"{self.where}: {name}", notes=self.notes)

    def text(self, *names: str, default: str = "") -> str:
        """Return a string."""
        name, value = self.first(*names)
        if not name:
            return default
        if not isinstance(value, str):
            self.fail(name, f"{shown(value)} is not a string")
        return value

    def anywhere(self) -> Config:
        """Return the fields with those of the whole file below them: a key may sit at either level."""
        return Config(self.outer | {k: v for k, v in self.values.items() if v is not None}, self.outer, self.where)


def shown(value: object) -> str:
    """Return a value as a message shows it: short, on one line."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number of more than 40 digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def read(text: str, where: str) -> Config:
    """Parse a config.json; Infinity and NaN, which some hold, are read.

    Raises
    ------
    RooflineError
        If the text is not a JSON object.
    """
    try:
        outer = json.loads(text)
    except json.JSONDecodeError as error:
        raise RooflineError(
            f"{where}: not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}); "
            "the file may be cut short"
        ) from None
    except RecursionError:
        raise RooflineError(f"{where}: not a model configuration: nested too deeply") from None
    except ValueError:  # Python refuses whole numbers of thousands of digits
        raise RooflineError(f"{where}: not a model configuration: a number has too many digits") from None
    if not isinstance(outer, dict):
        raise RooflineError(f"{where}: not a model configuration: the file holds no JSON object")
    values = outer
    name: str | None = ""
    while name is not None:
        name = next((name for name in NESTED if values.get(name) is not None), None)
        if name is not None:
            inner = values[name]
            if not isinstance(inner, dict):
                raise RooflineError(f"{where}: {name}: {shown(inner)} is not a table")
            values = inner
    return Config(values, outer, where)
