"""How a certificate's subject was validated, by the reserved policies of the S/MIME Baseline Requirements."""

from typing import Literal

from cryptography import x509

from sealwright.pkix.extensions import UNDECODABLE

IdentityLevel = Literal[
    "mailbox-validated", "individual-validated", "organization-validated", "sponsor-validated", "unknown"
]

_PREFIX = "2.23.140.1.5."
_LEVELS: dict[str, IdentityLevel] = {
    "1": "mailbox-validated",
    "2": "organization-validated",
    "3": "sponsor-validated",
    "4": "individual-validated",
}


def identity_level(certificate: x509.Certificate) -> IdentityLevel:
    """Return the identity level of an end-entity certificate.

    "unknown" stands for no reserved policy, more than one level, or extensions that cannot be decoded. Whether the
    issuer may be believed is the path's matter, not this function's.
    """
    try:
        policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return "unknown"
    levels: set[IdentityLevel] = set()
    for policy in policies:
        oid = policy.policy_identifier.dotted_string
        if oid.startswith(_PREFIX):
            levels.add(_LEVELS.get(oid.removeprefix(_PREFIX).split(".")[0], "unknown"))
    return levels.pop() if len(levels) == 1 else "unknown"
