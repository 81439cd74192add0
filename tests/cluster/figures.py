"""Durations by row and column, and their medians as a table."""

import statistics


class Figures:
    def __init__(self):
        self._rows, self._columns = {}, []

    def add(self, row, column, seconds):
        if column not in self._columns:
            self._columns.append(column)
        self._rows.setdefault(row, {}).setdefault(column, []).append(seconds)

    def table(self):
        width = max((len(name) for name in self._rows), default=0)
        lines = [" " * width + "".join(f"  {column}" for column in self._columns)]
        for name, row in self._rows.items():
            cells = [f"{statistics.median(row[column]):.2f}" if column in row else ""
                     for column in self._columns]
            lines.append(f"{name:{width}}" + "".join(
                f"  {cell:>{len(column)}}" for cell, column in zip(cells, self._columns)))
        return "\n".join(lines)
