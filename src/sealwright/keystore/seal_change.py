"""A change of the seal: another root wrapping key, kept in another way if wanted, or another emergency key.

Before the commit nothing of it is in the seal file; after it nothing of the old key is needed.
"""

import secrets
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509

from sealwright.cms.enveloped import encrypt
from sealwright.errors import ConfigurationError, ConflictError, InputError, SealedError
from sealwright.files import replace_file
from sealwright.keystore.hsm import ask_hsm
from sealwright.keystore.key_file import new_root_key, next_key_file, read_root_key
from sealwright.keystore.seal import Seal, new_emergency_key
from sealwright.keystore.seal_file import (
    EmergencyKey,
    HsmRoot,
    KeyFileRoot,
    Root,
    SealFile,
    SharedRoot,
    ShareSet,
    split_secret,
)
from sealwright.keystore.seal_options import Hsm, SealOptions
from sealwright.keystore.shares import Share, encode_share
from sealwright.wire.hpke import check_hpke_public_key, hpke_seal
from sealwright.wire.seal import NEW_SHARES_INFO, NewShare, SealChange, SealTarget

HSM_KEY_ID_BYTES = 16
MIN_OPERATORS = 2
TOO_FEW_OPERATORS = "operator shares open a seal together: the threshold is at least 2"


class PendingChange:
    """A change that is under way.

    Args:
        target: What it leads to.
        seal: The seal file as it is.
        options: Where root wrapping keys are kept.
        pin: Of the HSM.
        reply_key: HPKE public key that new shares are sealed to.
        certificates: DER, one for each new share; or none.
        proposal_id: That permitted it.

    Raises:
        InputError: If the target cannot be, or the certificates do not fit.
        ConfigurationError: If shares and threshold do not fit, or the settings name no HSM.
        DecodingError: If the reply key is none.
    """

    def __init__(
        self,
        target: SealTarget,
        seal: SealFile,
        options: SealOptions,
        pin: str,
        *,
        reply_key: bytes,
        certificates: tuple[bytes, ...],
        proposal_id: str,
    ) -> None:
        _check_target(target, seal, certificates)
        check_hpke_public_key(reply_key)
        if target.kind == "pkcs11" and options.hsm is None:
            raise ConfigurationError("[seal] pkcs11_module and pkcs11_token name no HSM: set them and start again")
        if target.kind == "pkcs11" and target.part == "root" and not pin:
            raise ConfigurationError("[seal] pkcs11_pin_file: a change needs it; it can be taken out again afterwards")
        self._target, self._old, self._pin = target, seal, pin
        self._hsm, self._key_file = options.hsm, Path(options.key_file)
        self._reply_key, self._proposal_id = reply_key, proposal_id
        try:
            self._certificates = [x509.load_der_x509_certificate(each) for each in certificates]
        except ValueError as error:
            raise InputError("one of the certificates cannot be read") from error
        self._permits = seal.root.shares if isinstance(seal.root, SharedRoot) else None
        self._permitted: dict[int, Share] = {}
        self._confirmed: set[int] = set()
        self._new_shares: tuple[NewShare, ...] | None = None
        self._new_set: ShareSet | None = None
        self._root: Root | None = None
        self._root_key: bytes | None = None
        self._emergency: EmergencyKey | None = None
        if self._permits is None:
            self._prepare()

    @property
    def state(self) -> Literal["permitting", "confirming", "ready"]:
        """How far it is."""
        if self._root is None and self._emergency is None:
            return "permitting"
        return "ready" if self._new_set is None or len(self._confirmed) == len(self._new_set.digests) else "confirming"

    def status(self) -> SealChange:
        """Return what people are shown."""
        return SealChange(
            target=self._target,
            state=self.state,
            permitted=tuple(sorted(self._permitted)),
            needed=self._permits.threshold if self._permits else 0,
            confirmed=tuple(sorted(self._confirmed)),
        )

    def enter(self, share: Share) -> bool:
        """Take a share: a new one to confirm it, a present one to permit the change; return whether it is one of them.

        Raises:
            ConflictError: If the change was permitted before.
        """
        if self._new_set is not None and self._new_set.has(share):
            self._confirmed.add(share.x)
            return True
        if self._permits is None or not self._permits.has(share):
            return False
        if self.state != "permitting":
            raise ConflictError("the change is permitted already: now each new share is entered once")
        self._permitted[share.x] = share
        if len(self._permitted) >= self._permits.threshold:
            self._prepare()
        return True

    def take_shares(self) -> bytes:
        """Return the new shares, HPKE-sealed to the reply key, once.

        Raises:
            ConflictError: If there are none, or they were taken.
        """
        if self._new_shares is None:
            raise ConflictError("there are no new shares to take: not yet, or they were taken")
        sealed = hpke_seal(self._reply_key, NEW_SHARES_INFO, msgspec.json.encode(self._new_shares))
        self._new_shares = None
        return sealed

    def commit(self, seal: Seal) -> Seal:
        """Write the seal file anew and return the changed seal.

        Raises:
            ConflictError: If it is not ready.
            SealedError: If it cannot be written; then nothing was changed.
        """
        if self.state != "ready":
            raise ConflictError("the change of the seal is not ready")
        try:
            return seal.change(
                proposal_id=self._proposal_id, root=self._root, root_key=self._root_key, emergency=self._emergency
            )
        except OSError as error:
            raise SealedError(f"the seal cannot be written: {error.strerror}") from error

    def destroy_old(self) -> None:
        """Destroy the old root wrapping key after the commit.

        Raises:
            SealedError: If the HSM refuses.
            OSError: If a file cannot be renamed or removed.
        """
        old = self._old.root
        if self._root is None:
            return
        if isinstance(self._root, KeyFileRoot):
            assert self._root_key is not None
            replace_file(self._key_file, self._root_key)
            next_key_file(self._key_file).unlink(missing_ok=True)
        elif isinstance(old, KeyFileRoot):
            self._key_file.unlink(missing_ok=True)
        if isinstance(old, HsmRoot) and self._hsm is not None:
            ask_hsm(self._hsm, self._pin, "destroy", old.key_id)

    def abandon(self) -> None:
        """Remove what was prepared."""
        if isinstance(self._root, KeyFileRoot):
            next_key_file(self._key_file).unlink(missing_ok=True)
        elif isinstance(self._root, HsmRoot) and self._hsm is not None:
            ask_hsm(self._hsm, self._pin, "destroy", self._root.key_id)

    def _prepare(self) -> None:
        target = self._target
        # 1 New shares: nothing is changed before all of them were entered.
        if target.part == "emergency":
            self._emergency, made = new_emergency_key(target.shares, target.threshold)
            self._take_over(self._emergency.shares, made)
            return
        if target.kind == "shamir":
            self._root_key = new_root_key()
            share_set, made = split_secret("operator", self._root_key, target.shares, target.threshold)
            self._take_over(share_set, made)
            self._root = SharedRoot(share_set)
        # 2 A new key file beside the old one, read back.
        elif target.kind == "key-file":
            following = next_key_file(self._key_file)
            replace_file(following, new_root_key())
            self._root_key, self._root = read_root_key(following), KeyFileRoot()
        # 3 A new key in the HSM, asked to unwrap what it wrapped.
        else:
            self._root_key = new_root_key()
            self._root = wrap_in_hsm(self._hsm, self._pin, self._root_key)

    def _take_over(self, share_set: ShareSet, made: list[Share]) -> None:
        self._new_set = share_set
        texts = [encode_share(share) for share in made]
        if not self._certificates:
            self._new_shares = tuple(NewShare(number=at, text=text) for at, text in enumerate(texts, 1))
            return
        self._new_shares = tuple(
            NewShare(number=at, message=encrypt(text.encode("ascii") + b"\n", [certificate]))
            for at, (text, certificate) in enumerate(zip(texts, self._certificates, strict=True), 1)
        )


