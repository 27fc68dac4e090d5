"""The use cases that routes may call: one value, given to each of them when the application is made."""

from msgspec import Struct

from postroad.ports import Clock, Entropy, LabelStore, QueueStore
from postroad.service.api_keys import ApiKeys
from postroad.service.authenticate import Authenticator
from postroad.service.desk import QueueDesk
from postroad.service.display import Display
from postroad.service.domains import Domains
from postroad.service.jmap import Jmap
from postroad.service.journeys import Journeys
from postroad.service.landing import Landing
from postroad.service.postings import Postings
from postroad.service.reach import Reach
from postroad.service.recipients import Recipients
from postroad.service.road import Roads
from postroad.service.suppressions import Suppressions
from postroad.service.templates import Templates
from postroad.service.webhook_post import Post
from postroad.service.webhooks import Webhooks
from postroad.web.console.desk import ConsoleDesk
from postroad.web.settings import WebSettings
from postroad.web.signing_in import SigningIn


class Services(Struct, frozen=True):
    """Add a field for what your routes need; `runtime.web` fills it."""

    settings: WebSettings
    clock: Clock
    entropy: Entropy
    api_keys: ApiKeys
    postings: Postings
    labels: LabelStore
    queue: QueueStore
    recipients: Recipients
    domains: Domains
    desk: QueueDesk
    journeys: Journeys
    suppressions: Suppressions
    templates: Templates
    webhooks: Webhooks
    post: Post
    landing: Landing | None = None
    jmap: Jmap | None = None
    authenticator: Authenticator | None = None
    signing_in: SigningIn | None = None
    console: ConsoleDesk | None = None
    display: Display | None = None
    roads: Roads | None = None
    reach: Reach | None = None
