"""Two signers, a content, and the report on a message that one of them signed."""

from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import ec_key, rsa_key, self_signed
from support.forged import Forged

from sealwright.cms import signed
from sealwright.cms.signers import PrivateKeySigner

CONTENT = b"Content-Type: text/plain\r\n\r\nfor Bob alone\r\n"
EC, RSA = ec_key(), rsa_key()
ALICE = PrivateKeySigner(self_signed(EC, "alice"), EC)
BOB = PrivateKeySigner(self_signed(RSA, "bob"), RSA)
DER = ALICE.certificate.public_bytes(Encoding.DER)
UNKNOWN = "1.3.6.1.4.1.99999.1"
NULL = b"\x05\x00"


def only(message, content=None, **options):
    """Return the report of the one signer."""
    (report,) = signed.examine(message, content, **options).signers
    assert report.is_intact is not bool(report.problem)
    assert bool(report.reason) is bool(report.problem)
    return report


def problem(attributes, **changes):
    """Return what is wrong with a message of Alice's that has these signed attributes."""
    return only(Forged(ALICE, CONTENT, attributes, **changes).message()).problem
