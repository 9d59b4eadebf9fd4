"""The exceptions of the house. Each carries sentences for the person who can mend the fault."""

from collections.abc import Iterable


class OlbenchError(Exception):
    """A fault that somebody can mend; `code` is the exit code of the program."""

    code = 1


class UsageError(OlbenchError):
    """What the user gave is wrong: one sentence a fault, all of them at once."""

    code = 2

    def __init__(self, faults: str | Iterable[str]) -> None:
        """Take one sentence or several; each says where, what was found, and what would do."""
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class ServerError(OlbenchError):
    """The server under test did not do what was asked; the sentence holds its own words."""

    code = 4

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        """Keep the HTTP `status` where there was one; None when no answer came at all."""
        self.status = status
        super().__init__(sentence)


class EngineError(OlbenchError):
    """A server that olbench starts itself could not be started."""

    code = 4


class StoreError(OlbenchError):
    """The database cannot be read or written."""

    code = 1
