"""Tables on a terminal: what is too wide goes on below, and no cell is broken."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofline.report.table import _labels, folded

CELL = st.text("abc", min_size=1, max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    columns = draw(st.integers(1, 12))
    row = st.lists(CELL, min_size=columns, max_size=columns)
    return draw(row), draw(st.lists(row, min_size=1, max_size=6, unique_by=tuple))


@given(tables(), st.integers(20, 200))
def test_pieces_hold_every_column_and_tell_rows_apart(table: tuple[list[str], list[list[str]]], width: int) -> None:
    header, rows = table
    wide = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    pieces = folded(header, rows, width)
    assert {i for piece in pieces for i in piece} == set(range(len(header)))
    if sum(wide) + 2 * (len(header) - 1) <= width:
        assert pieces == [list(range(len(header)))]
    for piece in pieces[1:]:
        assert len({tuple(row[i] for i in piece) for row in rows}) == len(rows)
        # Too wide only where the labels and a single further column already are.
        assert sum(wide[i] + 2 for i in piece) - 2 <= width or len(piece) <= len(_labels(rows)) + 1


def test_a_label_without_room_is_not_lost() -> None:
    # The third column tells the rows apart and is too wide to stand beside the others; nothing comes after it.
    rows = [["a", "b", "c" * 18], ["a", "b", "d" * 18]]
    assert {i for piece in folded(["x", "y", "z"], rows, 20) for i in piece} == {0, 1, 2}


def test_a_terminal_of_80_columns_breaks_no_cell() -> None:
    """The widest tables, on a real terminal: every line within 80 columns, every price basis and dollar whole."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    command = ["cost", "--hw", "h100,b200", "--model", "llama-3.3-70b", "--weights", "fp8"]
    terminal, inner = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", "from roofline.cli.main import run; run()", *command],
        stdout=inner,
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "xterm"},
    )
    os.close(inner)
    said = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so that the other side is gone
            break
        if not part:
            break
        said += part
    os.close(terminal)
    assert child.wait(60) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).splitlines()
    assert max(len(line) for line in lines) <= 80
    # Seven bases of either chip, in each of two pieces.
    assert sum("owner-hyperscaler" in line for line in lines) == 2 * 2
    assert sum(line.split()[:2] == ["b200", "rental-median"] for line in lines) == 1
    assert any("$/M out" in line and "chip" in line and "basis" in line for line in lines)
