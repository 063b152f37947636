"""What can go wrong. Messages and hints are those of the program."""

from __future__ import annotations


class Error(Exception):
    """Every failure.

    Attributes
    ----------
    message : str
        What was expected and what was found.
    hint : str or None
        What to do about it, where there is something to do.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(Error, ValueError):
    """An argument, or a combination of arguments, that cannot be used."""


class ConfigurationError(Error, ValueError):
    """A model or an output folder that does not allow it."""


class NotFound(Error, FileNotFoundError):
    """Something that was asked for by name and is not there."""

    __str__ = Error.__str__


class DataError(Error, ValueError):
    """A text or a column that cannot be used as it is."""


class TryAgain(Error, RuntimeError):
    """Something that may well succeed later, such as when memory is free again."""


class SystemFailure(Error, OSError):
    """The operating system failed."""

    __str__ = Error.__str__


class Bug(Error, RuntimeError):
    """A fault of strata."""
