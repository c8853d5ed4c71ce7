"""Errors that end a stage, and the exit codes that callers tell them apart by."""

EXIT_USER_ERROR = 2
EXIT_VALIDATION_FAILED = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A mistake that the user can mend: one sentence that names the file or key and says what to do."""


class ValidationFailedError(Exception):
    """A label set broke a critical expectation: running again would not help."""
