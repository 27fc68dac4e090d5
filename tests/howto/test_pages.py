"""The consoles in the how-tos say what the commands say."""

from pathlib import Path

import pytest

from tests.howto.console import comparable, consoles
from tests.howto.scenes import SCENES

HOWTO = Path(__file__).resolve().parents[2] / "docs/howto"


@pytest.mark.parametrize("name", SCENES)
def test_a_page_shows_what_commands_say(name: str, tmp_path: Path) -> None:
    shown = consoles((HOWTO / name).read_text(encoding="utf-8"))
    assert shown
    with SCENES[name](tmp_path) as scene:
        for console in shown:
            said = scene.say(console.command)
            assert comparable(console.output) == comparable(said), (
                f"{name}: {console.command}; mend it, or write the page anew: python -m tests.howto"
            )


def test_no_page_with_consoles_is_left_out() -> None:
    pages = {path.name for path in HOWTO.glob("*.md") if consoles(path.read_text(encoding="utf-8"))}
    assert pages == set(SCENES)
