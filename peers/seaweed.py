"""SeaweedFS: a real S3 server (master, volume server, filer and gateway in one process), on loopback.

It can be stopped and started again in the midst of a test, with what it has stored.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3

from peers.tools import LOOPBACK, MissingTool, Process, choose_port, private_directory, wait_until

KEY_ID, SECRET = "mail-key", "mail-secret"
_START_SECONDS = 60.0


class Seaweed:
    """The server, from `__enter__` to `__exit__`. Raises `MissingTool`, `PeerFailed`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._process: Process | None = None
        self._directory = Path()
        self.port = 0

    def __enter__(self) -> Self:
        self._program = Path(sys.executable).with_name("weed")
        if not self._program.exists():
            raise MissingTool("weed")
        with ExitStack() as stack:
            self._directory = stack.enter_context(private_directory("seaweed"))
            identity = {
                "name": "mail",
                "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
            (self._directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
            names = ("master", "volume", "filer", "s3")
            self._ports = {
                f"-{name}.port{kind}": choose_port(LOOPBACK, None)
                for name in names
                for kind in ("", ".grpc")
            }
            self.port = self._ports["-s3.port"]
            stack.callback(self.stop)
            self.start()
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
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it, on the ports of before, with what is stored; return when it serves."""
        words: list[str | Path] = [
            self._program,
            "server",
            f"-dir={self._directory}",
            f"-ip={LOOPBACK}",
        ]
        words += [f"-ip.bind={LOOPBACK}", "-filer", "-s3", f"-s3.config={self._directory}/s3.json"]
        words += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=50"]
        words += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]  # else they have ports that never change
        words += [f"{name}={port}" for name, port in self._ports.items()]
        self._process = Process(words, self._directory / "weed.log")
        self._process.wait_for_port(LOOPBACK, self.port, _START_SECONDS)
        wait_until(self._serves, _START_SECONDS, "SeaweedFS to serve")

    def stop(self) -> None:
        """Stop it; what is stored stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        client(self.endpoint, KEY_ID, SECRET).create_bucket(Bucket=name)

    def _serves(self) -> bool:
        try:
            client(self.endpoint, KEY_ID, SECRET).list_buckets()
        except Exception:  # whatever it is: it is asked again
            return False
        return True


def client(endpoint: str, key_id: str, secret: str) -> "boto3.client":
    """Return a client of another make, to make buckets and to look into them."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
