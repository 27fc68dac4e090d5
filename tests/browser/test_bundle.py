"""What `make webapp` built: its size, that the page needs nothing else, that the wheel has it."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from postroad.web.pages import BUNDLE

ROOT = Path(__file__).resolve().parents[2]
MOST_OCTETS = 250_000


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    subprocess.run([sys.executable, ROOT / "webapp/bundle.py", "build"], check=True)


def test_all_scripts_together_are_small() -> None:
    scripts = list(BUNDLE.rglob("*.js"))
    assert scripts
    octets = sum(path.with_name(path.name + ".gz").stat().st_size for path in scripts)
    assert octets < MOST_OCTETS


def test_everything_that_is_text_is_compressed() -> None:
    for path in BUNDLE.rglob("*"):
        if path.suffix in (".js", ".css", ".html", ".svg", ".webmanifest"):
            for suffix in (".br", ".gz"):
                assert path.with_name(path.name + suffix).exists(), path


def test_the_page_has_no_script_or_style_in_itself() -> None:
    page = (BUNDLE / "index.html").read_text()
    for tag, attributes, inside in re.findall(r"<(script|style)([^>]*)>(.*?)</", page, re.DOTALL):
        assert tag == "script"
        assert 'src="/assets/' in attributes
        assert inside == ""
    assert not re.search(r"\s(on\w+|style)=|https?:|//\w", page)


def test_the_wheel_has_the_app(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    alone = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, *alone, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    app = {f"postroad/web/app/{p.relative_to(BUNDLE)}" for p in BUNDLE.rglob("*") if p.is_file()}
    assert app <= names
