"""POST /v1/certificates: a certificate for the asking device's signing key."""

from dataclasses import replace
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.errors import AuthenticationError, NotFoundError
from sealwright.identity.http import answer, authenticate, decode_request
from sealwright.server.wiring import Services
from sealwright.wire.api import CertificateAnswer, CertificateRequest


@post("/v1/certificates", sync_to_thread=True, status_code=200)
def issue_signing_certificate(
    request: Request[Any, Any, Any], body: RawBody, services: NamedDependency[Services]
) -> Response[bytes]:
    """Issue for the mailbox of the device; the same request gets the same certificate."""
    device = authenticate(request, services.tokens, state_changing=True, body=body)
    asked = decode_request(body, CertificateRequest)
    device = services.shared.acting(device, asked.mailbox_id)
    subject = services.subjects.subject(device.organization_id, device.mailbox_id)
    authority, organization_id, device_id = services.authority, device.organization_id, device.device_id
    issued = authority.issue_signing(organization_id, subject, asked.certification_request, device_id)
    try:
        services.shared.acting(replace(device, mailbox_id=device.owner_id), asked.mailbox_id)
        gone = services.devices.credential(organization_id, device_id).state != "active"
    except NotFoundError:
        gone = True
    if gone:  # removed, or no member any more, while it was issued
        authority.revoke_all(organization_id, device.mailbox_id, "cessationOfOperation", device_id)
        raise AuthenticationError("the device was removed, or its owner is no member any more")
    return answer(CertificateAnswer(certificate=issued.certificate, chain=issued.chain), services.tokens)
