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


def why_not_valid(host: str, error: Exception) -> str:
    """Say in one sentence for people why a server's certificate was refused; a wrong clock is the device's own matter."""
    text = str(error)
    if "certificate is not yet valid" in text or "certificate has expired" in text:
        when = "not yet" if "not yet" in text else "no longer"
        return f"the TLS certificate of {host} is {when} valid by this device's clock: check the clock first"
    return f"the TLS certificate of {host} is not valid"


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine: a loopback address, or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
