"""Every error that autotl raises, as one tree under `AutotlError`.

Each is also the builtin that a caller would expect (`ValueError`, `OSError`, ...). A message says what
failed, what was found, what was expected, and the next command to type.
"""

from __future__ import annotations


class AutotlError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what: What failed, without a full stop.
        found: The value or state that was met.
        expected: What would have been accepted.
        hint: The next thing to do, usually a command.
    """

    def __init__(
        self,
        what: str,
        *,
        found: object | None = None,
        expected: object | None = None,
        hint: str | None = None,
    ) -> None:
        self.what, self.found, self.expected, self.hint = what, found, expected, hint
        parts = [what]
        if found is not None:
            parts.append(f"found {found}")
        if expected is not None:
            parts.append(f"expected {expected}")
        message = "; ".join(parts) + "."
        super().__init__(message if hint is None else f"{message} {hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.found, self.expected, self.hint)


def _rebuild(
    kind: type[AutotlError], what: str, found: object, expected: object, hint: str | None
) -> AutotlError:
    return kind(what, found=found, expected=expected, hint=hint)


class SettingsError(AutotlError, ValueError):
    """A parameter of a run is outside its domain."""


class DataError(AutotlError, ValueError):
    """The data set cannot be used as it is."""


class TargetError(DataError):
    """The labels cannot be used as they are."""


class DecodeError(DataError):
    """One input could not be decoded."""


class RequestError(DataError):
    """A request to the server cannot be understood."""


class TooLargeError(RequestError):
    """A request, or an input in it, is larger than the server takes."""


class UnsupportedTypeError(RequestError):
    """A request is of a content type or encoding that the server does not take."""


class UnknownModelError(AutotlError, LookupError):
    """A request is for a model that the server does not serve."""


class UnknownRunError(AutotlError, LookupError):
    """A request is for a run, or a file of one, that is not there."""


class OverloadedError(AutotlError, RuntimeError):
    """The server holds all it may; the same request can succeed later."""


class DeadlineError(AutotlError, TimeoutError):
    """A request was not answered in time."""


class SpaceError(AutotlError, ValueError):
    """A search space is malformed or empty."""


class BackboneError(AutotlError, ValueError):
    """A backbone is unknown or cannot be built."""


class BackboneUnavailableError(AutotlError, LookupError):
    """A backbone is known, but its weights cannot be reached from here."""


class ChecksumError(AutotlError, ValueError):
    """A file's sha256 differs from the recorded one."""


class MissingExtraError(AutotlError, ImportError):
    """A package of an optional extra is not installed."""


class TrialError(AutotlError, RuntimeError):
    """One trial failed; the search goes on."""


class NonFiniteError(TrialError):
    """A loss, gradient or score became NaN or infinite."""


class SearchError(AutotlError, RuntimeError):
    """The search as a whole cannot go on."""


class BudgetError(AutotlError, ValueError):
    """A limit of time or trials cannot be read, or leaves nothing to do."""


class ExportError(AutotlError, RuntimeError):
    """A model could not be exported."""


class ParityError(ExportError):
    """The exported model does not give the answers of the trained one."""


class BundleError(AutotlError, ValueError):
    """A bundle is missing, incomplete, or was changed."""


class RunError(AutotlError, ValueError):
    """A run folder cannot be used as asked."""


class TrackingError(AutotlError, RuntimeError):
    """A run could not be logged to a tracking server."""


class StorageError(AutotlError, OSError):
    """Something could not be written or read on disk."""
