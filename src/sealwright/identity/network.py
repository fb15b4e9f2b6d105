"""Whom a rate limit counts: the connection's own address, never what a header says of it."""

import functools
import ipaddress


@functools.lru_cache(maxsize=4096)
def network_of(source_ip: str) -> str:
    """Return what is counted as one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(source_ip)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
