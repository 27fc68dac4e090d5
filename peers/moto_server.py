"""moto: an S3 server in this process, quick to start, which forgets all when it ends."""

import logging
from types import TracebackType
from typing import Self

from moto.server import ThreadedMotoServer

from peers.seaweed import KEY_ID, SECRET, client
from peers.tools import LOOPBACK


class Moto:
    """The server, from `__enter__` to `__exit__`."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        _, port = self._server.get_host_and_port()
        return f"http://{LOOPBACK}:{port}"

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        client(self.endpoint, KEY_ID, SECRET).create_bucket(Bucket=name)
