"""The errors a user can cause. Each is one line on stderr and an exit status of its own; a traceback is a bug."""

from __future__ import annotations


class WgslInferError(Exception):
    """Base of every error this project raises on purpose. `str(error)` is one line fit for a user."""

    exit_status = 1


class UsageError(WgslInferError):
    """An argument or option that makes no sense."""

    exit_status = 2


class BundleError(WgslInferError):
    """A bundle that is missing, damaged, or does not belong together. The message names the file."""

    exit_status = 4


class TokenizerError(WgslInferError):
    """A tokenizer file that cannot be used, or code that cannot be split into lexemes."""

    exit_status = 4


class EnvironmentLacks(WgslInferError):
    """A device or package that was asked for is not there. The message says what to type."""

    exit_status = 10