def wrap_in_hsm(hsm: Hsm | None, pin: str, root_key: bytes) -> HsmRoot:
    """Make a key in the HSM and wrap a root wrapping key with it, proved by unwrapping.

    Raises:
        ConfigurationError: If there is no HSM, or its module cannot be loaded.
        SealedError: If the HSM refuses.
    """
    if hsm is None:
        raise ConfigurationError("no HSM is named")
    key_id = secrets.token_bytes(HSM_KEY_ID_BYTES)
    wrapped = ask_hsm(hsm, pin, "wrap", key_id, root_key)
    if ask_hsm(hsm, pin, "unwrap", key_id, wrapped) != root_key:
        raise SealedError("the HSM does not give back what it wrapped")
    return HsmRoot(key_id, wrapped)


def _check_target(target: SealTarget, seal: SealFile, certificates: tuple[bytes, ...]) -> None:
    has_shares = target.part == "emergency" or target.kind == "shamir"
    if target.part == "emergency" and target.kind != seal.kind:
        raise InputError("another emergency key leaves the seal's kind as it is")
    if not has_shares and (target.shares or target.threshold):
        raise InputError(f"a seal of kind {target.kind} has no operator shares")
    if certificates and len(certificates) != target.shares:
        raise InputError(
            f"there are {target.shares} new shares and {len(certificates)} certificates to encrypt them to"
        )
    if target.kind == "shamir" and target.part == "root" and target.threshold < MIN_OPERATORS:
        raise InputError(TOO_FEW_OPERATORS)
