"""Pebble, Let's Encrypt's small certificate authority for tests, on loopback.

It really looks at the proofs (over HTTP on a port of our choice, and in the DNS of the server it is
given), refuses some nonces at random as real authorities may, and forgets all when it ends.
"""

import json
import ssl
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.tools import LOOPBACK, Process, choose_port, find, private_directory


class Pebble:
    """The authority, from `__enter__` to `__exit__`.

    `certificate` and `key` are the files of its own HTTPS server, for the address 127.0.0.1; `ca_file`
    is who vouches for these. `dns` is the ``address:port`` of the DNS that it believes; `http_port` is
    where it looks for HTTP-01. With `binding` (key id, key in URL-safe base 64), accounts need it.

    Raises `MissingTool`, and `PeerFailed` with the log when it does not start.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        ca_file: Path,
        *,
        dns: str,
        http_port: int = 0,
        binding: tuple[str, str] | None = None,
    ) -> None:
        self.port = choose_port(LOOPBACK, None)
        self.management_port = choose_port(LOOPBACK, None)
        self.http_port = choose_port(LOOPBACK, http_port or None)
        self._files = certificate, key, ca_file
        self._dns = dns
        self._binding = binding
        self._stack = ExitStack()
        self._process: Process | None = None

    def __enter__(self) -> Self:
        program = find("pebble")
        with ExitStack() as stack:
            directory = stack.enter_context(private_directory("pebble"))
            config = directory / "pebble.json"
            config.write_text(json.dumps(self._config()))
            self._process = stack.enter_context(
                Process(
                    [program, "-config", config, "-strict", "-dnsserver", self._dns],
                    directory / "pebble.log",
                    # Far more nonces are refused than by itself (5 %): clients have to ask again.
                    environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "30"},
                )
            )
            self._process.wait_for_port(LOOPBACK, self.port)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def directory_url(self) -> str:
        """Where its directory is."""
        return f"https://{LOOPBACK}:{self.port}/dir"

    def root(self) -> str:
        """Return the root of what it issues (PEM), which is another in each run."""
        context = ssl.create_default_context(cafile=str(self._files[2]))
        url = f"https://{LOOPBACK}:{self.management_port}/roots/0"
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            found: bytes = answer.read()
        return found.decode("ascii")

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._process.log() if self._process else ""

    def _config(self) -> dict[str, object]:
        certificate, key, _ = self._files
        settings: dict[str, object] = {
            "listenAddress": f"{LOOPBACK}:{self.port}",
            "managementListenAddress": f"{LOOPBACK}:{self.management_port}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": choose_port(LOOPBACK, None),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self._binding is not None,
        }
        if self._binding is not None:
            settings["externalAccountMACKeys"] = {self._binding[0]: self._binding[1]}
        return {"pebble": settings}
