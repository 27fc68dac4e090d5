"""Collects what the conformance tests found into ``build/conformance.json``."""

import json
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "build" / "conformance.json"


def record(name: str, *, passed: int, total: int, differences: list[dict[str, str]]) -> None:
    """Add a suite: how many cases agree, and each that does not with the reason."""
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    known[name] = {"passed": passed, "total": total, "differences": differences}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
