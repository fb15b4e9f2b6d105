"""What a device remembers about one mailbox: plain values, sealed as one document by `client.store`."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from sealwright.wire.api import AccessToken, EnrolmentAnswer
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.manifest import KeyState
from sealwright.wire.statement import Invitation, SignedStatement

HeaderPolicyName = Literal["baseline", "shy", "no-confidentiality"]


class _Secret(Struct, frozen=True, kw_only=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class DeviceKeys(_Secret, frozen=True, kw_only=True):
    """The two key pairs of this device.

    Attributes:
        authentication_key_pkcs8: P-256, PKCS#8 DER.
        hpke_private_key: 96 octets.
        public: What the server gets.
    """

    authentication_key_pkcs8: bytes
    hpke_private_key: bytes
    public: DevicePublicKeys


class MailboxKey(_Secret, frozen=True, kw_only=True):
    """One generation of the mailbox's encryption key.

    Attributes:
        key_id: 32 hex digits.
        slot: "classical" or "kem".
        generation: 1, 2, 3 ...; 0 for an imported key.
        state: Key state when it was last released.
        algorithm: Name such as "rsa-3072".
        private_key_pkcs8: Unencrypted PKCS#8 DER; empty where the key stays in the key management, is suspended or destroyed.
        certificates: DER, newest first; older ones stay, because old mail names them.
        chain: DER, of the newest certificate, up to but without the root.
    """

    key_id: str
    slot: str
    generation: int
    state: KeyState
    algorithm: str
    private_key_pkcs8: bytes
    certificates: tuple[bytes, ...] = ()
    chain: tuple[bytes, ...] = ()


class RecoveredHistory(_Secret, frozen=True, kw_only=True):
    """The key history of somebody else's mailbox, recovered with the approval of officers.

    Attributes:
        proposal_id: What was approved, 32 hex digits.
        address: Whose.
        keys: As released then.
    """

    proposal_id: str
    address: str
    keys: tuple[MailboxKey, ...]


class SigningKey(_Secret, frozen=True, kw_only=True):
    """This device's signing key; `certificate` is empty until the CA has answered."""

    private_key_pkcs8: bytes
    certificate: bytes = b""
    chain: tuple[bytes, ...] = ()


class RunningEnrolment(_Secret, frozen=True, kw_only=True):
    """A mailbox challenge under way; `part1` is empty until the mail was read."""

    answer: EnrolmentAnswer
    proof_idempotency_key: str
    part1: bytes = b""


class Enrolled(Struct, frozen=True, kw_only=True):
    """Who this device is after a right proof."""

    organization_id: str
    mailbox_id: str
    device_id: str
    display_name: str


class Notice(Struct, frozen=True, kw_only=True):
    """A notice of the sync feed that was read."""

    kind: str
    time: datetime
    subject: str
    thumbprint: bytes
    shown: bool = False


class KnownProgram(Struct, frozen=True, kw_only=True):
    """What one device of a correspondent can read; see `client.capabilities`.

    Attributes:
        address: Canonical addr-spec.
        signer_sha256: Of the device's signing certificate.
        signing_time: Of the newest message that said so.
        capabilities: SMIMECapabilities DER.
        reads_protected_headers: That message had them.
    """

    address: str
    signer_sha256: bytes
    signing_time: datetime
    capabilities: bytes
    reads_protected_headers: bool = False


class SendOptions(Struct, frozen=True, kw_only=True):
    """How a mail is sent.

    Attributes:
        header_policy: What others see of its header; a name of `smime.header_protection.POLICIES`.
        must_encrypt: Hold it rather than let an administrator's rule send it in clear: it holds what was encrypted before.
        file_sent: Put the sender's own copy into the folder for sent mail; None for what the organization's setting says.
    """

    header_policy: HeaderPolicyName = "baseline"
    must_encrypt: bool = False
    file_sent: bool | None = None


class HeldMail(_Secret, frozen=True, kw_only=True):
    """A message that was kept back, as it was to be sent.

    Attributes:
        message: RFC 5322.
        options: How it is sent.
        missing: Addresses that have not got it, where others have; empty for all.
    """

    message: bytes
    options: SendOptions = SendOptions()
    missing: tuple[str, ...] = ()


class SharedMailbox(_Secret, frozen=True, kw_only=True):
    """A shared mailbox that this device's owner is a member of; what `ClientState` holds of the own one.

    Attributes:
        mailbox_id: 32 hex digits.
        address: Canonical addr-spec.
        display_name: For people.
        mailbox_keys: All generations.
        signing_key: Of this device, for the shared address.
        chain_number: Of the newest record of the mailbox's chain that was verified.
        chain_head: Its commitment.
    """

    mailbox_id: str
    address: str
    display_name: str
    mailbox_keys: tuple[MailboxKey, ...] = ()
    signing_key: SigningKey | None = None
    chain_number: int = 0
    chain_head: bytes = b""


class ClientState(_Secret, frozen=True, kw_only=True):
    """Everything about one mailbox on this device.

    Attributes:
        address: Canonical addr-spec.
        device_name: As the owner calls the device.
        invitation: What makes the organization trusted.
        mail_password: For IMAP and submission.
        signed_statement: The newest one that was verified.
        statement_sequence: The highest ever seen.
        device_keys: Made in step 2 of set-up.
        enrolment: Step 3 under way.
        leftover_challenges: Ids and device fingerprints of answered challenges whose mails are still to be removed.
        enrolled: Step 3 done.
        token: Newest access token.
        mailbox_keys: Step 5 done once there is one; ordered by slot and generation.
        signing_key: Step 6.
        checkpoint: Newest signed note of the log that was verified.
        log_break: Number of the newest log break that was taken; 0 for none.
        chain_number: Of the newest record of the owner's chain that was verified.
        chain_head: Its commitment.
        sync_number: Newest item of the feed that was read.
        notices: What the feed said.
        programs: What correspondents can read.
        shared: Shared mailboxes that the owner is a member of.
        mail_account: Log-in of the mail servers, where it is not the address.
        recovered: Histories of other mailboxes, for `sealwright recovery decrypt` alone.
    """

    version: int = 1
    address: str
    device_name: str
    invitation: Invitation
    mail_password: str
    signed_statement: SignedStatement | None = None
    statement_sequence: int = 0
    device_keys: DeviceKeys | None = None
    enrolment: RunningEnrolment | None = None
    leftover_challenges: tuple[str, ...] = ()
    enrolled: Enrolled | None = None
    token: AccessToken | None = None
    mailbox_keys: tuple[MailboxKey, ...] = ()
    signing_key: SigningKey | None = None
    checkpoint: str = ""
    log_break: int = 0
    chain_number: int = 0
    chain_head: bytes = b""
    sync_number: int = 0
    notices: tuple[Notice, ...] = ()
    programs: tuple[KnownProgram, ...] = ()
    recovered: tuple[RecoveredHistory, ...] = ()
    shared: tuple[SharedMailbox, ...] = ()
    mail_account: str = ""

    @property
    def account(self) -> str:
        """Log-in of the mail servers, and sender of the envelope."""
        return self.mail_account or self.address

    @property
    def is_set_up(self) -> bool:
        """Whether the device can read and sign mail."""
        return bool(self.mailbox_keys) and self.signing_key is not None and bool(self.signing_key.certificate)
