"""Records by a command, and in which order; updates are tested against Knot in tests/interop."""

import sys
from pathlib import Path

import pytest

from postroad.network.acme.dns01 import DnsCommand, DnsProof, DnsUpdate, TsigKey
from postroad.network.acme.proof import Challenge
from postroad.network.nameservers import Nameserver
from postroad.ports.authority import IssueFailed

ONE = Challenge("here.test", "text-1", name="_acme-challenge.here.test")
TWO = Challenge("here.test", "text-2", name="_acme-challenge.here.test")


class Recorder:
    def __init__(self, broken: str = "") -> None:
        self.done: list[tuple[str, str]] = []
        self._broken = broken

    def add(self, name: str, text: str) -> None:
        self.done.append(("add", text))

    def remove(self, name: str, text: str) -> None:
        self.done.append(("remove", text))
        if text == self._broken:
            raise IssueFailed("no")


def test_all_are_published_before_it_waits() -> None:
    recorder = Recorder()
    slept: list[float] = []
    proof = DnsProof(recorder, 20.0, lambda seconds: slept.append(seconds))
    proof.publish([ONE, TWO])
    assert recorder.done == [("add", "text-1"), ("add", "text-2")]
    assert slept == [20.0]
    proof.publish([])
    assert slept == [20.0]


def test_all_are_withdrawn_though_one_cannot_be() -> None:
    recorder = Recorder(broken="text-1")
    with pytest.raises(IssueFailed):
        DnsProof(recorder, 0.0).withdraw([ONE, TWO])
    assert recorder.done == [("remove", "text-1"), ("remove", "text-2")]


def test_a_command_gets_its_words_without_a_shell(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"import sys; open({str(log)!r}, 'a').write(repr(sys.argv[1:]))"
    command = DnsCommand([sys.executable, "-c", script, "zone"])
    command.add("_acme-challenge.here.test", "$(id); x")
    command.remove("_acme-challenge.here.test", "y")
    assert log.read_text() == (
        "['zone', 'add', '_acme-challenge.here.test', '$(id); x']"
        "['zone', 'remove', '_acme-challenge.here.test', 'y']"
    )


def test_a_command_that_fails() -> None:
    script = "import sys; print('no such zone', file=sys.stderr); sys.exit(3)"
    with pytest.raises(IssueFailed, match=r"add ended with 3: no such zone"):
        DnsCommand([sys.executable, "-c", script]).add("n", "t")
    with pytest.raises(IssueFailed, match="cannot be run: No such file"):
        DnsCommand(["/nowhere/at/all"]).add("n", "t")
    with pytest.raises(IssueFailed, match=r"took more than 0\.2 s"):
        DnsCommand([sys.executable, "-c", "import time; time.sleep(9)"], 0.2).add("n", "t")


def test_updates_that_cannot_be_made() -> None:
    nowhere = Nameserver("127.0.0.1", 1)
    with pytest.raises(IssueFailed, match=r"update of here\.test\. at 127\.0\.0\.1:1 failed"):
        DnsUpdate(nowhere, None, "here.test").add("a.here.test", "t")
    with pytest.raises(IssueFailed, match=r"set acme\.dns_zone"):
        DnsUpdate(nowhere).add("a.here.test", "t")
    with pytest.raises(IssueFailed, match="TSIG key k is no use"):
        DnsUpdate(nowhere, TsigKey("k", "not base 64!"), "here.test").add("a.here.test", "t")
