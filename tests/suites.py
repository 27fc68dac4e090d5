"""Where the test material lies that nobody on this project wrote (`../shared/suites`)."""

import os
from pathlib import Path

import pytest


def suite(name: str) -> Path:
    """Return the folder of a suite; skip where it is absent, fail in CI."""
    root = os.environ.get("POSTROAD_SUITES")
    base = Path(root) if root else Path(__file__).resolve().parents[2] / "shared" / "suites"
    folder = base / name
    if not folder.is_dir():
        reason = f"test material {folder} is absent; set POSTROAD_SUITES to where it lies"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
