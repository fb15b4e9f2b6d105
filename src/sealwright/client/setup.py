"""Setting up a device for one mailbox.

Each step is kept in the sealed store as soon as it is done, so that set-up can be killed anywhere and goes on where it
was. Numbers are those of the flow in the design.
"""

import platform as host_platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sealwright.client.access import Factors, meet_policy
from sealwright.client.context import ClientContext
from sealwright.client.discovery import discover
from sealwright.client.enrol import begin_enrolment, prove_mailbox, remove_leftover_challenges
from sealwright.client.key_delivery import ReleaseAttempt, fetch_keys
from sealwright.client.shared import refresh_shared
from sealwright.client.signing import certify_signing_key
from sealwright.client.state import ClientState, DeviceKeys
from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.clock import Clock
from sealwright.errors import ApprovalsMissingError, InputError, NotFoundError, UnavailableError
from sealwright.pkix.names import canonical_address
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.statement import Invitation

Progress = Callable[[str], None]
CHALLENGE_SECONDS = 180.0
RELEASE_TRIES = 30
RELEASE_WAIT_SECONDS = 2.0


def _nothing() -> str:
    raise ApprovalsMissingError("the release policy needs the protection password; run `sealwright setup` for it")


NO_FACTORS = Factors(password=_nothing, new_password=_nothing, approval_seconds=0.0)


@dataclass(frozen=True, slots=True)
class SetUp:
    """What set-up came to.

    Attributes:
        address: The mailbox.
        organization_name: For people.
        device_id: 32 hex digits.
        generations: Number of keys this device now holds.
        store_key: Where the store's key is: "keyring", "file" or "passphrase".
        fingerprint: The device's, hex.
    """

    address: str
    organization_name: str
    device_id: str
    generations: int
    store_key: str
    fingerprint: str


def set_up(
    home: Path,
    address: str,
    invitation: Invitation | None,
    mail_password: str | None,
    device_name: str,
    clock: Clock,
    progress: Progress,
    choice: KeyChoice | None = None,
    challenge_seconds: float = CHALLENGE_SECONDS,
    factors: Factors | None = None,
) -> SetUp:
    """Set up this device for a mailbox, or go on with a set-up that was interrupted.

    Args:
        home: Folder of all stores.
        address: The mailbox.
        invitation: The organization's; without one it is discovered the first time.
        mail_password: Needed the first time; a new one replaces the one that is kept.
        device_name: As the owner calls the device.
        clock: The time.
        progress: Told each step, for people.
        choice: Where the store's key is.
        challenge_seconds: How long to wait for the challenge mail.
        factors: What the release policy may ask for beyond the mailbox; nothing without.

    Raises:
        SealwrightError: What went wrong; running set-up again goes on from there.
    """
    with _open_or_create(home, address, invitation, mail_password, device_name, choice, clock.now()) as store:
        context = ClientContext(store, clock)
        progress(f"1/6 checking who {store.state.invitation.organization_name} is")
        statement = context.statement
        progress("2/6 making the keys of this device")
        device = _device_keys(store)
        progress("3/6 proving that this mailbox is yours")
        if store.state.enrolled is None:
            running = begin_enrolment(store, context.session, device, host_platform.system(), clock.now())
            prove_mailbox(store, context.session, device, running, context.mailbox, challenge_seconds)
        remove_leftover_challenges(store, context.mailbox)
        progress("4/6 meeting the release policy")
        meet_policy(context, factors or NO_FACTORS, progress)
        progress("5/6 fetching all keys of the mailbox")
        if not store.state.mailbox_keys:
            _await_keys(context, progress)
        progress("6/6 making this device's signing key")
        certify_signing_key(context)
        refresh_shared(context)
        progress("done")
        return SetUp(
            address=store.state.address,
            organization_name=statement.organization_name,
            device_id=context.enrolled.device_id,
            generations=len(store.state.mailbox_keys),
            store_key=store.key_kind,
            fingerprint=device.public.thumbprint().hex(),
        )


def _open_or_create(
    home: Path,
    address: str,
    invitation: Invitation | None,
    mail_password: str | None,
    device_name: str,
    choice: KeyChoice | None,
    now: datetime,
) -> ClientStore:
    canonical = canonical_address(address)
    try:
        store = ClientStore.open(home, canonical, choice)
    except NotFoundError:
        if mail_password is None:
            raise InputError("the first set-up needs the mail password") from None
        invitation = invitation or discover(canonical.rpartition("@")[2], now)
        state = ClientState(
            address=canonical, device_name=device_name, invitation=invitation, mail_password=mail_password
        )
        return ClientStore.create(home, state, choice)
    if invitation is not None and invitation.statement_root_sha256 != store.state.invitation.statement_root_sha256:
        store.close()
        raise InputError("this invitation names another root than the one this device was set up with")
    changes: dict[str, object] = {}
    if invitation is not None:
        changes["invitation"] = invitation
    if mail_password is not None:
        changes["mail_password"] = mail_password
    if changes:
        store.update(changes)
    return store


def _device_keys(store: ClientStore) -> DeviceKeys:
    if store.state.device_keys is not None:
        return store.state.device_keys
    authentication, pair = ec.generate_private_key(ec.SECP256R1()), generate_hpke_key_pair()
    spki = authentication.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    keys = DeviceKeys(
        authentication_key_pkcs8=_pkcs8(authentication),
        hpke_private_key=pair.private_key,
        public=DevicePublicKeys(spki, pair.public_key),
    )
    store.update({"device_keys": keys})
    return keys


def _await_keys(context: ClientContext, progress: Progress) -> None:
    release = ReleaseAttempt()
    for attempt in range(1, RELEASE_TRIES + 1):
        try:
            return fetch_keys(context, release)
        except UnavailableError:  # the key of a new mailbox is made in the background
            if attempt == RELEASE_TRIES:
                raise
            if attempt == 1:
                progress("    the server is still making them")
            time.sleep(RELEASE_WAIT_SECONDS)
    return None


def _pkcs8(private_key: ec.EllipticCurvePrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
