"""From a parsed table to a validated chip, model, engine or workload, what it inherits filled in."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from roofline.catalog.lookup import file_table, find, folders, shipped_folder, spec_table, stamp, table
from roofline.errors import RooflineError, suggest
from roofline.specs.figure import Figure, sourced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from roofline.specs.engine import Engine
    from roofline.specs.figure import Sourced
    from roofline.specs.hardware import Achieved, Hardware, HardwareClass
    from roofline.specs.model import Model
    from roofline.specs.workload import Workload

    S = TypeVar("S", bound=Sourced)


def build(cls: type[S], raw: dict[str, Any], where: str) -> S:
    """Make a spec of a class from a parsed table: shipped files at once, everything else through validation.

    Raises
    ------
    RooflineError
        On the first wrong key, type, unit or missing source, as ``file: key: reason``.
    """
    from roofline.specs import build as quick

    if where.startswith(str(shipped_folder()) + os.sep):
        return quick.build(cls, raw)
    from roofline.specs.validate import validate

    spec = validate(cls, raw, where)
    unsourced = next((path for path, figure in spec.figures() if not figure.source), None)
    if unsourced:
        raise RooflineError(
            f'{where}: {unsourced}: no source; write {{ value = ..., source = "..." }} there '
            'or one `source = "..."` at the top of the file'
        )
    return spec


def hardware(name: str) -> Hardware:
    """Load a chip by name, alias or path, its class defaults filled in.

    Raises
    ------
    RooflineError
        If the name is unknown or the file is wrong.
    """
    path = find("hardware", name)
    return _hardware(path, stamp(path))


@lru_cache(maxsize=256)
def _hardware(path: Path, changed: tuple[int, int]) -> Hardware:
    return hardware_from_table(file_table(path), str(path))


def hardware_from_table(raw: dict[str, Any], where: str) -> Hardware:
    """Validate a chip and check what only a whole chip can be checked for."""
    from roofline.specs.hardware import Hardware

    if "class" in raw:
        raw = {"hardware_class" if name == "class" else name: value for name, value in raw.items()}
    chip = build(Hardware, raw, where)
    if not chip.peak or not chip.memory:
        raise RooflineError(f"{where}: {'memory' if chip.peak else 'peak'}: empty; give at least one")
    from roofline.dtypes import UNITS

    for unit in chip.peak:
        if unit not in UNITS:
            raise RooflineError(f"{where}: peak.{unit}: unknown unit{suggest(unit, list(UNITS))}; {', '.join(UNITS)}")
    if chip.execution == "spatial" and chip.spatial is None:
        raise RooflineError(f'{where}: spatial: missing; a chip with execution = "spatial" needs [spatial]')
    if chip.memory[0].bandwidth is None:
        raise RooflineError(f"{where}: memory.0.bandwidth: missing; the nearest tier needs a bandwidth")
    return chip


@lru_cache(maxsize=64)
def class_defaults(name: str) -> Achieved:
    """Load the achieved fractions of a hardware class, its parents' filled in below its own.

    Raises
    ------
    RooflineError
        If there is no such class file.
    """
    from roofline.specs.hardware import HardwareClass

    path = _ancestors(_class_file(name), _class_file)[0]
    spec = build(HardwareClass, spec_table(path), str(path))
    own = _with_sources(spec)
    return merge_achieved(own, class_defaults(spec.parent)) if spec.parent else own


def chip_family(hardware_class: str) -> str:
    """Return the widest class that a class is of, that of all chips aside: one port of an engine serves its chips."""
    names = [path.stem for path in _ancestors(_class_file(hardware_class), _class_file)]
    return next(name for name in reversed(names) if name != "generic" or len(names) == 1)


def _ancestors(path: Path, named: Callable[[str], Path]) -> list[Path]:
    """Return the file of a class or an engine and those that it derives from, nearest first."""
    found = [path]
    while parent := file_table(found[-1]).get("parent"):
        above = named(str(parent).partition("@")[0])
        if above in found:
            raise RooflineError(f"{found[-1]}: parent: {parent!r} derives from this very file; name another")
        found.append(above)
    return found


def _class_file(name: str, where: str = "") -> Path:
    """Return the file of a hardware class."""
    places = [folder / "hardware" / "classes" for _, folder in folders()]
    for place in places:
        if (path := place / f"{name}.toml").is_file():
            return path
    known = sorted({path.stem for place in places for path in place.glob("*.toml")})
    raise RooflineError(f"{where}unknown hardware class {name!r}{suggest(name, known)}; there are {', '.join(known)}")


def _with_sources(spec: HardwareClass) -> Achieved:
    """Return a class's achieved figures, each carrying the file's source."""
    update: dict[str, Any] = {}
    for name, value in vars(spec.achieved).items():
        if isinstance(value, dict):
            update[name] = {unit: sourced(figure, spec) for unit, figure in value.items()}
        elif value is not None:
            update[name] = sourced(value, spec)
    return replace(spec.achieved, **update)


def merge_achieved(own: Achieved, below: Achieved) -> Achieved:
    """Return `own` where it says something, `below` elsewhere; dictionaries merge key by key."""
    update: dict[str, Any] = {}
    for name, mine in vars(own).items():
        theirs = getattr(below, name)
        if isinstance(mine, dict):
            update[name] = {**theirs, **mine}
        elif mine is None:
            update[name] = theirs
    return replace(own, **update)


def model(name: str) -> Model:
    """Load a model by name, alias, or path to a TOML or a Hugging Face config.json.

    Raises
    ------
    RooflineError
        If the name is unknown or the file is wrong.
    """
    path = find("models", name)
    return _model(path, stamp(path))


@lru_cache(maxsize=256)
def _model(path: Path, changed: tuple[int, int]) -> Model:
    return model_from_table(file_table(path), str(path))


def model_from_table(raw: dict[str, Any], where: str) -> Model:
    """Validate a model and its number formats."""
    from roofline.dtypes import normalise
    from roofline.specs.model import Model

    spec = build(Model, raw, where)
    if not spec.source:
        raise RooflineError(f'{where}: source: missing; write `source = "..."` at the top of the file')
    if spec.release and not re.fullmatch(r"[0-9]{4}(-(0[1-9]|1[0-2]))?", spec.release):
        raise RooflineError(f"{where}: release: {spec.release!r} is no month; write YYYY or YYYY-MM")
    for part, dtype in vars(spec.precision).items():
        if dtype is not None:
            normalise(dtype, f"{where}: precision.{part}")
    return spec


def engine(name: str) -> Engine:
    """Load an engine by name, alias or path, its parent's figures filled in.

    A name may carry a date: ``vllm@2024-10`` is the engine as its releases of that month were.

    Raises
    ------
    RooflineError
        If the name is unknown or the file is wrong.
    """
    plain, _, date = name.partition("@")
    path = find("engines", plain)
    _ancestors(path, lambda parent: find("engines", parent))
    # A parent's file may change by itself: only what a file says is kept.
    spec = _inherited(_engine(path, stamp(path)))
    return at_date(spec, date) if date else spec


def port(name: str, hardware_class: str) -> str:
    """Return the profile that stands for an engine on chips of a class; a date in the name stays.

    Raises
    ------
    RooflineError
        If the engine is unknown, or its file names a profile that is.
    """
    plain, at, date = name.partition("@")
    path = find("engines", plain)
    other = (_engine(path, stamp(path)).ports or {}).get(hardware_class)
    if other is None:
        return name
    try:
        find("engines", other)
    except RooflineError as error:
        raise RooflineError(f"{path}: ports.{hardware_class}: {error}") from None
    return other + at + date


@lru_cache(maxsize=128)
def _engine(path: Path, changed: tuple[int, int]) -> Engine:
    return _own_engine(file_table(path), str(path))


def engine_from_table(raw: dict[str, Any], where: str) -> Engine:
    """Validate an engine and fill in what it inherits."""
    return _inherited(_own_engine(raw, where))


def _own_engine(raw: dict[str, Any], where: str) -> Engine:
    from roofline.specs.engine import Engine

    spec = build(Engine, raw, where)
    for epoch in spec.epochs:
        if epoch.before and not re.fullmatch(r"[0-9]+(\.[0-9]+)+", epoch.before):
            raise RooflineError(f'{where}: epochs.before: {epoch.before!r} is no version; write numbers, as "0.12"')
    for name in spec.ports or {}:
        _class_file(name, f"{where}: ports.{name}: ")
    return spec


def _inherited(spec: Engine) -> Engine:
    if not spec.parent:
        return spec
    parent = engine(spec.parent)
    identity = {"name", "aliases", "source", "checked", "kind", "note", "parent", "epochs", "ports"}
    inherited = {k: v for k, v in vars(parent).items() if k not in identity and getattr(spec, k) is None}
    # An inherited figure keeps the source of the file that states it.
    inherited = {k: sourced(v, parent) if isinstance(v, Figure) else v for k, v in inherited.items()}
    return replace(spec, **inherited, epochs=spec.epochs or parent.epochs)


def workload(name: str) -> Workload:
    """Load a workload profile by name, alias or path.

    Raises
    ------
    RooflineError
        If the name is unknown or the file is wrong.
    """
    return workload_from_table(table("workloads", name), str(find("workloads", name)))


def workload_from_table(raw: dict[str, Any], where: str) -> Workload:
    """Validate a workload profile and check what its figures say of one another."""
    from roofline.specs.workload import Workload

    spec = build(Workload, raw, where)
    for kind, lengths in (("isl", spec.isl), ("osl", spec.osl)):
        if lengths.mean.value < 1:
            raise RooflineError(f"{where}: {kind}.mean: {lengths.mean.value:g} is out of range; it must be at least 1")
        if lengths.p50 and lengths.p90 and lengths.p50.value > lengths.p90.value:
            raise RooflineError(f"{where}: {kind}.p90: below the median; give the larger of the two")
    return spec


def at_date(spec: Engine, date: str) -> Engine:
    """Return an engine as its releases of a month (YYYY-MM or YYYY) were."""
    if not re.fullmatch(r"20[0-9]{2}(-[0-9]{2}(-[0-9]{2})?)?", date):
        raise RooflineError(f"engine date {date!r}: write YYYY or YYYY-MM, for example vllm@2024-10")
    epoch = spec.epoch(date)
    when = ("until", "before", "source", "as_fast")
    told = {k: v for k, v in vars(epoch).items() if v is not None and k not in when} if epoch else {}
    return replace(spec, **told)
