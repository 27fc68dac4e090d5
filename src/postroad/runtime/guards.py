"""The checks of section ``abuse``: made anew by a reload, while what they remember stays."""

from postroad.policy import Check
from postroad.policy.checks.clients import helo_check, reverse_dns_check
from postroad.policy.checks.dns_lists import dns_lists, parse_dns_list
from postroad.policy.checks.greylist import Greylist, GreylistSettings, greylist
from postroad.policy.checks.milters import milter_check
from postroad.policy.checks.rates import RateLimits, Rates, rate_checks
from postroad.policy.checks.scanners import Scanner, clamav_check, rspamd_check
from postroad.policy.checks.standing import Standings, StandingSettings, standing_check
from postroad.policy.checks.strangers import Action, Strangers
from postroad.ports import Clock, Moments, Network, Resolver, StandingStore
from postroad.runtime.config import Config
from postroad.runtime.config.abuse import AbuseSection
from postroad.runtime.config.values import Peer, parse_peer


class Guards:
    """Makes the checks that the configuration asks for."""

    def __init__(
        self, clock: Clock, network: Network, store: StandingStore, moments: Moments
    ) -> None:
        self._moments = moments
        self._clock = clock
        self._network = network
        self._store = store
        self.standings: Standings | None = None
        """What was judged of domains, None where nobody asks; to be written now and then."""
        self._rates: Rates | None = None
        self._nodes = 1
        self._greylist: Greylist | None = None

    def early(self, config: Config, resolver: Resolver) -> list[Check]:
        """Return those that look at connection, sender and recipients."""
        abuse = config.abuse
        strangers = Strangers(abuse.exempt)
        checks = rate_checks(self._kept_rates(abuse), strangers)
        if abuse.helo is not Action.OFF:
            checks.append(helo_check(abuse.helo, {config.server.hostname}, strangers))
        if abuse.reverse_dns is not Action.OFF:
            seconds = abuse.reverse_dns_seconds
            checks.append(reverse_dns_check(abuse.reverse_dns, strangers, resolver, seconds))
        if abuse.dns_allow_lists or (
            abuse.dns_block_lists and abuse.dns_block_action is not Action.OFF
        ):
            checks.append(
                dns_lists(
                    block=[parse_dns_list(each) for each in abuse.dns_block_lists],
                    allow=[parse_dns_list(each) for each in abuse.dns_allow_lists],
                    action=abuse.dns_block_action,
                    seconds=abuse.dns_list_seconds,
                    strangers=strangers,
                    resolver=resolver,
                )
            )
        if abuse.greylist:
            checks.append(greylist(self._kept_greylist(abuse), strangers))
        return checks

    def late(self, config: Config) -> list[Check]:
        """Return those that look at the whole message, which cost most."""
        abuse = config.abuse
        strangers = Strangers(abuse.exempt)
        checks = []
        if abuse.rspamd is not None:
            scanner = _scanner(abuse, abuse.rspamd)
            checks.append(rspamd_check(scanner, strangers, self._network, self._clock))
        if abuse.clamav is not None and abuse.clamav_action is not Action.OFF:
            scanner = _scanner(abuse, abuse.clamav)
            checks.append(clamav_check(scanner, strangers, self._network, self._clock))
        for number, place in enumerate(abuse.milters, 1):
            name = f"milter-{number}" if len(abuse.milters) > 1 else "milter"
            peer = Peer(place, 0) if place.startswith("/") else parse_peer(place)
            scanner = _scanner(abuse, peer)
            hostname = config.server.hostname
            checks.append(
                milter_check(name, scanner, hostname, strangers, self._network, self._clock)
            )
        return checks

    def last(self, config: Config) -> list[Check]:
        """Return those that look at what all others found."""
        abuse = config.abuse
        if abuse.standing is Action.OFF:
            return []
        settings = standing_settings(abuse)
        if self.standings is None or self.standings.settings != settings:
            self.standings = Standings(self._store, self._clock, settings)
        return [standing_check(abuse.standing, self.standings, Strangers(abuse.exempt))]

    def share(self, nodes: int) -> None:
        """So many nodes share what the limits allow."""
        self._nodes = nodes
        if self._rates is not None:
            self._rates.share(nodes)

    def _kept_rates(self, abuse: AbuseSection) -> Rates:
        limits = RateLimits(
            abuse.account_messages_per_hour,
            abuse.account_recipients_per_hour,
            abuse.client_messages_per_hour,
            abuse.client_recipients_per_hour,
            abuse.client_connections_per_minute,
        )
        if self._rates is None or self._rates.limits != limits:
            self._rates = Rates(limits, self._clock, self._moments)
            self._rates.share(self._nodes)
        return self._rates

    def _kept_greylist(self, abuse: AbuseSection) -> Greylist:
        settings = GreylistSettings(
            abuse.greylist_seconds, abuse.greylist_window_seconds, abuse.greylist_known_seconds
        )
        if self._greylist is None or self._greylist.settings != settings:
            self._greylist = Greylist(settings, self._clock, self._moments)
        return self._greylist


def standing_settings(abuse: AbuseSection) -> StandingSettings:
    """Return when a domain has a bad name."""
    return StandingSettings(
        abuse.standing_min_messages,
        abuse.standing_junk_share,
        abuse.standing_half_life_seconds,
        abuse.standing_keep,
    )


def _scanner(abuse: AbuseSection, peer: Peer) -> Scanner:
    return Scanner(
        peer.host,
        peer.port,
        seconds=abuse.scan_seconds,
        max_octets=abuse.scan_max_octets,
        failure=abuse.scan_failure,
        action=abuse.clamav_action,
        password=abuse.rspamd_password,
    )
