"""The MTA-STS policy that we publish for our own domains."""

from postroad.runtime.config import Config
from postroad.trust.mta_sts import write_policy


def own_policy(config: Config) -> str:
    """Return the policy file, the same for each of our domains."""
    section = config.mta_sts
    return write_policy(section.mode, policy_hosts(config), int(section.max_age_seconds))


def policy_hosts(config: Config) -> tuple[str, ...]:
    """Return the hosts that the policy names, as patterns."""
    return tuple(name.lower() for name in config.mta_sts.mx) or (config.server.hostname,)
