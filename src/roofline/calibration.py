"""From a user's benchmark file to catalogue files with fitted constants, each with its record."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from roofline import calibrate, catalog, constants
from roofline.calibrate import Fit
from roofline.constants import Parameter
from roofline.errors import RooflineError, suggest
from roofline.huggingface.toml import literal
from roofline.measurements import Measurement, read, read_csv, sniff

#: Constants of a chip and of an engine that a benchmark can speak of.
CHIP_FIELDS: tuple[str, ...] = (
    "gemm",
    "weights",
    "moe_gemm",
    "moe_weights",
    "moe_floor",
    "attention_decode_bytes",
    "overlap",
    "kernel",
)
CHIP_FIELDS += ("attention_decode_floor", "attention_prefill_flops", "elementwise", "link_small", "collective")
ENGINE_FIELDS: tuple[str, ...] = (
    "host_per_step",
    "host_per_sequence",
    "launch",
    "launches_per_layer",
    "elementwise_passes",
)
ENGINE_FIELDS += ("request", "request_per_token", "gemm", "attention", "expert_imbalance")
UNITS = ("bf16", "fp16", "fp8", "int8", "fp4")
#: Fields in seconds, for the files that are written.
_SECONDS: tuple[str, ...] = (
    "kernel",
    "collective",
    "launch",
    "host_per_step",
    "host_per_sequence",
    "request",
    "request_per_token",
)
_SECONDS += ("moe_floor", "attention_decode_floor")


@dataclass(frozen=True, slots=True)
class Found:
    """A fit to a user's rows."""

    fit: Fit

    @property
    def median_errors(self) -> tuple[float, float]:
        """Median absolute error before and after."""
        return _error(self.fit.before), _error(self.fit.after)


def _error(logs: Any) -> float:
    return median(abs(math.expm1(float(e))) for e in logs)


def user_folder() -> Path:
    """Return the platform's catalogue folder of this user."""
    import click

    return Path(click.get_app_dir("roofline"))


def read_rows(file: Path, **deployment: Any) -> list[Measurement]:
    """Read a benchmark file of any known kind; `deployment` (see `measurements.read`) is what its kind does not say."""
    if sniff(file) == "csv":
        return read_csv(file)
    return read(file, **{**deployment, "tp": deployment.get("tp") or deployment.get("n_chips")})


def parameters(rows: Sequence[Measurement], wanted: Sequence[str] | None) -> list[Parameter]:
    """Return the constants to fit: those asked for, or all, of every chip and engine of the rows.

    Raises
    ------
    RooflineError
        If a field is unknown.
    """
    known = {*CHIP_FIELDS, *ENGINE_FIELDS}
    for name in wanted or ():
        if name not in known:
            raise RooflineError(
                f"--fit {name!r} is not a constant{suggest(name, sorted(known))}; {', '.join(sorted(known))}"
            )
    _, systems = calibrate.usable(rows)
    found: dict[Parameter, None] = {}
    for system in systems:
        if system.spatial:
            continue
        for field in CHIP_FIELDS:
            if wanted is None or field in wanted:
                units = UNITS if field in ("gemm", "weights", "moe_gemm") else ("",)
                found |= dict.fromkeys(Parameter("chip", system.names[0], field, unit) for unit in units)
        for field in ENGINE_FIELDS:
            if wanted is None or field in wanted:
                found[Parameter("engine", constants.engine_key(system), field)] = None
    return list(found)


def run(rows: Sequence[Measurement], wanted: Sequence[str] | None, say: Callable[[str], None]) -> Found:
    """Fit constants to rows.

    Raises
    ------
    RooflineError
        If no row can be predicted, or scipy-free fitting has nothing to do.
    """
    processes = 1 if len(rows) < 200 else None
    return Found(calibrate.fit(rows, parameters(rows, wanted), processes=processes, say=say))


def write(found: Found, file: Path, folder: Path, *, overwrite: bool) -> list[Path]:
    """Write chips and engines with their fitted constants; all of them, or none.

    Raises
    ------
    RooflineError
        If a file exists and `overwrite` is not set, or the folder cannot be written.
    """
    texts = {folder / name: text for name, text in _files(found, file).items()}
    for path in texts:
        if path.exists() and not overwrite:
            raise RooflineError(f"{path} exists; give --overwrite or another --output")
    parts: list[tuple[Path, Path]] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            part.write_text(text, encoding="utf-8")
            parts.append((part, path))
        for part, path in parts:
            part.replace(path)
    except OSError as error:
        raise RooflineError(f"{folder}: cannot write ({error.strerror}); nothing was left behind") from None
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)
    return list(texts)


def _files(found: Found, file: Path) -> dict[str, str]:
    """Return the text of each file: the catalogue's own, with new constants and the record of the fit."""
    changed: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(dict)
    for parameter, value in found.fit.values.items():
        if abs(math.log(value / found.fit.start[parameter])) > 0.005:
            family = "hardware" if parameter.scope == "chip" else "engines"
            changed[family, parameter.name.partition("<=")[0]][parameter.field, parameter.key] = value
    before, after = found.median_errors
    record = (
        f"Calibrated on {date.today().isoformat()} to {file.name}: {len(found.fit.rows)} rows, "
        f"median error {before:.1%} before and {after:.1%} after."
    )
    texts = {}
    for (family, name), values in changed.items():
        table = _copy(catalog.table("hardware" if family == "hardware" else "engines", name))
        place = table.setdefault("achieved", {}) if family == "hardware" else table
        for (field, key), value in values.items():
            text = f"{value * 1e6:.4g} us" if field in _SECONDS else float(f"{value:.4g}")
            figure = {"value": text, "source": f"roofline calibrate {file.name}", "kind": "measured"}
            if key:
                place.setdefault(field, {})[key] = figure
            else:
                place[field] = figure
        table["note"] = f"{table.get('note', '')} {record}".strip()
        texts[f"{family}/{name}.toml"] = dump(table)
    return texts


def _copy(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _copy(v) for k, v in node.items()}
    return [_copy(v) for v in node] if isinstance(node, list) else node


def dump(table: dict[str, Any], prefix: str = "") -> str:
    """Return a spec table as TOML in the layout of the catalogue: scalars and figures first, then tables."""
    scalars, tables = [], []
    for key, value in table.items():
        if isinstance(value, dict) and "value" not in value:
            tables.append((key, [value], False))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables.append((key, value, True))
        else:
            scalars.append(f"{key} = {literal(value)}")
    text = "".join(f"{line}\n" for line in scalars)
    for key, members, many in tables:
        path = f"{prefix}{key}"
        for member in members:
            body = dump(member, f"{path}.")
            head = f"[[{path}]]\n" if many else f"[{path}]\n"
            text += "\n" * bool(text) + (body if body.startswith("[") and not many else head + body)
    return text
