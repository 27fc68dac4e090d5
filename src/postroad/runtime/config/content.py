"""Where large messages are kept."""

import ipaddress
from enum import Enum
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from postroad.runtime.config.values import Octets, Seconds, Section, Switch

_DAY = 86_400


class ContentPlace(Enum):
    """Where messages are that are too large for the database."""

    FILE = "file"
    S3 = "s3"


class DurableIn(Enum):
    """What a large message waits for before it is acknowledged."""

    LOCAL = "local"
    S3 = "s3"


class ContentSection(Section):
    """Messages larger than `storage.inline_max_octets`: in files below `server.data_dir`, or in S3."""

    place: ContentPlace = Field(
        default=ContentPlace.FILE,
        description="`file`, or `s3` (with the extra: pip install 'postroad[s3]').",
    )
    durable: DurableIn = Field(
        default=DurableIn.LOCAL,
        description="What a large message waits for before it is acknowledged: `local`, a file on this "
        "machine, from which it is brought to S3 at once; or `s3`, the object in S3.",
    )
    bucket: str = Field(default="", description="The bucket; it must be there.")
    prefix: str = Field(
        default="postroad/",
        max_length=500,
        description="What the names of objects begin with. Each store needs its own.",
    )
    endpoint: str = Field(
        default="", description="URL of the S3 server, as in `https://s3.example`; empty: AWS."
    )
    allow_http: Switch = Field(
        default=False, description="Speak to an `endpoint` beyond this machine without TLS."
    )
    region: str = Field(default="us-east-1", description="The region, for signatures.")
    access_key_id: str = Field(
        default="", description="Who we are; empty: what AWS_* variables or the machine's role say."
    )
    secret_access_key: str = Field(default="", description="The secret of that key.")
    timeout_seconds: Seconds = Field(
        default=30.0, ge=1, le=3600, description="How long one request to S3 may take."
    )
    connect_seconds: Seconds = Field(
        default=5.0, ge=0.1, le=600, description="How long a connection to S3 may take."
    )
    retries: int = Field(default=3, ge=0, le=100, description="How often a request is repeated.")
    retry_seconds: Seconds = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="After so long a request is not repeated any more: it failed. Messages that wait "
        "here for S3 are tried again all the same.",
    )
    part_octets: Octets = Field(
        default=8 * 2**20,
        ge=5 * 2**20,
        le=2**30,
        description="Larger messages go to S3 in parts of this size.",
    )
    uploads: int = Field(default=4, ge=1, le=1000, description="Messages brought to S3 at once.")
    max_waiting_octets: Octets = Field(
        default=4 * 2**30,
        ge=0,
        le=2**50,
        description="How much may wait on this machine for S3, per worker; beyond, large messages get "
        "452.",
    )
    sweep_seconds: Seconds = Field(
        default=_DAY,
        ge=0,
        le=365 * _DAY,
        description="How often objects that nobody needs are looked for; 0: never.",
    )

    @model_validator(mode="after")
    def _complete(self) -> "ContentSection":
        if self.place is not ContentPlace.S3:
            return self
        if not self.bucket:
            raise ValueError('content.place = "s3" needs content.bucket')
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValueError("content.access_key_id and content.secret_access_key go together")
        if self.endpoint:
            _check_endpoint(self.endpoint, self.allow_http)
        if find_spec("obstore") is None:
            raise ValueError("content.place = \"s3\" needs obstore: pip install 'postroad[s3]'")
        return self


def _check_endpoint(text: str, allow_http: bool) -> None:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"content.endpoint {text!r} is no URL like 'https://s3.example'")
    if url.scheme == "http" and not allow_http and not _is_here(url.hostname):
        raise ValueError(
            f"content.endpoint {text!r} would have mail go without TLS; say https, or "
            "content.allow_http = true where nobody can listen"
        )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
