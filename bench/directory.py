"""Directory look-ups, beside the same web server answering a constant of the same size."""

import itertools

from cryptography.hazmat.primitives.serialization import Encoding

from bench.constant import constant_server
from bench.load import request_bytes
from bench.measure import Effort, Row, row_of
from bench.people import make_user, p256_key
from bench.site import DOMAIN, running_site
from sealwright.server.wiring import Services

_REFERENCE = "the same web server, a constant"


def measure(effort: Effort) -> list[Row]:
    """Look addresses up: each once, and the same few again and again."""
    certificate = make_user("reader", p256_key()).certificate.public_bytes(Encoding.DER)
    known = effort.requests * effort.slices * 2

    def publish(services: Services) -> None:
        with services.storage.transaction(services.organization_id) as tx:
            for number in range(known):
                address = f"reader{number}@{DOMAIN}"
                services.directory.publish(tx, services.organization_id, address, certificate, (certificate,))

    cold, warm, constant = [], [], []
    numbers = itertools.count()
    with running_site(1, publish) as site, constant_server(site.data, site.anchor, len(certificate) * 3) as reference:
        for _ in range(effort.slices):
            fresh = [_look_up(site.port, f"reader{next(numbers)}@{DOMAIN}") for _ in range(effort.requests * 2)]
            cold.append(site.load.send(fresh))
            few = [_look_up(site.port, f"reader{number % 10}@{DOMAIN}") for number in range(effort.requests * 2)]
            warm.append(site.load.send(few))
            constant.append(
                reference.send([request_bytes("GET", reference.port, "/", {}) for _ in range(effort.requests * 2)])
            )
    return [
        row_of("directory look-up, new to this server", cold, _REFERENCE, constant),
        row_of("directory look-up, asked before", warm, _REFERENCE, constant),
    ]


def _look_up(port: int, address: str) -> bytes:
    return request_bytes("GET", port, f"/v1/directory/certificates?address={address.replace('@', '%40')}", {})
