"""How mail of a sender would leave by its stream: under which return path, and whom it would spare."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from postroad.delivery.suppression import refusal_of
from postroad.model import DEFAULT_STREAM, Address, Origin, Reply, ServerKind
from postroad.ports import StorageError
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.lists import suppressing_streams
from postroad.runtime.office import Office
from postroad.runtime.rewriting import return_bases


class Leaving(Struct, frozen=True):
    """`return_path` is the address that return paths are made of, None where the sender stays. `spared`
    tells for recipients on the list of the stream what would stand for their server's refusal.
    """

    stream: str = DEFAULT_STREAM
    return_path: Address | None = None
    spared: Mapping[Address, Reply] = {}


async def leaving(config: Config, sender: Address | None, recipients: Sequence[Address]) -> Leaving:
    """Return it for mail that the account of that address hands in. A store that is not there, or must
    not be read, has no lists.
    """
    account = str(sender) if sender is not None else None
    origin = Origin(ServerKind.SUBMISSION, account=account)
    stream = settings.intake(config).streams.of(sender, origin)
    base = return_bases(config).get(stream) if sender is not None else None
    if stream not in suppressing_streams(config) or not config.server.data_dir.exists():
        return Leaving(stream, base)
    try:
        async with Office.open(config) as office:
            found = await office.store.suppressions.of(stream, recipients)
    except (StorageError, PermissionError):
        return Leaving(stream, base)
    listed = {each.address.folded: refusal_of(each) for each in found}
    spared = {each: listed[each.folded] for each in recipients if each.folded in listed}
    return Leaving(stream, base, spared)
