"""The errors a user can cause, as one small tree.

    TextloraError            anything the user can mend; the command line exits with `exit_code`
    ├── ConfigError          an unknown setting, a wrong type, settings that exclude each other
    ├── DataError            a file, a row, a column or a label that cannot be used; a ValueError
    ├── ModelError           a model or adapter that cannot be found, loaded or combined
    ├── RunError             a run folder that is missing, unfinished or in the way
    ├── StorageError         the disk: no space, no permission
    └── MissingExtraError    an optional dependency that is not installed

Every message says what is wrong, where, and what to do. Anything else that
escapes is a bug in textlora and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TextloraError(Exception):
    """Base of every error that the user can mend.

    Args:
        problem: what is wrong, and where, as one sentence.
        remedy: what to do about it, as one sentence.
    """

    exit_code = 2

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}".strip())


class ConfigError(TextloraError):
    """A setting is unknown, has the wrong type, or contradicts another one."""


class ModelError(TextloraError):
    """A model, tokenizer or adapter cannot be found, loaded or combined."""


class RunError(TextloraError):
    """A run folder is missing, unfinished, damaged or in the way."""


class StorageError(TextloraError):
    """The disk refused: no space left, no permission."""


class MissingExtraError(TextloraError):
    """An optional dependency is needed and not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.",
            f"Install them in textlora's clone: pip install '.[{extra}]'",
        )
        self.extra = extra


class DataError(TextloraError, ValueError):
    """A data source cannot be used as it is; a ValueError, as scikit-learn expects of bad input.

    Args:
        problem: what is wrong, without the place.
        source: the file, folder or dataset as the user named it.
        line: 1-based line of a text file, or row of a table.
        column: the column's name.
        remedy: what to do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | Path,
        line: int | None = None,
        column: str | None = None,
        remedy: str = "",
    ) -> None:
        self.source = str(source)
        self.line = line
        self.column = column
        place = self.source
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column '{column}'"
        super().__init__(f"{place}: {problem}", remedy)


_DISK_SIGNS = ("No space left", "os error 28", "PytorchStreamWriter failed")


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn the disk's refusals into a `StorageError` that says what was being done.

    Args:
        doing: what was being done, for the message ("writing the run folder runs/a").

    Raises:
        StorageError: no space is left, or the place may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"No space left on the device while {doing}.",
                "Free some space, or choose another disk with --out or TEXTLORA_CACHE.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"No permission to write while {doing} ({error.filename}).",
                "Choose a folder that you may write to.",
            ) from error
        raise
    except Exception as error:
        # torch and safetensors report a full disk as errors of their own.
        if not any(sign in str(error) for sign in _DISK_SIGNS):
            raise
        raise StorageError(
            f"The disk refused while {doing} ({str(error).splitlines()[0]}).",
            "Free some space, or choose another disk with --out or TEXTLORA_CACHE.",
        ) from error
