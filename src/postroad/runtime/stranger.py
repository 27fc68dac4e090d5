"""A configuration for commands that need none, on machines that have none."""

import socket
from pathlib import Path

from postroad.model import InvalidAddress, parse_domain
from postroad.runtime.config import Config, config_path, load_config


def load_or_default(given: Path | None) -> Config:
    """Return the configuration; defaults with this machine's name where there is no file.

    Raises `ConfigInvalid` for a file that was named, or one with mistakes.
    """
    if given is None and not config_path().exists():
        return Config.model_validate({"server": {"hostname": own_name()}})
    return load_config(given)


def own_name() -> str:
    """Return the machine's name, as far as it may stand in EHLO."""
    try:
        return parse_domain(socket.getfqdn())
    except InvalidAddress:
        return "localhost.localdomain"
