"""Where a chart's figures come from, short enough for a caption."""

from __future__ import annotations

import re
from collections.abc import Iterable

from roofline import catalog
from roofline.resolve import Request

_URL = re.compile(r"https?://(?:www\.)?([^/\s;,)]+)((?:/[^/\s;,)]+){0,2})")
#: Longer sources than this are cut in a caption; `hw show` has them whole.
_MOST = 60


def short(source: str) -> list[str]:
    """Return the sites and documents that a source names."""
    found = []
    for part in source.split(";"):
        urls = _URL.findall(part)
        if part.strip().startswith("vendor page, not re-read"):
            continue
        # A repository is named by owner and project, any other site by its host.
        found += [host + (path if host == "github.com" else "") for host, path in urls]
        if not urls and part.strip():
            text = part.strip().split(": ")[0]
            found.append(text if len(text) <= _MOST else text[:_MOST].rsplit(" ", 1)[0] + " ...")
    return list(dict.fromkeys(found))


def of(requests: Iterable[Request]) -> list[str]:
    """Return one entry per chip and model of the requests, with the sources of its file."""
    found: dict[str, None] = {}
    for request in requests:
        for family, name, read in (
            ("hardware", request.hw, catalog.hardware),
            ("models", request.model, catalog.model),
        ):
            source = read(name).source
            if source:
                found[f"{catalog.label(family, name)}: {', '.join(short(source))}"] = None  # type: ignore[arg-type]
    return list(found)
