"""Errors a user can act on: one line that says what, where and what to do."""


class MindweaveError(Exception):
    """Stop the command with a one-line message and ``exit_code``."""

    exit_code = 1


class UsageError(MindweaveError):
    """The command was used wrongly: a bad slug, an unknown source, a wrong URL."""

    exit_code = 2


class NothingFoundError(MindweaveError):
    """A source that reads files found none where it looked."""


class UnreachableError(MindweaveError):
    """A server did not answer: waiting and trying again may help."""


class EventStoreError(MindweaveError):
    """What is pushed cannot be kept or read now: senders are told to try again."""
