"""Taking messages in, from any server: what is common to all of them."""

from collections.abc import Sequence

from postroad.mailbox.quota import NoQuotas, Quotas
from postroad.model import (
    Envelope,
    Origin,
    Reply,
)
from postroad.policy import (
    NOTHING,
    Decision,
    Policy,
)
from postroad.ports import (
    Clock,
    ContentStore,
    Entropy,
    LabelStore,
)
from postroad.queue import Queue
from postroad.service.incoming import Incoming as Incoming
from postroad.service.intake_settings import IntakeSettings as IntakeSettings
from postroad.service.mailing import Mailings
from postroad.service.recipients import Accepted, Recipients, Target
from postroad.service.signing import Signing
from postroad.service.suspected import refusal_of
from postroad.service.wishes import NO_WISHES, Wishes

_NO_QUOTAS = NoQuotas()


class Intake:
    """Takes messages from any server."""

    def __init__(
        self,
        *,
        queue: Queue,
        content: ContentStore,
        recipients: Recipients,
        clock: Clock,
        entropy: Entropy,
        policy: Policy,
        settings: IntakeSettings,
        signing: Signing | None = None,
        mailings: Mailings | None = None,
        labels: LabelStore | None = None,
        quotas: Quotas | NoQuotas = _NO_QUOTAS,
    ) -> None:
        self.mailings = mailings
        self.labels = labels
        self.quotas = quotas
        self.queue = queue
        self.content = content
        self.recipients = recipients
        self.clock = clock
        self.entropy = entropy
        self.policy = policy
        self.settings = settings
        self.signing = signing

    def begin(
        self,
        envelope: Envelope,
        accepted: Sequence[Accepted],
        origin: Origin,
        earlier: Decision = NOTHING,
        wishes: Wishes = NO_WISHES,
    ) -> "Incoming":
        """Start to take a message for the recipients that were accepted.

        `earlier` is what checks decided of connection, sender and recipients.
        """
        return Incoming(self, envelope, accepted, origin, earlier, wishes)

    def refuses(self, accepted: Accepted, origin: Origin) -> Reply | None:
        """Return the refusal of a recipient of suspected mail, see `service.suspected`."""
        return refusal_of(accepted, origin, pass_on=self.settings.pass_on_quarantined)

    async def too_much(self, targets: Sequence[Target], size: int) -> Reply | None:
        """Return why a message of `size` octets (0: not known yet) is not taken for a recipient that
        leads to full mailboxes alone. Asked where `quotas.active`. Raises `StorageError`.
        """
        return await self.quotas.refusal([each.mailbox for each in targets], size)

    async def submit(
        self, envelope: Envelope, data: bytes, origin: Origin, wishes: Wishes = NO_WISHES
    ) -> Reply:
        """Take a whole message (CRLF line ends) for all recipients of the envelope.

        Returns the first refusal, or the acceptance.
        """
        accepted = []
        for recipient in envelope.recipients:
            targets = await self.recipients.resolve(recipient.address)
            if isinstance(targets, Reply):
                return targets
            accepted.append(Accepted(recipient, targets))
        incoming = self.begin(envelope, accepted, origin, wishes=wishes)
        incoming.write(data)
        return await incoming.finish()
