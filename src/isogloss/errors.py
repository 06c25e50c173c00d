"""The error tree: every error says what happened, why, and what to do next, and carries its exit code."""

from __future__ import annotations


class IsoglossError(Exception):
    """Base of all errors that Isogloss raises on purpose.

    Parameters
    ----------
    what
        What went wrong, in one sentence.
    why
        The cause, with the numbers or names that were found.
    fix
        What to do next, as a command or an instruction.

    Examples
    --------
    >>> error = IsoglossError("the index cannot be opened", "./x is empty", "run: isogloss add DIR")
    >>> print(error)
    the index cannot be opened
    why: ./x is empty
    fix: run: isogloss add DIR
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what, why, fix)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"why: {self.why}")
        if self.fix:
            lines.append(f"fix: {self.fix}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, str]:
        """Return the error as plain data, for ``--json``."""
        return {"error": type(self).__name__, "what": self.what, "why": self.why, "fix": self.fix}


class UsageError(IsoglossError):
    """The caller asked for something that makes no sense (exit code 2)."""

    exit_code = 2


class FilterError(UsageError):
    """A filter expression cannot be parsed, or compares things that cannot be compared."""


class CheckFailed(IsoglossError):
    """A check that the user asked for did not hold (exit code 3)."""

    exit_code = 3


class IncompatibleError(IsoglossError):
    """Model, index and data do not belong together (exit code 4)."""

    exit_code = 4


class IncompatibleIndexError(IncompatibleError):
    """An index was built by another encoder, or by a format that this version does not know."""


class ModelError(IncompatibleError):
    """A model folder is incomplete, contradictory, or of a kind that is not supported."""


class UnsupportedModelError(ModelError):
    """A model's architecture, module or file format is not supported; the message names it."""


class CorpusError(IsoglossError):
    """Documents cannot be read at all (a single bad file is a listed skip instead)."""


class StoredIndexError(IsoglossError):
    """Base of errors about an index on disk."""


class IndexNotFoundError(StoredIndexError):
    """There is no index where one was expected."""


class IndexBusyError(StoredIndexError):
    """Another process is writing to the index."""


class CorruptIndexError(StoredIndexError):
    """A file of the index does not hold what was committed."""


class NonFiniteError(IsoglossError):
    """An encoder produced NaN or infinity; the message names the text."""


class TruncationError(IsoglossError):
    """A text is longer than the encoder's window and the caller asked for an error."""


class MissingExtraError(IsoglossError):
    """An optional dependency is needed; the message says which extra installs it."""


class NotFittedError(IsoglossError, ValueError, AttributeError):
    """A transform is used before it was fitted."""


class TruncationWarning(UserWarning):
    """Texts were cut at the encoder's window; one warning a run, with counts."""


class IsoglossWarning(UserWarning):
    """Something that did not stop the work but that the user should know."""


class EngineNote(IsoglossWarning):
    """Which engine encodes, and how it agrees with ONNX Runtime in single precision; nothing is wrong."""
