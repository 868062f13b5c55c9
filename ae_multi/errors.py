"""The two errors that are the caller's to mend; anything else is a defect of ours."""


class InputError(ValueError):
    """Something from outside does not fit; the message says what was expected, what came, where."""


class BackendError(ImportError):
    """The backend asked for is unknown or not installed; the message says which could be had."""
