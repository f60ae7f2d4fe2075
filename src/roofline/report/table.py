"""Tables for people: one page for a single point, one row per point otherwise."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

from roofline.report.record import Record

#: Between two columns [characters].
_GAP = 2


@dataclass(slots=True)
class Block:
    """A headed table: rows of cells, the first column a label."""

    title: str = ""
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def show(kind: str, records: list[Record]) -> None:
    """Print records as the table of a command, coloured on a terminal only."""
    from roofline.report import pages

    render(pages.blocks(kind, records))


def render(blocks: list[Block]) -> None:
    """Print blocks: with rich on a terminal, as plain aligned text elsewhere."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _rich(blocks)
    else:
        for number, block in enumerate(blocks):
            sys.stdout.write(("\n" if number else "") + plain(block))


def plain(block: Block) -> str:
    """Return a block as aligned text; numbers stand right, words left."""
    lines = [block.title] if block.title else []
    grid = ([block.header] if block.header else []) + block.rows
    if grid:
        count = max(len(row) for row in grid)
        padded = [row + [""] * (count - len(row)) for row in grid]
        widths = [max(len(row[i]) for row in padded) for i in range(count)]
        right = [
            block.header != [] and all(_numeric(row[i]) for row in block.rows if i < len(row)) for i in range(count)
        ]
        for row in padded:
            cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
            lines.append(("  " if block.title else "") + "  ".join(cells).rstrip())
    lines += [("  " if block.title else "") + note for note in block.notes]
    return "\n".join(lines) + "\n"


def _numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit() or (cell[0] in "-+.$" and len(cell) > 1 and cell[1].isdigit()) or cell == "-"


def folded(header: list[str], rows: list[list[str]], width: int) -> list[list[int]]:
    """Return the columns of a table in pieces that a terminal has room for.

    Parameters
    ----------
    header : list of str
    rows : list of list of str
    width : int
        Room [characters].

    Returns
    -------
    list of list of int
        One piece if it fits. Otherwise the columns in order, every further piece beginning with those that tell the
        rows apart.
    """
    wide = [max(len(row[i]) for row in [header, *rows]) + _GAP for i in range(len(header))]
    labels = _labels(rows)
    pieces: list[list[int]] = [[]]
    for column in range(len(header)):
        if pieces[-1] and sum(wide[i] for i in [*pieces[-1], column]) - _GAP > width:
            if column in labels:
                continue
            pieces.append(list(labels))
        if column not in pieces[-1]:
            pieces[-1].append(column)
    if len(pieces) == 1 and not {*labels} <= {*pieces[0]}:
        # A label had no room in the only piece.
        pieces.append(list(labels))
    return pieces


def _labels(rows: list[list[str]]) -> list[int]:
    """Return the first columns whose cells tell all rows apart."""
    chosen: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        groups = len({tuple(row[i] for i in chosen) for row in rows})
        if groups == len(rows):
            break
        if len({tuple(row[i] for i in [*chosen, column]) for row in rows}) > groups:
            chosen.append(column)
    return chosen or [0]


def _rich(blocks: list[Block]) -> None:
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(no_color="NO_COLOR" in os.environ or None, highlight=False)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        if block.title:
            console.print(Text(block.title, style="bold"))
        full = [row + [""] * (len(block.header) - len(row)) for row in block.rows]
        for piece in folded(block.header, full, console.width) if block.header else []:
            # One space of a cell and one of the box stand between two columns.
            table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
            table.header_style = "bold"
            for index in piece:
                right = all(_numeric(row[index]) for row in full)
                table.add_column(block.header[index], justify="right" if right else "left", overflow="fold")
            for row in full:
                table.add_row(*(Text(row[index]) for index in piece))
            console.print()
            console.print(table)
        if block.rows and not block.header:
            table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
            for index in range(max(len(row) for row in block.rows)):
                table.add_column(style=("cyan", "bold", "")[min(index, 2)], overflow="fold")
            for row in block.rows:
                table.add_row(*(Text(cell) for cell in row))
            console.print(table)
        for note in block.notes:
            console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2 if block.title else 0)))
