"""The unit that `quickstart` prints, as this machine's systemd reads it, and what it hides from us."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.conftest import Require
from tests.unit.runtime.served import environment

SEES_ITSELF = """
from postroad.runtime.addresses import own_endpoints
assert ("127.0.0.1", 25) in own_endpoints([("0.0.0.0", 25)]), own_endpoints([("0.0.0.0", 25)])
"""


@pytest.mark.parametrize("options", [(), ("--dir", "{tmp}/mail")], ids=["system", "directory"])
def test_the_unit_has_nothing_that_systemd_does_not_know(
    require: Require, tmp_path: Path, options: tuple[str, ...]
) -> None:
    analyze = require("systemd-analyze")
    program = Path(sys.executable).with_name("postroad")
    words = [each.format(tmp=tmp_path) for each in options]
    printed = subprocess.run(
        [program, "quickstart", "here.test", *words, "--systemd"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment(),
        cwd=tmp_path,
    ).stdout
    unit = tmp_path / "postroad-printed.service"
    unit.write_text(printed)
    done = subprocess.run(
        [analyze, "verify", unit], capture_output=True, text=True, check=False, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, [])
    assert "ExecReload=/bin/kill -HUP $MAINPID" in printed.splitlines()  # systemctl reload


def test_our_own_addresses_are_known_with_proc_subset_pid(require: Require) -> None:
    """`ProcSubset=pid` takes /proc/net away."""
    script = f"mount -t proc -o subset=pid proc /proc && exec {sys.executable} -c '{SEES_ITSELF}'"
    unshare = [str(require("unshare")), "--mount", "--pid", "--fork", "--map-root-user"]
    possible = subprocess.run(
        [*unshare, "mount", "-t", "proc", "-o", "subset=pid", "proc", "/proc"],
        capture_output=True,
        check=False,
        timeout=30,
    )
    if possible.returncode != 0:
        pytest.skip(f"no /proc of one's own may be mounted here: {possible.stderr.decode()}")
    done = subprocess.run(
        [*unshare, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
