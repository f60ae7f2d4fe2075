"""The folders of the catalogue: which file a name, alias or path means, and its text as a table."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from roofline.errors import RooflineError, suggest

Family = Literal["hardware", "models", "engines", "workloads"]
_WORD: dict[Family, str] = {"hardware": "chip", "models": "model", "engines": "engine", "workloads": "workload"}
_ALIASES = re.compile(r"^aliases\s*=\s*\[(.*?)\]", re.M | re.S)
_STRING = re.compile(r'"([^"]*)"')
#: A name as catalogues have them: no separator of folders.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+()@-]{0,63}")


@lru_cache(maxsize=4096)
def key(name: str) -> str:
    """Return a name without case or punctuation, as names are compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(maxsize=1)
def shipped_folder() -> Path:
    """Return the folder that holds the shipped hardware/, models/, engines/ and workloads/."""
    package = Path(__file__).parents[1]
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
        # What ships changes only with the package; a folder of the user's is looked at each time.
        for stem, path in _shipped(place, stamp(place)) if origin == "shipped" else _listed(place):
            yield origin, stem, path


def _listed(place: Path) -> tuple[tuple[str, Path], ...]:
    try:
        paths = sorted(place.glob("*.toml"))
        if not os.access(place, os.R_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise RooflineError(f"{place}: cannot read this folder ({error.strerror}); check its permissions") from None
    return tuple((path.stem, path) for path in paths)


@lru_cache(maxsize=16)
def _shipped(place: Path, stamp: tuple[int, int]) -> tuple[tuple[str, Path], ...]:
    return _listed(place)


def aliases(path: Path) -> list[str]:
    """Return the aliases a spec file declares, without parsing the whole file."""
    return list(_aliases(path, stamp(path)))


@lru_cache(maxsize=1024)
def _aliases(path: Path, stamp: tuple[int, int]) -> tuple[str, ...]:
    match = _ALIASES.search(read_text(path))
    return tuple(_STRING.findall(match[1])) if match else ()


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
    wanted = key(name)
    if not wanted:
        raise RooflineError(f"the {_WORD[family]} name is empty; `roofline {_command(family)} list` shows them all")
    listed = list(files(family))
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


def plain_name(text: str, what: str) -> str:
    """Return a name from outside, without blanks around it; whatever `find` could take for a path is refused.

    Parameters
    ----------
    text : str
    what : str
        For the message, e.g. ``chip``.

    Raises
    ------
    RooflineError
    """
    name = text.strip()
    if not _PLAIN.fullmatch(name) or ".." in name or name.lower().endswith((".toml", ".json")):
        raise RooflineError(f"{name[:64]!r} is not the name of a {what}")
    return name


def _command(family: Family) -> str:
    return {"hardware": "hw", "models": "model", "engines": "engine", "workloads": "workload"}[family]


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text; a syntax error becomes one line that names the file and the place."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RooflineError(f"{where}: not valid TOML: {error}") from None


@lru_cache(maxsize=512)
def _parsed(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    return parse_toml(read_text(path), str(path))


def spec_table(path: Path) -> dict[str, Any]:
    """Return the parsed TOML of a spec file; the same file is parsed once."""
    return _parsed(path, stamp(path))


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does: its time of change [ns] and size [B]."""
    try:
        status = path.stat()
    except OSError as error:
        raise RooflineError(f"{path}: cannot read ({error.strerror})") from None
    return status.st_mtime_ns, status.st_size


def table(family: Family, name: str) -> dict[str, Any]:
    """Return the parsed table of a spec file, or of the table that a config.json is imported to."""
    return file_table(find(family, name))


def file_table(path: Path) -> dict[str, Any]:
    """Return the table of a file by its path, as `table` does by name."""
    if path.suffix == ".json":
        from roofline.huggingface import import_config

        imported: dict[str, Any] = import_config(read_text(path), str(path))
        return imported
    return spec_table(path)


def label(family: Family, name: str) -> str:
    """Return how records name a spec: the file stem that a name or alias stands for."""
    plain, at, date = name.partition("@")
    return find(family, plain).stem + at + date
