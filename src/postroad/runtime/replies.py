"""The rules for what replies mean: an operator's files, then ours."""

from pathlib import Path

from postroad.message.bounce.classify import Classifier, RulesInvalid, built_in, load_rules
from postroad.runtime.config import Config

MAX_FILE_OCTETS = 1_048_576


def make_classifier(config: Config) -> Classifier:
    """Return what classifies replies. Raises `OSError`, or `RulesInvalid` that names the file."""
    if not config.bounces.rules:
        return built_in()
    return load_rules([_checked(path) for path in config.bounces.rules])


def _checked(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_OCTETS + 1)
    if len(data) > MAX_FILE_OCTETS:
        raise RulesInvalid(f"{path}: it is larger than {MAX_FILE_OCTETS} octets")
    try:
        text = data.decode("utf-8")
        load_rules([text])
    except UnicodeDecodeError as error:
        raise RulesInvalid(f"{path}: it is no UTF-8: {error}") from None
    except RulesInvalid as error:
        raise RulesInvalid(f"{path}: {error}") from None
    return text
