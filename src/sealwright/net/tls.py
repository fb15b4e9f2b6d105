"""TLS for every outgoing connection: the system's anchors plus the ones an invitation or a statement names."""

import ipaddress
import ssl
from collections.abc import Sequence

from sealwright.errors import DecodingError


def client_context(anchors: Sequence[bytes] = ()) -> ssl.SSLContext:
    """Return a context that verifies host name and certificate, TLS 1.2 or newer.

    Args:
        anchors: DER certificates trusted besides the system's own.

    Raises:
        DecodingError: If an anchor is not a certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for anchor in anchors:
        try:
            context.load_verify_locations(cadata=anchor)
        except (ssl.SSLError, ValueError) as error:
            raise DecodingError("a TLS anchor is not a certificate") from error
    return context


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine: a loopback address, or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
