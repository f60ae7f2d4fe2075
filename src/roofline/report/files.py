"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from roofline.errors import RooflineError


def free(path: Path, *, overwrite: bool) -> None:
    """Check before the work that a file may be written.

    Raises
    ------
    RooflineError
        If it exists and may not be replaced.
    """
    if path.exists() and not overwrite:
        raise RooflineError(f"{path} exists; choose another name or give --overwrite")


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there.

    Raises
    ------
    RooflineError
        If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise RooflineError(f"{path}: cannot write ({error.strerror}); nothing was left behind") from None
    finally:
        partial.unlink(missing_ok=True)
