"""Options that mean the same in every command, and what they turn into."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from roofline import axes
from roofline.errors import RooflineError
from roofline.resolve import Request
from roofline.units import parse_quantity

Command = Callable[..., Any]
#: More points than this are for `sweep`, which streams them to a file.
MOST_POINTS = 200_000

_FILE = click.Path(path_type=Path)


def _names_of(family: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the last name of a comma-separated list on the command line, from file names alone."""

    def complete(_: click.Context, __: click.Parameter, text: str) -> list[str]:
        from roofline.catalog import files

        before, comma, last = text.rpartition(",")
        try:
            names = sorted({stem for _, stem, _ in files(family)})  # type: ignore[arg-type]
        except RooflineError:
            return []
        return [before + comma + name for name in names if name.startswith(last.lower())]

    return complete


def _joined(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Return the values of an option given several times as if it had been given once, with commas."""
    return ",".join(values) if values else None


def _axis(flag: str, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return an option whose values make an axis: ``--hw h100 --hw b200`` is ``--hw h100,b200``."""
    if "type" in settings or "multiple" in settings:
        return flag, settings
    default = {"default": (settings["default"],)} if "default" in settings else {}
    return flag, settings | {"multiple": True, "callback": _joined} | default


_CHIPS = {"required": True, "help": "Chips: names, aliases or TOML paths; commas make an axis."}
_MODELS = {"required": True, "help": "Models: names, aliases, TOML or config.json paths; commas make an axis."}
_ENGINES = {"help": "Serving engines; by default each chip's usual one. `ideal` is the bound."}
_OPTIONS = (
    ("--hw", _CHIPS | {"shell_complete": _names_of("hardware")}),
    ("--model", _MODELS | {"shell_complete": _names_of("models")}),
    ("--engine", _ENGINES | {"shell_complete": _names_of("engines")}),
    ("--chips", {"help": "Chips that serve one copy; by default the fewest that hold the model."}),
    ("--tp", {"help": "Tensor parallel degree."}),
    ("--pp", {"help": "Pipeline parallel degree."}),
    ("--dp", {"help": "Attention-data parallel degree."}),
    ("--ep", {"help": "Expert parallel degree."}),
    ("--dcp", {"help": "Decode context parallel degree."}),
    ("--cores", {"help": "Wafers: cores of one layer's region, where an experiment fixes it."}),
    (
        "--weights",
        {
            "help": "Format of the weights (bf16, fp8, nvfp4, int4, q4_k_m ...); by default as shipped. nvfp4 and "
            "mxfp4 of a model with experts are those of its 4-bit copies: experts alone, the rest as shipped or as its "
            "maker's copy has it."
        },
    ),
    ("--experts", {"help": "Format of routed experts; by default that of the weights."}),
    ("--kv", {"help": "Format of the KV cache."}),
    ("--activations", {"help": "Format that matrix products take their inputs in."}),
    ("--kv-tier", {"type": int, "default": 0, "help": "Memory tier that holds the KV cache (0 = nearest)."}),
    ("--set", {"multiple": True, "metavar": "PATH=VALUE", "help": "What-if, e.g. hw.memory.0.bandwidth=4TB/s."}),
)
_WHERE = tuple(_axis(flag, settings) for flag, settings in _OPTIONS)
_MONEY = (
    ("--usd-per-hour", {"metavar": "USD", "help": "Your own price of one chip and hour."}),
    ("--basis", {"help": "Price basis: rental-median, owner-neocloud, owner-hyperscaler, contract ..."}),
    ("--utilisation", {"type": float, "default": 1.0, "show_default": True, "help": "Busy share of the paid time."}),
)
_OUT = (
    (
        "--format",
        {
            "type": click.Choice(["table", "json", "jsonl", "csv", "md", "parquet"]),
            "default": "table",
            "show_default": True,
            "help": "Table for people; the rest are flat records in base units.",
        },
    ),
    ("--strict", {"is_flag": True, "help": "Exit with status 3 if anything does not fit."}),
)


def _seconds(_: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Read a time above zero, with its unit or in seconds."""
    if text is None:
        return None
    try:
        seconds = parse_quantity(text, "s")
    except RooflineError as error:
        raise RooflineError(f"{option.opts[0]}: {error}") from None
    if not 0 < seconds < 1e9:
        raise RooflineError(f"{option.opts[0]}: {text} is out of range; it must be above 0 seconds")
    return seconds


_PROMISE = (
    ("--ttft", {"callback": _seconds, "metavar": "TIME", "help": "Promise: first token within this time, e.g. 2s."}),
    ("--tpot", {"callback": _seconds, "metavar": "TIME", "help": "Promise: later tokens in this each, e.g. 20ms."}),
)


def _add(options: tuple[tuple[str, dict[str, Any]], ...]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for flag, settings in reversed(options):
            command = click.option(flag, **settings)(command)
        return command

    return decorate


where_options = _add(_WHERE)
#: The same for a command that can also read records from a file.
optional_where_options = _add(tuple((flag, settings | {"required": False}) for flag, settings in _WHERE))


def where(*flags: str) -> Callable[[Command], Command]:
    """Add some of the options that say what runs where."""
    return _add(tuple(option for option in _WHERE if option[0] in flags))


money_options = _add(_MONEY)
output_options = _add(_OUT)
promise_options = _add(_PROMISE)


def point_options(*flags: str, **defaults: str) -> Callable[[Command], Command]:
    """Add the workload options that a command takes; `defaults` replace the usual ones, by name."""
    known: dict[str, dict[str, Any]] = {
        "--batch": {"default": "1", "show_default": True, "help": "Sequences: 8, or 1,2,4..64, or 1:64:x2."},
        "--context": {"default": "8k", "show_default": True, "help": "Cached tokens per sequence: 8k, 1k:128k:x2."},
        "--isl": {"default": "4k", "show_default": True, "help": "Prompt tokens per sequence."},
        "--past": {"default": "0", "show_default": True, "help": "Tokens already cached before the prompt."},
    }
    for name, text in defaults.items():
        known[f"--{name}"]["default"] = text
    return _add(tuple(_axis(flag, known[flag]) for flag in flags))


plot_option = _add((("--plot", {"type": _FILE, "help": "Also draw a chart to this file: .svg, .png, .html, .json."}),))
overwrite_option = _add((("--overwrite", {"is_flag": True, "help": "Replace an output file that exists."}),))


@dataclass(frozen=True, slots=True)
class Money:
    """Price options as given."""

    usd_per_hour: float | None
    basis: str | None
    utilisation: float


def axes_of(options: dict[str, Any]) -> dict[str, list[Any]]:
    """Take the named axes out of `options`: values of every option that says what runs where, where it is given."""
    found: dict[str, list[Any]] = {}
    for name in ("hw", "model", "engine"):
        text = options.pop(name)
        if text is not None:
            found[name] = axes.names(text, f"--{name}")
    for name in ("chips", "tp", "pp", "dp", "ep", "dcp", "cores"):
        text = options.pop(name)
        if text is not None:
            found[name] = axes.counts(text, f"--{name}")
    for name in ("weights", "experts", "kv", "activations"):
        text = options.pop(name)
        if text is not None:
            found[name] = axes.names(text, f"--{name}")
    return found


def requests(options: dict[str, Any]) -> Iterator[Request]:
    """Yield one request per combination of the named axes, and leave the other options in `options`."""
    choices = axes_of(options)
    sets, tier = tuple(options.pop("set")), options.pop("kv_tier")
    combinations = math.prod(len(values) for values in choices.values())
    if combinations > MOST_POINTS:
        raise RooflineError(f"{combinations:,} deployments asked for; at most {MOST_POINTS:,} in one command")
    for values in itertools.product(*choices.values()):
        yield Request(**dict(zip(choices, values, strict=True)), kv_tier=tier, set=sets)


def money(options: dict[str, Any]) -> Money:
    """Read the price options and check them."""
    usd = dollars_per_hour(options.pop("usd_per_hour"), "--usd-per-hour")
    utilisation = options.pop("utilisation")
    if not 0 < utilisation <= 1:
        raise RooflineError(f"--utilisation: {utilisation} is out of range; it must be above 0 and at most 1")
    return Money(usd, options.pop("basis"), utilisation)


def dollars_per_hour(text: str | None, what: str) -> float | None:
    """Read a price of an hour [USD/h]."""
    if text is None:
        return None
    try:
        usd = parse_quantity(text, "USD/h")
    except RooflineError as error:
        raise RooflineError(f"{what}: {error}") from None
    if usd < 0:
        raise RooflineError(f"{what}: {text} is negative; a price is zero or more")
    return usd


def whole(text: str, what: str) -> list[int]:
    """Read a set of whole numbers that may be zero."""
    return [0] if text.strip() == "0" else axes.counts(text, what)


def check_size(points: int) -> None:
    """Refuse more points than a command prints."""
    if points > MOST_POINTS:
        raise RooflineError(f"{points:,} points asked for; at most {MOST_POINTS:,} here; `roofline sweep` streams more")
