"""A server process from start to end, by its signals."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import postroad
from postroad.model import Address
from postroad.runtime.certificate import write_self_signed
from postroad.runtime.config import load_config
from postroad.runtime.lifecycle import log_unhandled
from postroad.runtime.office import Office
from tests.unit.runtime.served import Served, Talk, environment, write_config


def add_account(config: Path, address: str = "jo@here.test") -> None:
    async def add() -> None:
        async with Office.open(load_config(config, {})) as office:
            parsed = Address.parse(address)
            await office.domains.add(parsed.domain)
            await office.accounts.add(parsed, "secret")

    asyncio.run(add())


def messages(config: Path) -> int:
    async def count() -> int:
        async with Office.open(load_config(config, {})) as office:
            return len(await office.journeys.find(address="jo@here.test"))

    return asyncio.run(count())


def begin_message(talk: Talk) -> None:
    assert talk.reply().startswith("220 mail.here.test")
    assert talk.say("EHLO client.test").startswith("250")
    assert talk.say("MAIL FROM:<a@elsewhere.test>").startswith("250")
    assert talk.say("RCPT TO:<jo@here.test>").startswith("250")
    assert talk.say("DATA").startswith("354")
    talk.send(b"Subject: slow\r\n\r\nbegin\r\n")


def certificate_of(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
        context.wrap_socket(raw) as link,
    ):
        found = link.getpeercert(binary_form=True)
    assert found
    return found


def test_sigterm_lets_a_message_in_flight_end(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    add_account(config)
    with Served(config) as served:
        port = served.ports()["mx"]
        with Talk(port) as talk, Talk(port) as idle:
            begin_message(talk)
            assert idle.reply().startswith("220")
            served.signal(signal.SIGTERM)
            served.wait_for("stopping")
            assert idle.reply().startswith("421 4.3.2")  # nothing in flight: refused cleanly
            assert idle.reply() == ""
            with pytest.raises(ConnectionRefusedError):
                Talk(port)
            assert talk.say("end\r\n.").startswith("250 2.0.0 Ok: queued as ")
        assert served.end() == 0
    assert messages(config) == 1
    assert not (tmp_path / "submit.sock").exists()


def test_sigterm_cuts_a_message_that_does_not_end(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("grace_seconds = 5", "grace_seconds = 0.3"))
    add_account(config)
    with Served(config) as served:
        with Talk(served.ports()["mx"]) as talk:
            begin_message(talk)
            served.signal(signal.SIGTERM)
            assert served.wait_for("connections were cut")["connections"] == 1
            assert served.end() == 0
    assert messages(config) == 0


def test_sighup_brings_a_new_certificate_and_drops_nobody(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    add_account(config)
    with Served(config) as served:
        ports = served.ports()
        before = certificate_of(ports["submissions"])
        with Talk(ports["mx"]) as talk:
            begin_message(talk)
            write_self_signed(
                tmp_path / "certificate.pem", tmp_path / "key.pem", ("mail.here.test",)
            )
            text = config.read_text().replace(
                "[tls]", '[limits]\nmax_message_octets = "3 MiB"\n[tls]'
            )
            config.write_text(text)
            served.signal(signal.SIGHUP)
            served.wait_for("reloaded")
            assert certificate_of(ports["submissions"]) != before
            assert certificate_of(ports["pop3s"]) == certificate_of(ports["submissions"])
            with Talk(ports["mx"]) as fresh:
                assert fresh.reply().startswith("220")
                fresh.send(b"EHLO client.test\r\n")
                answer = fresh.sock.recv(4096)
                assert b"SIZE 3145728" in answer
            assert talk.say("end\r\n.").startswith("250 2.0.0 Ok: queued as ")
        served.signal(signal.SIGTERM)
        assert served.end() == 0


def test_sighup_with_mistakes_changes_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Served(config) as served:
        ports = served.ports()
        before = certificate_of(ports["submissions"])
        good = config.read_text()
        config.write_text(good + "[log]\nlevel = 'loud'\n")
        served.signal(signal.SIGHUP)
        failed = served.wait_for("reload failed; everything stays as it was")
        assert "log.level" in failed["problems"][0]
        config.write_text(good)
        (tmp_path / "key.pem").write_text("no key")
        served.signal(signal.SIGHUP)
        failed = served.wait_for("reload failed; everything stays as it was")
        assert "key.pem" in failed["problems"][0]
        assert certificate_of(ports["submissions"]) == before
        served.signal(signal.SIGTERM)
        assert served.end() == 0


def test_systemd_is_told(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        env = environment(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        with Served(config, env) as served:
            told: set[str] = set()
            while not {"READY=1", "WATCHDOG=1"} <= told:
                told.add(listener.recv(4096).decode().partition("\n")[0])
            served.signal(signal.SIGHUP)
            while "RELOADING=1" not in told:
                told.add(listener.recv(4096).decode().partition("\n")[0])
            served.signal(signal.SIGTERM)
            while "STOPPING=1" not in told:
                told.add(listener.recv(4096).decode().partition("\n")[0])
            assert served.end() == 0


def test_a_port_that_is_taken_is_said_with_the_others(tmp_path: Path) -> None:
    with socket.socket() as one, socket.socket() as other:
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
            sock.listen()
        first, second = (sock.getsockname()[1] for sock in (one, other))
        config = write_config(tmp_path)
        env = environment(
            POSTROAD_LISTEN__MX=f"127.0.0.1:{first}", POSTROAD_LISTEN__POP3=f"127.0.0.1:{second}"
        )
        with Served(config, env) as served:
            code = served.process.wait(20)
            with pytest.raises(AssertionError) as error:
                served.wait_for("ready")
    assert code == 71
    assert f"listen.mx: 127.0.0.1:{first}: address already in use" in str(error.value)
    assert f"listen.pop3: 127.0.0.1:{second}: address already in use" in str(error.value)


@pytest.fixture
def world_readable() -> Iterator[Path]:
    """Pytest's own directories are closed to other users, and it sees to it that they stay so."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def readable_python() -> tuple[str, str]:
    """Return a Python that any user may run, and the PYTHONPATH which makes it ours.

    A Python below /root, as pyenv makes it, cannot be read any longer by whom the server becomes.
    """
    paths = os.pathsep.join(
        [str(Path(postroad.__file__).parents[1]), sysconfig.get_path("platlib")]
    )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = f"import os; os.setuid(65534); import wave, sys; assert sys.version.startswith('{version}.')"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", code], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python, paths
    pytest.skip(
        f"neither {sys.executable} nor a Python {version} of the system is any user's to read"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_root_binds_then_becomes_the_user(world_readable: Path) -> None:
    tmp_path = world_readable
    config = write_config(tmp_path)
    config.write_text(
        config.read_text()
        .replace("run_as_root = true", 'user = "nobody"\ngroup = "nogroup"')
        .replace("/submit.sock", "/run/postroad/submit.sock")
    )
    os.chown(tmp_path / "key.pem", 65534, 65534)
    python, paths = readable_python()
    with Served(config, environment(PYTHONPATH=paths), python) as served:
        served.wait_for("ready")
        status = Path(f"/proc/{served.process.pid}/status").read_text()
        ids = {line.split(":")[0]: line.split()[1:] for line in status.splitlines() if ":" in line}
        assert ids["Uid"] == ["65534"] * 4
        assert ids["Gid"] == ["65534"] * 4
        assert ids["Umask"] == ["0077"]
        assert (tmp_path / "data" / "postroad.db").stat().st_uid == 65534
        # Any other local user may come to the socket: sendmail is everybody's.
        directory = tmp_path / "run" / "postroad"
        assert (directory / "submit.sock").stat().st_mode & 0o777 == 0o666
        assert directory.stat().st_mode & 0o777 == 0o755
        assert directory.parent.stat().st_mode & 0o777 == 0o755
        served.signal(signal.SIGTERM)
        assert served.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_program_that_the_user_cannot_read_is_said(world_readable: Path) -> None:
    private = world_readable / "private"
    shutil.copytree(Path(postroad.__file__).parent, private / "postroad")
    private.chmod(0o700)
    config = write_config(world_readable)
    config.write_text(config.read_text().replace("run_as_root = true", 'user = "nobody"'))
    os.chown(world_readable / "key.pem", 65534, 65534)
    python, paths = readable_python()
    with Served(config, environment(PYTHONPATH=f"{private}{os.pathsep}{paths}"), python) as served:
        code = served.process.wait(20)
        with pytest.raises(
            AssertionError, match=rf"'nobody' cannot read {private}/postroad/.*/opt"
        ):
            served.wait_for("ready")
    assert code == 77


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused for being root")
def test_root_without_a_user_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("run_as_root = true", ""))
    with Served(config) as served:
        code = served.process.wait(20)
        with pytest.raises(AssertionError, match=r"must not run as root: set server\.user"):
            served.wait_for("ready")
    assert code == 77


def test_unhandled_exceptions_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_unhandled)
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    structlog.reset_defaults()
    asyncio.run(main())
    shown = capsys.readouterr().out
    assert "unhandled exception" in shown
    assert "ZeroDivisionError" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_commands_of_root_leave_nothing_of_root_in_the_store(world_readable: Path) -> None:
    config = write_config(world_readable)
    data = world_readable / "data"
    data.mkdir(mode=0o700)
    os.chown(data, 65534, 65534)
    done = subprocess.run(
        [sys.executable, "-m", "postroad.cli.main", "domain", "add", "a.test", "-c", str(config)],
        env=environment(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    owners = {path.stat().st_uid for path in data.rglob("*")}
    assert owners == {65534}
