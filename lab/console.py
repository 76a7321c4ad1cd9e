"""What a demo prints: lines, and one line of progress that is drawn over on a terminal."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 28
_LINE_EVERY = 5.0


class Console:
    """Writes to one stream; on anything but a terminal progress becomes a line every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._drawn = False
        self._last_line = 0.0

    def say(self, text: str = "") -> None:
        """A line that stays."""
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def progress(self, done: int, total: int, words: str) -> None:
        """How far something is; drawn over by whatever comes next."""
        share = min(1.0, done / total) if total else 0.0
        filled = round(share * _BAR)
        text = f"  [{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%}  {words}"
        if self._stream.isatty():
            self._clear()
            self._stream.write(text[:110])
            self._stream.flush()
            self._drawn = True
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self.say(text)

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._drawn = False
