"""A report as one HTML file: styles and charts inside, no script, nothing fetched, the same bytes for one input."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html import escape
from typing import Any

import roofline
from roofline.report.table import Block

#: Longer cells than this are broken into lines.
_LONG = 24
# The policy lets a browser confirm that nothing is fetched and nothing runs.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="generator" content="roofline {version}">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #bbb; }}
h3 {{ font-size: 1rem; margin: 1.4rem 0 .4rem; }}
.question {{ font-size: 1.1rem; }}
.answer {{ border-left: 4px solid #0072b2; padding: .2rem 0 .2rem 2rem; }}
.answer li {{ margin: .3rem 0; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .87rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd;
  white-space: nowrap; }}
thead th {{ border-bottom: 2px solid #888; }}
.wrap {{ white-space: normal; overflow-wrap: anywhere; min-width: 13rem; }}
thead .wrap {{ min-width: 0; }}
figure {{ margin: 1.2rem 0; break-inside: avoid; }}
figure img {{ max-width: 100%; height: auto; }}
.note, footer {{ font-size: .87rem; color: #555; }}
code {{ overflow-wrap: anywhere; }}
@page {{ margin: 15mm; }}
@media print {{
  body {{ font-size: 10pt; margin: 0; max-width: none; padding: 0; }}
  h2, h3 {{ break-after: avoid; }}
  tr {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  .scroll {{ overflow: visible; }}
  table {{ font-size: 8pt; }}
  figure img {{ max-height: 112mm; }}
}}
</style>
</head>
<body>
"""


@dataclass(slots=True)
class Figure:
    """A chart in a report.

    Attributes
    ----------
    svg : str
    text : str
        What it shows, for those who do not see it.
    """

    svg: str
    text: str


@dataclass(slots=True)
class Document:
    """What a report says, in the order in which it is read.

    Attributes
    ----------
    title, question : str
    answer : list of str
        One statement each, the most wanted first.
    assumptions, uncertainty, sources : list of Block
        Tables and notes.
    charts : list of Figure
    tables : list of Block
    command : str
        What makes the report again.
    """

    title: str
    question: str
    answer: list[str]
    assumptions: list[Block] = field(default_factory=list)
    charts: list[Figure] = field(default_factory=list)
    tables: list[Block] = field(default_factory=list)
    uncertainty: list[Block] = field(default_factory=list)
    sources: list[Block] = field(default_factory=list)
    command: str = ""


def page(document: Document) -> str:
    """Return a document as an HTML page."""
    parts = [
        _HEAD.format(version=escape(roofline.__version__), title=escape(document.title)),
        f"<h1>{escape(document.title)}</h1>\n",
        f'<h2>Question</h2>\n<p class="question">{escape(document.question)}</p>\n',
        '<h2>Answer</h2>\n<ul class="answer">\n',
        *(f"<li>{escape(line)}</li>\n" for line in document.answer),
        "</ul>\n<h2>Assumptions</h2>\n",
        *map(_block, document.assumptions),
        "<h2>Charts</h2>\n" if document.charts else "",
        *map(_figure, document.charts),
        "<h2>Tables</h2>\n" if document.tables else "",
        *map(_block, document.tables),
        "<h2>Uncertainty</h2>\n",
        *map(_block, document.uncertainty),
        "<h2>Sources</h2>\n",
        *map(_block, document.sources),
        f"<footer><h2>Version</h2>\n<p>roofline {escape(roofline.__version__)}",
        f": <code>{escape(document.command)}</code>" if document.command else "",
        "</p></footer>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _figure(figure: Figure) -> str:
    # As images, so that the names inside one drawing cannot meet those of another.
    data = base64.b64encode(figure.svg.encode()).decode()
    return f'<figure><img alt="{escape(figure.text)}" src="data:image/svg+xml;base64,{data}"></figure>\n'


def table(header: list[str], rows: list[list[Any]]) -> str:
    """Return an HTML table; the first cell of a row is its heading."""

    def wide(cell: str) -> str:
        return " class=wrap" if len(cell) > _LONG else ""

    head = "".join(f'<th scope="col"{wide(str(name))}>{escape(str(name))}</th>' for name in header)
    body = []
    for row in rows:
        first, *rest = [str(cell) for cell in row] or [""]
        cells = "".join(f"<td{wide(cell)}>{escape(cell)}</td>" for cell in rest)
        body.append(f'<tr><th scope="row"{wide(first)}>{escape(first)}</th>{cells}</tr>\n')
    top = f"<thead><tr>{head}</tr></thead>\n" if header else ""
    return f'<div class="scroll"><table>\n{top}<tbody>\n{"".join(body)}</tbody></table></div>\n'


def _block(block: Block) -> str:
    title = f"<h3>{escape(block.title)}</h3>\n" if block.title else ""
    notes = "".join(f'<p class="note">{escape(note)}</p>\n' for note in block.notes)
    return title + (table(block.header, block.rows) if block.rows else "") + notes
