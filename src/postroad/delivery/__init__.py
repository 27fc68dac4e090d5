"""Mail that leaves: route, MX, connect, transact.

`RemoteDeliverer` implements `ports.Deliverer` over `ports.Resolver` and `ports.Network`.
"""

from postroad.delivery.remote import RemoteDeliverer
from postroad.delivery.settings import DeliverySettings, IpPreference, RelayHost

__all__ = ["DeliverySettings", "IpPreference", "RelayHost", "RemoteDeliverer"]
