"""The command line of sendmail, as programs have written it for forty years."""

from pathlib import Path

from postroad.cli.errors import CommandFailed, Exit
from postroad.model import Notify, Ret

# Options of one letter. A value is the next argument, or glued on.
_VALUE = "fFrNRVC"
# sendmail takes these; they change nothing here.
_IGNORED_VALUE = "BhpXLAOq"
_IGNORED_GLUED = "odDmnGUse"  # with a value only where it is glued on


class Options:
    """What was asked for on the command line."""

    def __init__(self) -> None:
        self.recipients_from_header = False
        self.dot_ends = True
        self.sender: str | None = None
        self.full_name: str | None = None
        self.mode = "m"
        self.notify = Notify.DEFAULT
        self.ret: Ret | None = None
        self.envid: str | None = None
        self.verbose = False
        self.config: Path | None = None
        self.recipients: list[str] = []


def parse(argv: list[str]) -> Options:
    """Read the command line as sendmail does. Raises `CommandFailed`."""
    options = Options()
    waiting = list(reversed(argv))
    while waiting:
        word = waiting.pop()
        if word == "--":
            options.recipients += reversed(waiting)
            break
        if not word.startswith("-") or word == "-":
            options.recipients.append(word)
            continue
        letter, value = word[1], word[2:]
        if letter in _VALUE + _IGNORED_VALUE and not value:
            if not waiting:
                raise CommandFailed(f"-{letter} needs a value", Exit.USAGE)
            value = waiting.pop()
        _set(options, letter, value, word)
    return options


def _set(options: Options, letter: str, value: str, word: str) -> None:
    match letter:
        case "t":
            options.recipients_from_header = True
        case "i":
            options.dot_ends = False
        case "o" if value.startswith("i"):
            options.dot_ends = False
        case "f" | "r":
            options.sender = value
        case "F":
            options.full_name = value
        case "b":
            options.mode = value or "m"
        case "N":
            options.notify = _notify(value)
        case "R":
            options.ret = {"full": Ret.FULL, "hdrs": Ret.HEADERS}.get(value.lower())
            if options.ret is None:
                raise CommandFailed(f"-R {value}: one of full, hdrs", Exit.USAGE)
        case "V":
            options.envid = value
        case "v":
            options.verbose = True
        case "C":
            options.config = Path(value)
        case _ if letter in _IGNORED_VALUE or letter in _IGNORED_GLUED:
            pass
        case _:
            raise CommandFailed(f"{word}: there is no such option", Exit.USAGE)


def _notify(value: str) -> Notify:
    words = {word.strip().upper() for word in value.split(",")}
    if words == {"NEVER"}:
        return Notify.NEVER
    chosen = Notify.DEFAULT
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            raise CommandFailed(f"-N {value}: never, or of success, failure, delay", Exit.USAGE)
        chosen |= Notify[word]
    return chosen
