"""The suppression lists of streams: who is left out by them, and what comes back to feed them."""

from postroad.delivery.suppression import Suppressing
from postroad.ports import Deliverer
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.returns import Returns


def suppressing_streams(config: Config) -> list[str]:
    """Return the streams that keep a list."""
    return [name for name, section in config.streams.items() if section.keeps_list]


def make_returns(office: Office) -> Returns:
    """Return what takes in bounces and complaints about mail of ours.

    Raises `OSError` and `RulesInvalid` where the rules for replies are no use.
    """
    store = office.store
    if office.return_addresses or office.config.bounces.rules:
        office.load_rules()  # a server with broken rules does not start
    return Returns(
        office.return_addresses,
        content=store.content,
        queue=store.queue,
        journey=store.journey,
        classify=office.classify,
        clock=office.clock,
        suppressing=suppressing_streams(office.config),
        departures=office.departures,
    )


def leave_out_suppressed(deliverer: Deliverer, office: Office) -> Deliverer:
    """Return the deliverer itself where no stream keeps a list: then nothing is asked of any message.

    Raises `OSError` and `RulesInvalid` where the rules for replies, which feed the lists, are no use.
    """
    streams = suppressing_streams(office.config)
    if not streams:
        return deliverer
    office.load_rules()
    return Suppressing(
        deliverer,
        store=office.store.suppressions,
        streams=streams,
        classify=office.classify,
        clock=office.clock,
    )
