"""Writes the consoles of the how-tos anew: ``python -m tests.howto``. What is right stays as it is."""

import tempfile
from pathlib import Path

from tests.howto.console import consoles, with_output
from tests.howto.scenes import SCENES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Play every page."""
    for name, scene_of in SCENES.items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as directory, scene_of(Path(directory)) as scene:
            for number, shown in enumerate(consoles(page)):
                said = scene.say(shown.command)
                # Outputs before it may have become longer.
                console = consoles(page)[number]
                if scene.compared(console.output) != scene.compared(said):
                    page = with_output(page, console, said)
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
