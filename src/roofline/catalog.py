"""Find a chip, model, engine or workload by name, alias or path, and load only that file.

Names match without case or punctuation. Folders are searched in this order: ``ROOFLINE_PATH`` (one or more folders
with hardware/, models/, engines/, workloads/ inside), the platform's config folder, then what the package ships.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from roofline.errors import RooflineError, suggest
from roofline.specs.figure import Figure, sourced

if TYPE_CHECKING:
    from roofline.specs.engine import Engine
    from roofline.specs.figure import Sourced
    from roofline.specs.hardware import Achieved, Hardware, HardwareClass
    from roofline.specs.model import Model
    from roofline.specs.workload import Workload

    S = TypeVar("S", bound=Sourced)

Family = Literal["hardware", "models", "engines", "workloads"]
_WORD: dict[Family, str] = {"hardware": "chip", "models": "model", "engines": "engine", "workloads": "workload"}
_ALIASES = re.compile(r"^aliases\s*=\s*\[(.*?)\]", re.M | re.S)
_STRING = re.compile(r'"([^"]*)"')


def key(name: str) -> str:
    """Return a name without case or punctuation, as names are compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def shipped_folder() -> Path:
    """Return the folder that holds the shipped hardware/, models/, engines/ and workloads/."""
    package = Path(__file__).parent
    for folder in (package / "_specs", package.parents[1]):
        if (folder / "hardware").is_dir():
            return folder
    raise RooflineError(f"the shipped catalogue is missing beside {package}; reinstall roofline")


def folders() -> list[tuple[str, Path]]:
    """Return (origin, folder) in the order of precedence; origin is ``path``, ``user`` or ``shipped``."""
    found = [("path", Path(p).expanduser()) for p in os.environ.get("ROOFLINE_PATH", "").split(os.pathsep) if p]
    for _, folder in found:
        if not _is_folder(folder):
            raise RooflineError(f"ROOFLINE_PATH: {folder} is not a folder; mend or unset the variable")
    user = _user_folder()
    if _is_folder(user):
        found.append(("user", user))
    return [*found, ("shipped", shipped_folder())]


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is there; one that the user may not even look for is an error, not an absence."""
    try:
        return path.is_dir()
    except OSError as error:
        raise RooflineError(f"{path}: cannot read this folder ({error.strerror}); check its permissions") from None


def _user_folder() -> Path:
    import click

    return Path(click.get_app_dir("roofline"))


def files(family: Family) -> Iterator[tuple[str, str, Path]]:
    """Yield (origin, stem, path) of every spec file of a family, in the order of precedence."""
    for origin, folder in folders():
        place = folder / family
        if not _is_folder(place):
            continue
        try:
            paths = sorted(place.glob("*.toml"))
            if not os.access(place, os.R_OK | os.X_OK):
                raise PermissionError(13, "permission denied")
        except OSError as error:
            raise RooflineError(f"{place}: cannot read this folder ({error.strerror}); check its permissions") from None
        for path in paths:
            yield origin, path.stem, path


def aliases(path: Path) -> list[str]:
    """Return the aliases a spec file declares, without parsing the whole file."""
    match = _ALIASES.search(read_text(path))
    return _STRING.findall(match[1]) if match else []


def read_text(path: Path) -> str:
    """Return a file's text; what is wrong with the file becomes one line."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RooflineError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise RooflineError(f"{path}: not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise RooflineError(f"{path}: cannot read ({error.strerror})") from None


def find(family: Family, name: str) -> Path:
    """Return the file of a chip, model, engine or workload.

    Parameters
    ----------
    family : {"hardware", "models", "engines", "workloads"}
    name : str
        A file stem or alias (case and punctuation do not count), or a path to a file.

    Raises
    ------
    RooflineError
        If nothing has that name; the message suggests the nearest.
    """
    if name.endswith((".toml", ".json")) or os.sep in name:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        if os.sep in name or name.endswith((".toml", ".json")):
            raise RooflineError(f"{name}: no such file; give a path to a {_WORD[family]} file or a catalogue name")
    wanted, listed = key(name), list(files(family))
    if not wanted:
        raise RooflineError(f"the {_WORD[family]} name is empty; `roofline {_command(family)} list` shows them all")
    for _, stem, path in listed:
        if key(stem) == wanted:
            return path
    for _, _, path in listed:
        if any(key(alias) == wanted for alias in aliases(path)):
            return path
    known = [stem for _, stem, _ in listed] + [alias for _, _, path in listed for alias in aliases(path)]
    raise RooflineError(
        f"unknown {_WORD[family]} {name!r}{suggest(name, known)}; `roofline {_command(family)} list` shows them all"
    )


def _command(family: Family) -> str:
    return {"hardware": "hw", "models": "model", "engines": "engine", "workloads": "workload"}[family]


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text; a syntax error becomes one line that names the file and the place."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RooflineError(f"{where}: not valid TOML: {error}") from None


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


@lru_cache(maxsize=512)
def _parsed(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    return parse_toml(read_text(path), str(path))


def _table(path: Path) -> dict[str, Any]:
    return _parsed(path, stamp(path))


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does: its time of change [ns] and size [B]."""
    try:
        status = path.stat()
    except OSError as error:
        raise RooflineError(f"{path}: cannot read ({error.strerror})") from None
    return status.st_mtime_ns, status.st_size


def hardware(name: str) -> Hardware:
    """Load a chip by name, alias or path, its class defaults filled in.

    Raises
    ------
    RooflineError
        If the name is unknown or the file is wrong.
    """
    return hardware_from_table(table("hardware", name), str(find("hardware", name)))


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

    for _, folder in folders():
        path = folder / "hardware" / "classes" / f"{name}.toml"
        if path.is_file():
            spec = build(HardwareClass, _table(path), str(path))
            own = _with_sources(spec)
            return merge_achieved(own, class_defaults(spec.parent)) if spec.parent else own
    raise RooflineError(f"unknown hardware class {name!r}; see hardware/classes/ for the known ones")


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
    return model_from_table(table("models", name), str(find("models", name)))


def model_from_table(raw: dict[str, Any], where: str) -> Model:
    """Validate a model and its number formats."""
    from roofline.dtypes import normalise
    from roofline.specs.model import Model

    spec = build(Model, raw, where)
    if not spec.source:
        raise RooflineError(f'{where}: source: missing; write `source = "..."` at the top of the file')
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
    spec = engine_from_table(table("engines", plain), str(find("engines", plain)))
    return at_date(spec, date) if date else spec


def engine_from_table(raw: dict[str, Any], where: str) -> Engine:
    """Validate an engine and fill in what it inherits."""
    from roofline.specs.engine import Engine

    spec = build(Engine, raw, where)
    if not spec.parent:
        return spec
    parent = engine(spec.parent)
    identity = {"name", "aliases", "source", "checked", "kind", "note", "parent", "epochs"}
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
    month = date[:7] if len(date) >= 7 else f"{date}-12"
    for epoch in spec.epochs:
        if month <= epoch.until:
            told = {k: v for k, v in vars(epoch).items() if v is not None and k not in ("until", "source")}
            return replace(spec, **told)
    return spec


def table(family: Family, name: str) -> dict[str, Any]:
    """Return the parsed table of a spec file, or of the table that a config.json is imported to."""
    path = find(family, name)
    if path.suffix == ".json":
        from roofline.huggingface import import_config

        imported: dict[str, Any] = import_config(read_text(path), str(path))
        return imported
    return _table(path)


def label(family: Family, name: str) -> str:
    """Return how records name a spec: the file stem that a name or alias stands for."""
    plain, at, date = name.partition("@")
    return find(family, plain).stem + at + date
