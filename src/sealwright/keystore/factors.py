"""The factors of release levels 2 to 4, checked where the web process cannot answer for them.

A device comes here with its credential, which is its mailbox proof, and shows one more thing; what comes back is a
credential of a higher level. Nothing here opens a key.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from sealwright.errors import (
    AuthenticationError,
    ConflictError,
    DecodingError,
    DecryptionError,
    InputError,
    PermissionDeniedError,
    SealwrightError,
)
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.guesses import GuessLimit
from sealwright.keystore.model import (
    DeviceCredential,
    FactorEvidence,
    Qualified,
    RecordIdentity,
    SealedRecord,
    VouchedRow,
)
from sealwright.keystore.sign_on import SIGN_ON, SignOn, check_id_token
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.wire.encoding import decode_fields, encode_fields, sha256
from sealwright.wire.factors import (
    APPROVAL_MINUTES,
    LETTERS,
    SECRET_LENGTH,
    DeviceApproval,
    NewPassword,
    factor_info,
    normal_secret,
    sign_on_nonce,
)
from sealwright.wire.roles import ADMINISTRATOR, SECURITY_OFFICER

PASSWORD, SECRET = "password", "enrolment-secret"
PASSWORD_LEVEL, APPROVAL_LEVEL, SIGN_ON_LEVEL = 2, 3, 4
MAX_SECRET_LIFE = timedelta(days=30)
SKEW = timedelta(minutes=2)
"""What the clock of an approving device may be ahead."""
_ITERATIONS, _MEMORY_KIB, _LANES = 3, 64 * 1024, 4
"""Recorded with each password, so that they can grow (RFC 9106 section 4, second recommended option)."""
_REFUSED = "the enrolment secret is not right, was used or has expired; ask your administrator for a new one"

SealRecord = Callable[[RecordIdentity, str, bytes], SealedRecord]
OpenRecord = Callable[[SealedRecord], bytes]
OpenSealed = Callable[[str, bytes, bytes], bytes]
"""(organization_id, info, sealed) -> what was sealed to the keystore's key."""
RolesOf = Callable[[VouchedRow], tuple[str, ...]]


