"""OpenDKIM, by its test mode, which reads messages from files, and as a milter of Postfix."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers.tools import free_port
from postroad.trust.dkim import SigningKey

_VERIFIED = re.compile(r"^opendkim: \S*?(\d+)\.eml: verification \(.*\) succeeded$", re.MULTILINE)
_INSERTED = re.compile(
    r"^### INSHEADER: idx=\S+ hname='([^']+)' hvalue='(.*?)'$", re.MULTILINE | re.DOTALL
)


def verified(directory: Path, key: SigningKey, messages: list[bytes]) -> set[int]:
    """Return the numbers of the messages whose signature OpenDKIM verifies."""
    (directory / "dns").write_text(f"{key.name} {key.record()}\n")
    output = _run(directory, f"Mode v\nTestDNSData file:{directory}/dns\n", "-v", messages)
    return {int(number) for number in _VERIFIED.findall(output)}


def signed(directory: Path, key: SigningKey, messages: list[bytes], forms: str) -> list[bytes]:
    """Return the messages with a signature of OpenDKIM on top."""
    secret = directory / "key.pem"
    secret.write_text(key.pem())
    secret.chmod(0o600)
    (directory / "signing").write_text("* k\n")
    (directory / "keys").write_text(f"k {key.domain}:{key.selector}:{secret}\n")
    output = _run(
        directory,
        f"Mode s\nSigningTable refile:{directory}/signing\nKeyTable file:{directory}/keys\n"
        f"RequireSafeKeys no\nCanonicalization {forms}\n",
        "-vvv",
        messages,
    )
    fields = [
        f"{name}: {value}\n".replace("\n", "\r\n").encode()
        for name, value in _INSERTED.findall(output)
    ]
    assert len(fields) == len(messages), "OpenDKIM did not sign all"
    return [field + message for field, message in zip(fields, messages, strict=True)]


def _run(directory: Path, configuration: str, words: str, messages: list[bytes]) -> str:
    file = directory / "opendkim.conf"
    file.write_text(f"{configuration}Syslog no\nUserID root\n")
    names = []
    for number, message in enumerate(messages):
        path = directory / f"{number}.eml"
        path.write_bytes(message)
        names.append(path.name)
    done = subprocess.run(
        ["/usr/sbin/opendkim", "-x", str(file), words, "-t", ",".join(names)],
        cwd=directory,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@contextmanager
def milter(
    directory: Path, address: str, keys: list[SigningKey], authserv_id: str
) -> Iterator[str]:
    """Run OpenDKIM as a milter that verifies; yield where, in Postfix's words."""
    port = free_port(address)
    # Its resolver, libunbound, holds the names of laboratories (.test) for void: records from a file.
    (directory / "dns").write_text("".join(f"{key.name} {key.record()}\n" for key in keys))
    file = directory / "milter.conf"
    file.write_text(
        f"Mode v\nTestDNSData file:{directory}/dns\nAuthservID {authserv_id}\n"
        "AlwaysAddARHeader yes\nSyslog no\nUserID root\nBackground no\n"
    )
    process = subprocess.Popen(
        ["/usr/sbin/opendkim", "-f", "-x", str(file), "-p", f"inet:{port}@{address}"],
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex((address, port)) == 0:
                    break
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        yield f"inet:{address}:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
