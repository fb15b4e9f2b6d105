"""A validated certification path, or why there is none, as one document for programs (docs/certificate-verify.md)."""

from datetime import datetime
from typing import Any

from sealwright.client.inspection import certificate_document
from sealwright.errors import PathValidationError
from sealwright.pkix.path import ValidPath
from sealwright.pkix.revocation import CertificateStatus


def path_document(path: ValidPath, purpose: str, at: datetime) -> dict[str, Any]:
    """Return the document of a valid path.

    Args:
        path: From `pkix.path.validate_path`.
        purpose: What was asked for.
        at: The time in question.
    """
    statuses = [*(_status(status) for status in path.statuses), _status(None)]
    return {
        "valid": True,
        "code": "",
        "reason": "",
        "purpose": purpose,
        "at": at.isoformat(),
        "path": [
            {**certificate_document(certificate), **status}
            for certificate, status in zip(path.certificates, statuses, strict=True)
        ],
        "valid_policies": sorted(path.valid_policies),
        "warnings": list(path.warnings),
    }


def refusal_document(error: PathValidationError, purpose: str, at: datetime) -> dict[str, Any]:
    """Return the same document where no path is valid: `path` is empty, `code` and `reason` say why."""
    return {
        "valid": False,
        "code": error.code,
        "reason": error.message,
        "purpose": purpose,
        "at": at.isoformat(),
        "path": [],
        "valid_policies": [],
        "warnings": [],
    }


def _status(status: CertificateStatus | None) -> dict[str, Any]:
    """Return what is known about a certificate; "anchor" for the one that is trusted as it is."""
    if status is None:
        return {"status": "anchor", "revocation_time": None, "revocation_reason": None}
    time = status.revocation_time.isoformat() if status.revocation_time is not None else None
    return {"status": status.state, "revocation_time": time, "revocation_reason": status.reason}
