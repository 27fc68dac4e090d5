"""What went wrong, as one line and a code of sysexits(3)."""

import enum


class Exit(enum.IntEnum):
    """The codes of sysexits(3) that we use."""

    OK = 0
    USAGE = 64
    DATAERR = 65
    NOINPUT = 66
    NOUSER = 67
    NOHOST = 68
    UNAVAILABLE = 69
    SOFTWARE = 70
    OSERR = 71
    CANTCREAT = 73
    IOERR = 74
    TEMPFAIL = 75
    NOPERM = 77
    CONFIG = 78


class CommandFailed(Exception):
    """A command ends with this line and code."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.code = code


def explain(error: Exception) -> tuple[str, Exit] | None:
    """Return line and code for an error that people can mend; None for a mistake of ours.

    Imports only here: a command that succeeds does not pay for it.
    """
    if isinstance(error, CommandFailed):
        return str(error), error.code
    from postroad.message.bounce.classify import RulesInvalid
    from postroad.model import InvalidAddress, InvalidId, InvalidMailboxName
    from postroad.ports import ConnectFailed, StorageError, TlsFailed
    from postroad.ports.ledger import Conflict
    from postroad.runtime.config import ConfigInvalid
    from postroad.runtime.quickstart import AlreadyThere
    from postroad.service.errors import Refused

    codes: tuple[tuple[type[Exception], Exit], ...] = (
        (ConfigInvalid, Exit.CONFIG),
        (RulesInvalid, Exit.CONFIG),
        (InvalidAddress, Exit.USAGE),
        (InvalidId, Exit.USAGE),
        (InvalidMailboxName, Exit.USAGE),
        (Refused, Exit.DATAERR),
        (Conflict, Exit.DATAERR),
        (StorageError, Exit.IOERR),
        (AlreadyThere, Exit.CANTCREAT),
        (ConnectFailed, Exit.UNAVAILABLE),
        (TlsFailed, Exit.UNAVAILABLE),
        (PermissionError, Exit.NOPERM),
        (FileNotFoundError, Exit.NOINPUT),
        (OSError, Exit.OSERR),
    )
    for kind, code in codes:
        if isinstance(error, kind):
            return _words(error), code
    return None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)
