"""The state of the server, for the operator's command line and the console."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

import sealwright
from sealwright.ca.model import ISSUERS
from sealwright.console.model import Expiry, ServerState
from sealwright.errors import SealwrightError
from sealwright.outbox.queue import count_waiting
from sealwright.tlog.checkpoint import open_note
from sealwright.wire.operator import ServerStatus

if TYPE_CHECKING:
    from sealwright.server.wiring import Services

ISSUER_NAMES = {
    "root": "Root certificate",
    "signing": "Issuer of signing certificates",
    "encryption": "Issuer of encryption certificates",
    "tls": "Issuer of server certificates",
}


def read_status(services: "Services") -> ServerStatus:
    """Return the numbers."""
    organization_id, organization = services.organization_id, services.settings.organization
    people = services.people.list_people(organization_id)
    with services.storage.read(organization_id) as tx:
        waiting = count_waiting(tx)
    statement = services.statement_content
    note = services.audit.checkpoint(organization_id)
    return ServerStatus(
        organization_name=organization.name,
        domain=organization.domain,
        version=sealwright.__version__,
        state="open",
        people=sum(person.state == "active" for person in people.people),
        pool_ready=services.keys.pool_ready(organization_id),
        log_size=open_note(note, statement.log_origin, statement.log_key).size,
        outbox_pending=waiting,
        failing_keys=len(services.keys.upkeep.failing(organization_id)),
    )


def read_state(services: "Services") -> ServerState:
    """Return the numbers, what is not ready, and when certificates end."""
    failures = {}
    for name, check in services.readiness.checks.items():
        try:
            check()
        except SealwrightError as error:
            failures[name] = error.message
    expiries = [
        Expiry("This server's TLS certificate", _end_of_file(services.settings.tls_certificate)),
        Expiry("Delegation of the statement key", services.statements.delegation_ends()),
    ]
    for issuer in ISSUERS:
        certificate = services.authority.issuer_certificate(services.organization_id, issuer)
        end = x509.load_der_x509_certificate(certificate).not_valid_after_utc
        expiries.append(Expiry(ISSUER_NAMES[issuer], end))
    expiries.sort(key=lambda expiry: expiry.not_after)
    return ServerState(read_status(services), failures, tuple(expiries))


def _end_of_file(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
