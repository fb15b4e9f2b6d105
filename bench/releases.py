"""Key releases: HTTPS, authentication, a leaf in the log that is waited for, the keystore's own check, HPKE."""

import secrets

from bench.measure import Effort, Row, row_of, time_calls
from bench.site import running_site
from sealwright.wire.api import ReleaseRequest
from sealwright.wire.hpke import generate_hpke_key_pair, hpke_seal

_PEOPLE = 4
_PKCS8_BYTES = 138
"""Of a P-256 private key."""


def measure(effort: Effort) -> list[Row]:
    """Ask for the keys of a mailbox with one generation."""
    public_key, private_key = generate_hpke_key_pair().public_key, secrets.token_bytes(_PKCS8_BYTES)
    timings, references = [], []
    with running_site(_PEOPLE) as site:
        for _ in range(effort.slices):
            wanted = [ReleaseRequest(request_nonce=secrets.token_bytes(32)) for _ in range(effort.requests)]
            timings.append(site.load.send(site.signed_posts("/v1/releases", wanted)))
            references.append(time_calls(lambda: hpke_seal(public_key, b"info", private_key), effort.slice_seconds))
    return [row_of("key release over HTTPS, with its leaf", timings, "HPKE seal alone", references)]
