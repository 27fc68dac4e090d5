"""Settings of certificates by ACME."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from postroad.model import Address, InvalidAddress, parse_domain
from postroad.network import parse_nameserver
from postroad.runtime.config.values import OptionalPath, Seconds, Section, Strings

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
_WILD = "*."


def _to_names(value: object) -> object:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return value
    return tuple(_to_name(str(each)) for each in value)


def _to_name(text: str) -> str:
    wild = _WILD if text.startswith(_WILD) else ""
    try:
        name = parse_domain(text.removeprefix(_WILD).rstrip("."))
    except InvalidAddress as error:
        raise ValueError(f"{text!r} is no name for a certificate: {error}") from None
    if "." not in name:
        raise ValueError(f"{text!r} is no name that an authority vouches for: it has no dot")
    return wild + name


class AcmeSection(Section):
    """Certificates from an authority that speaks ACME (RFC 8555), as Let's Encrypt does; `tls.acme`
    turns it on. Needs the extra `postroad[acme]`. Account, key and certificate are in `acme` in
    `server.data_dir`.
    """

    directory: str = Field(
        default=LETS_ENCRYPT,
        description="The authority's directory, an `https://` URL. Try out with "
        "`https://acme-staging-v02.api.letsencrypt.org/directory`, whose limits are wide.",
    )
    terms_agreed: bool = Field(
        default=False,
        description="Set it to say that you agree to the authority's terms of service.",
    )
    contact: str = Field(
        default="", description="An address at which the authority reaches you, if it wants to."
    )
    names: Annotated[Strings, BeforeValidator(_to_names)] = Field(
        default=(),
        description="The names in the certificate; left empty, `server.hostname`. A name like "
        "`*.example.org` needs `dns-01`.",
    )
    reuse_key: bool = Field(
        default=True,
        description="Keep the private key when the certificate is renewed, so that TLSA records "
        "`3 1 1` (DANE) stay true.",
    )
    ca_file: OptionalPath = Field(
        default=None,
        description="PEM file of the authorities that the ACME server's own certificate is verified "
        "against; left empty, those of the package `certifi`.",
    )
    eab_key_id: str = Field(
        default="", description="Key id of an external account (RFC 8555 §7.3.4), if one is needed."
    )
    eab_hmac_key: str = Field(default="", description="Its key, in URL-safe base 64. A secret.")
    dns_command: Strings = Field(
        default=(),
        description="For `dns-01`: a program and its first arguments; it is run with `add NAME TEXT` "
        "and `remove NAME TEXT` behind them, without a shell.",
    )
    dns_server: str = Field(
        default="",
        description="For `dns-01`: the name server that takes updates (RFC 2136), as `address:port`.",
    )
    dns_zone: str = Field(
        default="", description="The zone to update; left empty, the name server is asked."
    )
    dns_wait_seconds: Seconds = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="How long records need to reach all name servers of the zone.",
    )
    tsig_name: str = Field(default="", description="Name of the key that signs updates.")
    tsig_secret: str = Field(default="", description="That key, in base 64. A secret.")
    tsig_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224"] = Field(
        default="hmac-sha256", description="Its algorithm."
    )
    order_seconds: Seconds = Field(
        default=300.0,
        ge=5,
        le=86_400,
        description="How long the authority may take for one certificate.",
    )
    retry_min_seconds: Seconds = Field(
        default=600.0,
        ge=1,
        le=86_400,
        description="Wait after a failure; doubled with each that follows. Authorities count "
        "failures, and do so for hours.",
    )
    retry_max_seconds: Seconds = Field(
        default=43_200.0, ge=1, le=604_800, description="The longest wait after failures."
    )

    @field_validator("directory")
    @classmethod
    def _https(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("is no https:// URL; an authority that can be forged is none")
        return value

    @field_validator("contact")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return str(Address.parse(value)) if value else ""
        except InvalidAddress as error:
            raise ValueError(str(error)) from None

    @field_validator("dns_server")
    @classmethod
    def _server(cls, value: str) -> str:
        return str(parse_nameserver(value)) if value else ""

    @model_validator(mode="after")
    def _pairs(self) -> "AcmeSection":
        if bool(self.eab_key_id) != bool(self.eab_hmac_key):
            raise ValueError("eab_key_id and eab_hmac_key belong together")
        if bool(self.tsig_name) != bool(self.tsig_secret):
            raise ValueError("tsig_name and tsig_secret belong together")
        if self.dns_command and self.dns_server:
            raise ValueError("dns_command and dns_server are two ways for one thing; set one")
        if self.retry_min_seconds > self.retry_max_seconds:
            raise ValueError("retry_min_seconds is more than retry_max_seconds")
        return self