class Factors:
    """Checks factors.

    Args:
        access: Raises levels.
        vouching: MACs of this keystore.
        versions: What was used, and the newest password of each mailbox.
        guesses: Limits them.
        seal_record: Seals a password's hash.
        open_record: Opens it again.
        open_sealed: Opens what a device sealed to the keystore's key.
        roles_of: Checks a row of kind "role" and returns what it names.
    """

    def __init__(
        self,
        access: DeviceAccess,
        vouching: Vouching,
        versions: Versions,
        guesses: GuessLimit,
        *,
        seal_record: SealRecord,
        open_record: OpenRecord,
        open_sealed: OpenSealed,
        roles_of: RolesOf,
    ) -> None:
        self._access, self._vouching, self._versions, self._guesses = access, vouching, versions, guesses
        self._seal_record, self._open_record, self._open_sealed = seal_record, open_record, open_sealed
        self._roles_of = roles_of

    def qualify(self, credential: DeviceCredential, evidence: FactorEvidence, now: datetime) -> Qualified:
        """Check a factor and raise the device's level.

        Args:
            credential: The device; what it proved so far.
            evidence: The factor.
            now: By the keystore's own clock.

        Raises:
            AuthenticationError: If password, secret or sign-on is not right.
            RateLimitedError: If passwords were guessed too often.
            PermissionDeniedError: If the device is not active, or the factor is not for it.
        """
        # 1 No factor is looked at before the mailbox was proved: the credential says so.
        self._access.check_active(credential)
        # 2 The factor.
        match evidence.kind:
            case "password":
                self._check_password(credential, self._sealed(credential, evidence), evidence.password, now)
                return Qualified(self._access.raise_level(credential, PASSWORD_LEVEL))
            case "new-password":
                return self._set_password(credential, evidence, now)
            case "secret":
                self._use_secret(credential, self._sealed(credential, evidence), evidence.secret, now)
                return Qualified(self._access.raise_level(credential, APPROVAL_LEVEL))
            case "approval":
                self._check_approval(credential, evidence, now)
                return Qualified(self._access.raise_level(credential, APPROVAL_LEVEL))
            case "sign-on":
                self._check_sign_on(credential, self._sealed(credential, evidence), evidence.sign_on, now)
                return Qualified(self._access.raise_level(credential, SIGN_ON_LEVEL))
            case _:
                raise InputError("there is no such factor")

    def make_secret(
        self, organization_id: str, mailbox_id: str, expires: datetime, now: datetime
    ) -> tuple[str, VouchedRow]:
        """Make an enrolment secret: one use, for one mailbox, in place of an earlier one; only its hash is kept.

        Raises:
            InputError: If it would be valid for more than `MAX_SECRET_LIFE`, or not at all.
        """
        if not now < expires <= now + MAX_SECRET_LIFE:
            raise InputError("an enrolment secret is valid for at most 30 days")
        secret = "".join(secrets.choice(LETTERS) for _ in range(SECRET_LENGTH))
        hashed = sha256(secret.encode("ascii"))
        content = encode_fields("sealwright enrolment secret", 1, hashed, expires.isoformat().encode("ascii"))
        name = RowName(SECRET, organization_id, mailbox_id)
        version = self._versions.advance(name, self._versions.newest(name).version, sha256(content))
        return secret, self._vouching.vouch_row(VouchedRow(SECRET, organization_id, mailbox_id, version, content, b""))

    def has_password(self, organization_id: str, mailbox_id: str) -> bool:
        """Tell whether a mailbox has a protection password, whatever the database says."""
        return self._versions.newest(RowName(PASSWORD, organization_id, mailbox_id)).version > 0

    def _sealed(self, credential: DeviceCredential, evidence: FactorEvidence) -> bytes:
        own = (credential.organization_id, credential.mailbox_id, credential.device.thumbprint())
        try:
            return self._open_sealed(credential.organization_id, factor_info(*own, evidence.kind), evidence.sealed)
        except (DecryptionError, DecodingError) as error:
            raise AuthenticationError("the factor was sealed for another device or another keystore") from error

    def _check_password(
        self, credential: DeviceCredential, verifier: bytes, record: SealedRecord | None, now: datetime
    ) -> None:
        # a The guess counts, durably, before it is looked at.
        organization_id, mailbox_id = credential.organization_id, credential.mailbox_id
        self._guesses.count(organization_id, mailbox_id, now)
        # b The record is the newest password of this mailbox.
        newest = self._versions.newest(RowName(PASSWORD, organization_id, mailbox_id))
        if not newest.version:
            raise PermissionDeniedError(
                "the mailbox has no protection password yet: it is set with an enrolment secret"
            )
        if record is None or record.identity.record_id.encode("ascii") != newest.content:
            raise PermissionDeniedError("the protection password's record is an old one, or is missing")
        identity = record.identity
        if (identity.kind, identity.organization_id, identity.owner) != (PASSWORD, organization_id, mailbox_id):
            raise PermissionDeniedError("the protection password is of another mailbox")
        # c Argon2id once more, as recorded.
        parameters, salt, right = decode_fields("sealwright password", 1, self._open_record(record))
        iterations, memory_kib, lanes = (int(number) for number in parameters.split(b","))
        derivation = Argon2id(salt=salt, length=len(right), iterations=iterations, lanes=lanes, memory_cost=memory_kib)
        if not hmac.compare_digest(derivation.derive(verifier), right):
            raise AuthenticationError("the protection password is not right")
        self._guesses.clear(organization_id, mailbox_id)

    def _set_password(self, credential: DeviceCredential, evidence: FactorEvidence, now: datetime) -> Qualified:
        wanted = NewPassword.decode(self._sealed(credential, evidence))
        # a Who sets it has the old one, an enrolment secret, or has signed on.
        if wanted.secret:
            self._use_secret(credential, wanted.secret.encode("ascii"), evidence.secret, now)
        elif wanted.old:
            self._check_password(credential, wanted.old, evidence.password, now)
        elif credential.level < SIGN_ON_LEVEL:
            raise PermissionDeniedError("a protection password is set with the old one or with an enrolment secret")
        # b Its hash is sealed, and is the newest from now on.
        organization_id, mailbox_id = credential.organization_id, credential.mailbox_id
        salt = secrets.token_bytes(16)
        derivation = Argon2id(salt=salt, length=32, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB)
        parameters = f"{_ITERATIONS},{_MEMORY_KIB},{_LANES}".encode("ascii")
        content = encode_fields("sealwright password", 1, parameters, salt, derivation.derive(wanted.verifier))
        identity = RecordIdentity(PASSWORD, organization_id, secrets.token_hex(16), mailbox_id)
        record = self._seal_record(identity, PASSWORD, content)
        name = RowName(PASSWORD, organization_id, mailbox_id)
        self._versions.advance(name, self._versions.newest(name).version, identity.record_id.encode("ascii"))
        self._guesses.clear(organization_id, mailbox_id)
        return Qualified(self._access.raise_level(credential, PASSWORD_LEVEL), record)

    def _use_secret(self, credential: DeviceCredential, shown: bytes, row: VouchedRow | None, now: datetime) -> None:
        # a The row is this keystore's, of this mailbox, and in time.
        if row is None:
            raise AuthenticationError(_REFUSED)
        self._vouching.check_row(row)
        own = (SECRET, credential.organization_id, credential.mailbox_id)
        if (row.kind, row.organization_id, row.row_id) != own:
            raise PermissionDeniedError("the enrolment secret is of another mailbox")
        hashed, expires = decode_fields("sealwright enrolment secret", 1, row.content)
        try:
            secret = normal_secret(shown.decode("ascii"))
        except (ValueError, InputError) as error:
            raise AuthenticationError(_REFUSED) from error
        is_right = hmac.compare_digest(sha256(secret.encode("ascii")), hashed)
        if not is_right or now > datetime.fromisoformat(expires.decode("ascii")):
            raise AuthenticationError(_REFUSED)
        # b It is used up before anything comes of it; the same device in the same state may have lost the answer.
        password = self._versions.newest(RowName(PASSWORD, credential.organization_id, credential.mailbox_id)).version
        state = f"{credential.version} {password}".encode("ascii")
        used = sha256(encode_fields("sealwright used secret", 1, credential.device.thumbprint(), state))
        try:
            self._versions.advance(RowName(*own), row.version, used)
        except ConflictError as error:
            raise AuthenticationError(_REFUSED) from error

    def _check_may_approve(self, approver: DeviceCredential, role: VouchedRow | None) -> None:
        if role is None or (role.organization_id, role.row_id) != (approver.organization_id, approver.mailbox_id):
            raise PermissionDeniedError("the approving device is of another mailbox")
        if not {ADMINISTRATOR, SECURITY_OFFICER} & set(self._roles_of(role)):
            raise PermissionDeniedError("the approving person is no administrator")

    def _check_sign_on(self, credential: DeviceCredential, token: bytes, row: VouchedRow | None, now: datetime) -> None:
        if row is None:
            raise PermissionDeniedError("the organization has no sign-on")
        # a The issuer is the organization's, as it is now.
        organization_id, thumbprint = credential.organization_id, credential.device.thumbprint()
        self._vouching.check_row(row)
        if (row.kind, row.organization_id, row.row_id) != (SIGN_ON, organization_id, organization_id):
            raise PermissionDeniedError("the sign-on is of another organization")
        self._versions.check(RowName(SIGN_ON, organization_id, organization_id), row.version)
        # b The token is for this device; without a nonce it counts once, for the device that brought it.
        nonce = sign_on_nonce(organization_id, credential.mailbox_id, credential.device_id, thumbprint)
        has_nonce = check_id_token(token, SignOn.decode(row.content), nonce=nonce, address=credential.address, now=now)
        if not has_nonce:
            name = RowName("id-token", organization_id, sha256(token).hex())
            try:
                self._versions.advance(name, 0, thumbprint)
            except ConflictError as error:
                raise AuthenticationError("the sign-on was used by another device") from error

    def _check_approval(self, credential: DeviceCredential, evidence: FactorEvidence, now: datetime) -> None:
        approver, signed_at = evidence.approver, evidence.signed_at
        if approver is None or signed_at is None:
            raise PermissionDeniedError("nobody approved the device")
        # a Who signs is another active device, of the same mailbox or of an administrator, that was let in like this itself.
        self._access.check_device(approver)
        if approver.state != "active" or approver.device_id == credential.device_id:
            raise PermissionDeniedError("the approving device is not active, or is the same one")
        if approver.organization_id != credential.organization_id:
            raise PermissionDeniedError("the approving device is of another organization")
        if approver.mailbox_id != credential.mailbox_id:
            self._check_may_approve(approver, evidence.role)
        if approver.level < APPROVAL_LEVEL:
            raise PermissionDeniedError("the approving device was never approved itself")
        # b It signed just now.
        if not now - timedelta(minutes=APPROVAL_MINUTES) <= signed_at <= now + SKEW:
            raise PermissionDeniedError("the approval is too old, or the approving device's clock is wrong")
        # c This device, and nothing else.
        approval = DeviceApproval(
            organization_id=credential.organization_id,
            mailbox_id=credential.mailbox_id,
            device_id=credential.device_id,
            thumbprint=credential.device.thumbprint(),
            approver=approver.device.thumbprint(),
            signed_at=signed_at,
        )
        try:
            key = approver.device.load_authentication_key()
            key.verify(evidence.signature, approval.encode(), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, SealwrightError) as error:
            raise PermissionDeniedError("the approval is not signed by the approving device") from error
