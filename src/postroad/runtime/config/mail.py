"""Settings of queue, store and POP3."""

from pydantic import Field, field_validator

from postroad.queue import UnknownPolicy
from postroad.runtime.config.values import Octets, Seconds, Section, Switch

_HOUR = 3600.0
_DAY = 24 * _HOUR
_YEAR = 366 * _DAY


class QueueSection(Section):
    """When deliveries are tried, how many at once, and when they are given up."""

    retry_first_seconds: Seconds = Field(
        default=300.0,
        ge=0.01,
        le=_DAY,
        description="The wait after the first failure; it doubles with each further one "
        "(RFC 5321 §4.5.4.1).",
    )
    retry_max_seconds: Seconds = Field(
        default=4 * _HOUR, ge=0.01, le=7 * _DAY, description="The longest wait between two tries."
    )
    retry_jitter: float = Field(
        default=0.1, ge=0, le=0.9, description="By which fraction a wait is made longer or shorter."
    )
    lifetime_seconds: Seconds = Field(
        default=5 * _DAY,
        ge=1,
        le=_YEAR,
        description="When a message is given up and returned (RFC 5321 §4.5.4.1).",
    )
    null_sender_lifetime_seconds: Seconds = Field(
        default=2 * _DAY, ge=1, le=_YEAR, description="The same for reports, which go nowhere else."
    )
    delay_notice_seconds: Seconds = Field(
        default=4 * _HOUR,
        ge=0,
        le=_YEAR,
        description="When the sender is told of a delay, once; 0: never.",
    )
    unknown: UnknownPolicy = Field(
        default=UnknownPolicy.RETRY,
        description="What follows when a connection died after the final dot (RFC 1047): `retry` may "
        "make a duplicate, `hold` leaves it to an operator. A stream may say otherwise.",
    )
    concurrency_initial: int = Field(
        default=5, ge=1, le=1000, description="Connections to a destination to begin with."
    )
    concurrency_max: int = Field(
        default=20, ge=1, le=1000, description="Connections to one destination at most."
    )
    recover_seconds: Seconds = Field(
        default=60.0,
        ge=1,
        le=_DAY,
        description="A destination that asks us to slow down (421, 4.7.x) gets half as many "
        "connections, then 60 messages a minute, 30, 15 …; after so long without complaint twice "
        "as many again.",
    )
    max_sessions: int = Field(
        default=500, ge=1, le=100_000, description="Connections to all destinations together."
    )
    idle_session_seconds: Seconds = Field(
        default=5.0, ge=0, le=600, description="How long a connection waits for another message."
    )
    backoff_first_seconds: Seconds = Field(
        default=60.0,
        ge=0.01,
        le=_DAY,
        description="How long a destination is left alone that cannot be reached; it doubles.",
    )
    backoff_max_seconds: Seconds = Field(
        default=900.0, ge=0.01, le=_DAY, description="The longest such pause."
    )
    failed_sessions_before_backoff: int = Field(
        default=3, ge=1, le=1000, description="Failed connections in a row before that pause."
    )
    route_cache_min_seconds: Seconds = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="How long a route is used at least, however short its DNS records live.",
    )
    max_in_memory: int = Field(
        default=20_000,
        ge=1,
        le=10_000_000,
        description="Deliveries that this process holds at once.",
    )
    max_unrecorded: int = Field(
        default=2000, ge=1, le=1_000_000, description="Attempts whose outcome waits to be stored."
    )
    record_batch: int = Field(
        default=500, ge=1, le=100_000, description="Outcomes stored in one commit at most."
    )
    lease_batch: int = Field(
        default=1000, ge=1, le=100_000, description="Deliveries taken from the store at once."
    )
    lease_seconds: Seconds = Field(
        default=900.0,
        ge=1,
        le=_DAY,
        description="How long deliveries belong to the process that took them.",
    )
    poll_seconds: Seconds = Field(
        default=1.0,
        ge=0.01,
        le=60,
        description="How often the store is asked for what others put there.",
    )
    dsn_return_max_octets: Octets = Field(
        default=256 * 1024,
        ge=0,
        le=2**30,
        description="A report returns messages up to this size whole, of larger ones the header.",
    )
    dsn_header_max_octets: Octets = Field(
        default=64 * 1024, ge=0, le=2**24, description="How much of a returned header."
    )


class StorageSection(Section):
    """The store."""

    url: str = Field(
        default="",
        repr=False,
        description="A PostgreSQL database that several machines share: "
        "postgresql://user:password@host/name. Needs `postroad[postgres]`. Empty: SQLite in "
        "`server.data_dir`.",
    )
    retry_seconds: Seconds = Field(
        default=10.0,
        ge=0,
        le=600,
        description="How long a commit waits for a PostgreSQL that is away, before it is refused.",
    )
    inline_max_octets: Octets = Field(
        default=256 * 1024,
        ge=0,
        le=2**26,
        description="Messages up to this size are kept in the database, larger ones in files.",
    )
    cache_max_octets: Octets = Field(
        default=32 * 2**20, ge=0, le=2**34, description="Memory for messages on their way."
    )
    busy_timeout_seconds: Seconds = Field(
        default=10.0, ge=0, le=600, description="How long to wait for another process's commit."
    )
    writer_process: Switch = Field(
        default=True,
        description="Write to SQLite in a process of its own (15 MB): about a sixth more messages a "
        "second. Only with `server.workers = 1`.",
    )
    retain_seconds: Seconds = Field(
        default=45 * _DAY,
        ge=0,
        le=10 * _YEAR,
        description="How long the journey of a message is kept after its end; 0: for ever. Mail in "
        "mailboxes is not touched.",
    )

    @field_validator("url")
    @classmethod
    def _is_postgres(cls, url: str) -> str:
        if url and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("storage.url must begin with postgresql://")
        return url


class Pop3Section(Section):
    """Reading mail by POP3."""

    auth_without_tls: Switch = Field(
        default=False, description="Let passwords pass in the clear. Only for laboratories."
    )
    login_delay_seconds: int = Field(
        default=0,
        ge=0,
        le=86_400,
        description="How long to wait from one login of an account to its next (RFC 2449 §6.5).",
    )
    login_seconds: Seconds = Field(
        default=60.0, ge=0.1, le=3600, description="From the connection to the login."
    )
    autologout_seconds: Seconds = Field(
        default=600.0,
        ge=600,
        le=_DAY,
        description="How long a client may be silent; ten minutes at least (RFC 1939 §3).",
    )
    max_errors: int = Field(
        default=20, ge=1, le=10_000, description="Commands that make no sense before the end."
    )
    read_ahead_octets: Octets = Field(
        default=256 * 1024,
        ge=0,
        le=2**28,
        description="How much is read before the client asks, per connection.",
    )
