"""Where large contents are, by the configuration."""

from postroad.runtime.config import Config
from postroad.storage.files import FileContents
from postroad.storage.large import LargeContents


def make_large(config: Config) -> LargeContents:
    """Return the place of large contents. Raises `OSError`."""
    return FileContents(config.server.data_dir)
