"""A chart in a notebook or script: drawn where it is shown, saved where it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roofline.report.charts import render


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart.

    Attributes
    ----------
    spec : dict
        Vega-Lite, data inside; ``altair.Chart.from_dict(picture.spec)`` changes it further.
    """

    spec: dict[str, Any] = field(repr=False)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write .svg, .png, .html or .json; the file appears whole or not at all.

        Raises
        ------
        RooflineError
            If the ending is unknown, or the file exists and may not be replaced.
        """
        target = Path(path)
        render.ready(target, overwrite=overwrite)
        render.save(self.spec, target)

    def _repr_svg_(self) -> str:
        return render.svg(self.spec)
