"""How the processes of a server tell each other which adapters were loaded at run time.

A file an adapter in a folder of the server's own. Without it, an adapter would be known to the
process that happened to get the request for it, and to none that replaces a killed one.
"""

from __future__ import annotations

import time
from pathlib import Path

# A folder's time of change has steps of some milliseconds.
_STEP_NS = 50_000_000


class Roster:
    """The adapters that every process should have.

    Args:
        folder: an existing folder for this alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = -1

    def changed(self) -> bool:
        """Return whether `read` may give something else than last time; takes microseconds."""
        changed = self._folder.stat().st_mtime_ns
        return changed != self._seen or time.time_ns() - changed < _STEP_NS

    def read(self) -> dict[str, int]:
        """Return the adapters, and a number of each that changes when it is loaded again."""
        self._seen = self._folder.stat().st_mtime_ns
        found = {}
        for file in self._folder.iterdir():
            try:
                found[file.name] = file.stat().st_mtime_ns
            except FileNotFoundError:  # removed just now
                continue
        return found

    def add(self, name: str) -> int:
        """Tell of an adapter that was loaded; return its number."""
        file = self._folder / name
        file.unlink(missing_ok=True)  # a new file changes the folder
        file.touch()
        return file.stat().st_mtime_ns

    def remove(self, name: str) -> None:
        """Tell of an adapter that was removed."""
        (self._folder / name).unlink(missing_ok=True)
