"""Run the notebooks in docs/ and write them with their outputs: ``python bench/make_notebooks.py``.

Outputs are kept as text: tables as HTML and plain text, charts as SVG. Times, counters and names of the machine that
ran them are left out, so that a notebook changes only where a number or a sentence does.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parents[1] / "docs"
#: Of one cell [s].
PATIENCE = 120


def executed(path: Path) -> Any:
    """Return a notebook as it is after all its cells have run, in order, in a new kernel."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": "/"}})
    # Cells that call the command find the one of this environment.
    scripts = sysconfig.get_path("scripts")
    client.execute(env=os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"})
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", ()):
            output.pop("metadata", None)
            if "data" in output:
                output.metadata = {}
                if len(output.data) > 1:
                    # What has a table or a chart needs no other form.
                    output.data.pop("text/plain", None)
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Return outputs with what was printed in one piece, however it came through the pipe."""
    found: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            output.text = output.text.replace("\r\n", "\n")
            if found and found[-1].output_type == "stream" and found[-1].name == output.name:
                found[-1].text += output.text
                continue
        found.append(output)
    return found


def main() -> None:
    """Write every notebook of docs/ with its outputs."""
    for path in sorted(DOCS.glob("*.ipynb")):
        nbformat.write(executed(path), path)
        print(f"wrote {path.name}, {path.stat().st_size / 1e3:,.0f} kB")


if __name__ == "__main__":
    main()
