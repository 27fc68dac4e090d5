"""The MTA-STS policy that we publish for our own domains."""

from postroad.runtime.config import Config
from postroad.trust.mta_sts import write_policy


def own_policy(config: Config) -> str:
    """Return the policy file, the same for each of our domains."""
    section = config.mta_sts
    hosts = [name.lower() for name in section.mx] or [config.server.hostname]
    return write_policy(section.mode, hosts, int(section.max_age_seconds))
