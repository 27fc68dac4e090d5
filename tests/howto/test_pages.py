"""The consoles in the how-tos and tutorials say what the commands say."""

from pathlib import Path

import pytest

from tests.howto.console import consoles
from tests.howto.scenes import SCENES, TheLab

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", SCENES)
def test_a_page_shows_what_commands_say(name: str, tmp_path: Path) -> None:
    shown = consoles((DOCS / name).read_text(encoding="utf-8"))
    assert shown
    with SCENES[name](tmp_path) as scene:
        for console in shown:
            said = scene.say(console.command)
            assert scene.compared(console.output) == scene.compared(said), (
                f"{name}: {console.command}; mend it, or write the page anew: python -m tests.howto"
            )


def test_no_page_with_consoles_is_left_out() -> None:
    pages = {
        str(path.relative_to(DOCS))
        for directory in ("howto", "tutorial")
        for path in (DOCS / directory).glob("*.md")
        if consoles(path.read_text(encoding="utf-8"))
    }
    assert pages == set(SCENES)


def test_the_lab_is_compared_teller_by_teller(tmp_path: Path) -> None:
    scene = TheLab(tmp_path)
    shown = "0.01 s  a.test  accepted  5 octets\n0.02 s  client  answer  250\n0.03 s  a.test  end"
    moved = "0.01 s  client  answer  250\n0.02 s  a.test  accepted  17 octets\n0.02 s  a.test  end"
    assert scene.compared(shown) == scene.compared(moved)
    for other in (shown.replace("end", "link"), shown.replace("250", "251"), shown + "\nmore"):
        assert scene.compared(shown) != scene.compared(other)
    back = "0.01 s  a.test  end\n0.02 s  a.test  accepted  5 octets\n0.03 s  client  answer  250"
    assert scene.compared(shown) != scene.compared(back)
