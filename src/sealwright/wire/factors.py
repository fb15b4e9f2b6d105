"""What a device shows beyond its mailbox (release levels 2 to 4): messages, and the bytes that both sides compute.

Passwords, enrolment secrets and ID tokens travel as HPKE ciphertext to the keystore's key (`wire.key_import`), bound to the
device that shows them. What serves the request passes them on, and can neither read them nor use them for a device of its own.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from sealwright.errors import DecodingError, InputError
from sealwright.wire.api import Answer, Request
from sealwright.wire.encoding import AwareDatetime, b64u_encode, decode_fields, encode_fields, sha256

MIN_PASSWORD_CHARACTERS = 10
"""Online guessing is limited (`keystore.guesses`), so the length need only keep out what everybody tries first."""
MAX_PASSWORD_CHARACTERS = 256
VERIFIER_BYTES = 32
_ITERATIONS, _MEMORY_KIB, _LANES = 3, 64 * 1024, 4
"""RFC 9106 section 4, second recommended option."""
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1: people type secrets from paper."""
SECRET_LENGTH = 20
"""Of 32 characters each: 100 bits."""
APPROVAL_MINUTES = 15


class AccessAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/access: where the asking device stands.

    Attributes:
        level: 1 to 4, what it has proved.
        needed: 1 to 4, what the release policy of its mailbox asks for.
        has_password: Whether the mailbox has a protection password.
        organization_id: 32 hex digits.
        public_key: What factors are sealed to, HPKE, 1,216 octets.
        signature: Ed25519 by the release key over `wire.key_import.import_key_input`.
        sign_on: The organization's OIDC issuer, None without one.
    """

    level: int
    needed: int
    has_password: bool
    organization_id: str
    public_key: bytes
    signature: bytes
    sign_on: "SignOnView | None" = None


class SignOnView(Answer, frozen=True, kw_only=True):
    """Where people sign on: OpenID Connect Discovery's issuer, and this program's client id there."""

    issuer: str
    client_id: str
    device_flow: bool


class FactorRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/access/{password, new-password, secret, sign-on}: answers AccessAnswer.

    Attributes:
        sealed: `hpke_seal(keystore's key, factor_info(...), what the kind says)`.
    """

    sealed: bytes


class WaitingDevice(Answer, frozen=True, kw_only=True):
    """A device of the mailbox that asks for an approval.

    Attributes:
        device_id: 32 hex digits.
        name: As its owner calls it.
        thumbprint: 32 octets; what people compare.
        expires: After that it has to ask again.
        mailbox_id: Whose it is; another's for administrators.
    """

    device_id: str
    name: str
    thumbprint: bytes
    expires: AwareDatetime
    mailbox_id: str


class WaitingDevices(Answer, frozen=True, kw_only=True):
    """GET /v1/access/approvals. POST there asks for the asking device's own, and answers AccessAnswer."""

    devices: tuple[WaitingDevice, ...]


class ApprovalRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/access/approvals/{device_id}: 204.

    Attributes:
        signed_at: By the approving device's clock.
        signature: ECDSA P-256 with SHA-256 (DER) by its authentication key over `DeviceApproval.encode`.
    """

    signed_at: AwareDatetime
    signature: bytes


@dataclass(frozen=True, slots=True)
class DeviceApproval:
    """What a device signs to let another one in.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits, of the new device.
        device_id: Of the new device.
        thumbprint: Of the new device, 32 octets.
        approver: Thumbprint of the device that signs.
        signed_at: Aware; valid for `APPROVAL_MINUTES`.
    """

    organization_id: str
    mailbox_id: str
    device_id: str
    thumbprint: bytes
    approver: bytes
    signed_at: datetime

    def encode(self) -> bytes:
        """Return what is signed."""
        names = (self.organization_id, self.mailbox_id, self.device_id, self.signed_at.isoformat())
        fields = (name.encode("ascii") for name in names)
        return encode_fields("sealwright device approval", 1, *fields, self.thumbprint, self.approver)


def factor_info(organization_id: str, mailbox_id: str, device_thumbprint: bytes, kind: str) -> bytes:
    """Return the HPKE `info` of a sealed factor: of one kind, for one device of one mailbox."""
    names = (organization_id, mailbox_id, kind)
    return encode_fields("sealwright factor", 1, *(name.encode("ascii") for name in names), device_thumbprint)


def password_verifier(organization_id: str, address: str, password: str) -> bytes:
    """Derive what stands for a protection password: Argon2id, salted with organization and address; 32 octets, 0.1 s or more.

    Raises:
        InputError: If the password has fewer than `MIN_PASSWORD_CHARACTERS`, or more than `MAX_PASSWORD_CHARACTERS`.
    """
    text = unicodedata.normalize("NFC", password)
    if not MIN_PASSWORD_CHARACTERS <= len(text) <= MAX_PASSWORD_CHARACTERS:
        raise InputError(f"a protection password has {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters")
    salt = sha256(
        encode_fields("sealwright protection password", 1, organization_id.encode("ascii"), address.encode("utf-8"))
    )
    derivation = Argon2id(
        salt=salt, length=VERIFIER_BYTES, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB
    )
    return derivation.derive(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, repr=False)
class NewPassword:
    """What a new protection password comes with; exactly one of `old` and `secret`, or none after the sign-on.

    Attributes:
        verifier: `password_verifier` of the new one.
        old: Of the old one, or empty.
        secret: Enrolment secret, or empty.
    """

    verifier: bytes
    old: bytes = b""
    secret: str = ""

    def encode(self) -> bytes:
        """Return what is sealed."""
        return encode_fields("sealwright new password", 1, self.verifier, self.old, self.secret.encode("ascii"))

    @classmethod
    def decode(cls, encoded: bytes) -> "NewPassword":
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is something else.
        """
        try:
            verifier, old, secret = decode_fields("sealwright new password", 1, encoded)
            made = cls(verifier, old, secret.decode("ascii"))
        except ValueError as error:
            raise DecodingError("not a new protection password") from error
        if len(verifier) != VERIFIER_BYTES or len(old) not in (0, VERIFIER_BYTES):
            raise DecodingError("not a new protection password")
        return made


def normal_secret(text: str) -> str:
    """Return an enrolment secret as it is compared: upper case, without spaces and hyphens.

    Raises:
        InputError: If it cannot be one; says what to look at.
    """
    secret = "".join(text.upper().split()).replace("-", "")
    if len(secret) != SECRET_LENGTH or not set(secret) <= set(LETTERS):
        raise InputError("an enrolment secret has 20 letters and digits in five groups; it holds no I, O, 0 or 1")
    return secret


def sign_on_nonce(organization_id: str, mailbox_id: str, device_id: str, device_thumbprint: bytes) -> str:
    """Return the nonce of the OIDC request: an ID token with it is for this device of this enrolment alone."""
    names = (organization_id, mailbox_id, device_id)
    said = encode_fields("sealwright sign-on", 1, *(name.encode("ascii") for name in names), device_thumbprint)
    return b64u_encode(sha256(said))
