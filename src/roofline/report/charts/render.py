"""A specification as SVG, PNG, a page of its own, or JSON; no browser, no network."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from roofline.errors import RooflineError
from roofline.report import files

_ID = re.compile(r'\bid="([^"]+)"')
_USE = re.compile(r'(\bid="|url\(#|href="#)([^")]+)("|\))')
ENDINGS = (".svg", ".png", ".html", ".json")
#: Pixels of a PNG per pixel of the specification.
SCALE = 2.0


def ready(path: Path, *, overwrite: bool) -> None:
    """Check before the work that a chart can be drawn and its file written.

    Raises
    ------
    RooflineError
        If the extra ``plot`` is missing, the ending is unknown, or the file exists and may not be replaced.
    """
    if path.suffix.lower() not in ENDINGS:
        raise RooflineError(f"{path}: unknown ending {path.suffix!r} for a chart; use one of {', '.join(ENDINGS)}")
    if any(importlib.util.find_spec(name) is None for name in ("altair", "vl_convert")):
        raise RooflineError("charts need Altair and vl-convert: pip install 'roofline[plot]'")
    files.free(path, overwrite=overwrite)


def save(spec: dict[str, Any], path: Path) -> None:
    """Write a specification in the format that the file's ending names; the file appears whole or not at all."""
    files.write(path, render(spec, path.suffix.lower()))


def svg(spec: dict[str, Any]) -> str:
    """Return a chart as SVG text."""
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(json.dumps(spec)))
    # Vega numbers gradients on from chart to chart; numbered per chart, equal charts are equal.
    names = {name: f"part{number}" for number, name in enumerate(dict.fromkeys(_ID.findall(drawn)))}
    return _USE.sub(lambda found: found[1] + names.get(found[2], found[2]) + found[3], drawn)


def render(spec: dict[str, Any], ending: str) -> bytes:
    """Return a chart as the bytes of a file.

    Parameters
    ----------
    spec : dict
        From `roofline.report.charts.spec`.
    ending : str
        One of `ENDINGS`. A page holds Vega, Vega-Lite and Vega-Embed and fetches nothing.
    """
    if ending == ".json":
        return (json.dumps(spec, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if ending == ".svg":
        return svg(spec).encode()
    import vl_convert

    text = json.dumps(spec)
    if ending == ".png":
        return bytes(vl_convert.vegalite_to_png(text, scale=SCALE))
    return str(vl_convert.vegalite_to_html(text, bundle=True)).encode()
