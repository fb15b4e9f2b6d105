"""Look-ups in DNS: service locations (RFC 2782). What DNS says is a hint where to ask, never a reason to trust."""

from dataclasses import dataclass

MAX_LOCATIONS = 8
"""A pair of nodes has two; more than this is somebody else's idea."""
LIFETIME_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServiceLocation:
    """Where a service is.

    Attributes:
        host: DNS name without the dot at the end.
        port: TCP port.
    """

    host: str
    port: int


def find_services(service: str, domain: str) -> tuple[ServiceLocation, ...]:
    """Return the locations of a service of a domain, best first; none where DNS names none or does not answer.

    Args:
        service: Such as "sealwright"; TCP is meant.
        domain: A-label.
    """
    import dns.exception  # noqa: PLC0415 - 40 ms that only a first set-up without an invitation needs
    import dns.resolver  # noqa: PLC0415

    try:
        answer = dns.resolver.resolve(f"_{service}._tcp.{domain}", "SRV", lifetime=LIFETIME_SECONDS)
    except (dns.exception.DNSException, OSError):
        return ()
    records = sorted(answer, key=lambda record: (record.priority, -record.weight))
    found = (ServiceLocation(str(record.target).rstrip("."), record.port) for record in records[:MAX_LOCATIONS])
    return tuple(location for location in found if location.host)  # a lone dot says: no such service
