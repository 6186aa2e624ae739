"""Aligned columns.

Nothing is ever cut off or wrapped, because an address that is cut off cannot be copied; a line that is
too long is the terminal's to wrap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

Cell = Text | str

_GAP = "   "


def grid(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Text:
    """A header and rows, columns aligned to the left, no blanks at line ends."""
    cells = [[Text(title, style="bold") for title in header]]
    cells += [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = [max(row[column].cell_len for row in cells) for column in range(len(header))]
    return Text("\n").join(_line(row, widths) for row in cells)


def stack(*parts: Text | None) -> Text:
    """Blocks one below the other with a blank line between; empty ones are left out."""
    return Text("\n\n").join(part for part in parts if part)


def lines(parts: Iterable[Cell]) -> Text:
    """Lines one below the other."""
    return Text("\n").join(part if isinstance(part, Text) else Text(part) for part in parts)


def foreign(line: str) -> str:
    """A line that a service printed, without the escape sequences that would act on this terminal."""
    return Text.from_ansi(line).plain


def _line(row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len) + _GAP)
    line.rstrip()
    return line
