"""Delivery without the recipients that are on the suppression list of their message's stream."""

from postroad.delivery.suppression import Suppressing
from postroad.ports import Deliverer
from postroad.runtime.office import Office


def leave_out_suppressed(deliverer: Deliverer, office: Office) -> Deliverer:
    """Return the deliverer itself where no stream keeps a list: then nothing is asked of any message.

    Raises `OSError` and `RulesInvalid` where the rules for replies, which feed the lists, are no use.
    """
    streams = [name for name, each in office.config.streams.items() if each.suppression]
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
