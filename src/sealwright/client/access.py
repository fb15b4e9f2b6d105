"""Step 4 of set-up: showing what the release policy asks for beyond the mailbox; and letting other devices in."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sealwright.client.context import ClientContext
from sealwright.client.session import load_p256_private_key
from sealwright.client.sign_on import sign_on
from sealwright.errors import ApprovalsMissingError, InputError, NotFoundError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.wire.factors import (
    AccessAnswer,
    ApprovalRequest,
    DeviceApproval,
    FactorRequest,
    NewPassword,
    WaitingDevice,
    WaitingDevices,
    factor_info,
    normal_secret,
    password_verifier,
    sign_on_nonce,
)
from sealwright.wire.hpke import hpke_seal
from sealwright.wire.key_import import ImportKeyAnswer

POLL_SECONDS = 2.0
APPROVAL_SECONDS = 15 * 60.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, repr=False)
class Factors:
    """Where factors come from; each is asked for only when the policy needs it.

    Attributes:
        password: Gives the protection password.
        new_password: Gives the protection password that is to be set.
        secret: Enrolment secret, or empty.
        approval_seconds: How long to wait for an approval.
        by_device_flow: Whether the sign-on happens in a browser elsewhere.
    """

    password: Callable[[], str]
    new_password: Callable[[], str]
    secret: str = ""
    approval_seconds: float = APPROVAL_SECONDS
    by_device_flow: bool = False


def standing(context: ClientContext) -> AccessAnswer:
    """Ask where this device stands; the keystore's key in the answer is verified.

    Raises:
        InvalidSignatureError: If somebody put his own key in the keystore's place.
        SealwrightError: What the server's problem says.
    """
    return _verified(context, context.session.get("/v1/access", AccessAnswer))


def meet_policy(context: ClientContext, factors: Factors, progress: Progress) -> AccessAnswer:
    """Show what the release policy needs, until this device has its level.

    Raises:
        AuthenticationError: If password or secret is not right.
        ApprovalsMissingError: If an enrolment secret is needed, or nobody approves in time.
        SealwrightError: What the server's problem says.
    """
    now = standing(context)
    # 1 What was handed over outside mail is used first: at level 2 to set the password, elsewhere by itself.
    if now.level < now.needed and factors.secret:
        secret = normal_secret(factors.secret)
        if now.needed == 2:
            verifier = _verifier(context, factors.new_password())
            return _show(context, now, "new-password", NewPassword(verifier, secret=secret).encode())
        now = _show(context, now, "secret", secret.encode("ascii"))
    # 2 What is still missing.
    if now.level >= now.needed:
        return now
    if now.needed == 2 and now.has_password:
        return _show(context, now, "password", _verifier(context, factors.password()))
    if now.needed == 2:
        raise ApprovalsMissingError(
            "this mailbox has no protection password yet; set it with --enrolment-secret-file and the secret that your "
            "administrator hands you"
        )
    if now.needed == 3:
        return _await_approval(context, factors.approval_seconds, progress)
    if now.sign_on is None:
        raise ApprovalsMissingError("the organization's sign-on is needed, and it has none; tell your administrator")
    own, thumbprint = context.enrolled, context.device_keys.public.thumbprint()
    nonce = sign_on_nonce(own.organization_id, own.mailbox_id, own.device_id, thumbprint)
    token = sign_on(now.sign_on, nonce, HttpClient(context.anchors), progress, by_device_flow=factors.by_device_flow)
    return _show(context, now, "sign-on", token)


def change_password(context: ClientContext, old: str, new: str, secret: str = "") -> None:
    """Set a new protection password, with the old one or an enrolment secret.

    Raises:
        AuthenticationError: If the old one or the secret is not right.
        RateLimitedError: If it was guessed too often.
    """
    now = standing(context)
    proof = {"secret": normal_secret(secret)} if secret else {"old": _verifier(context, old)}
    wanted = NewPassword(_verifier(context, new), **proof)
    _show(context, now, "new-password", wanted.encode())


def waiting_devices(context: ClientContext) -> tuple[WaitingDevice, ...]:
    """Return the devices of the mailbox that wait for an approval."""
    return context.session.get("/v1/access/approvals", WaitingDevices).devices


def approve_device(context: ClientContext, chosen: str) -> WaitingDevice:
    """Let a waiting device in: this device signs the fingerprint that its owner compared.

    Args:
        context: The mailbox.
        chosen: Beginning of the fingerprint, at least 16 hex digits.

    Raises:
        InputError: If it is shorter, or no fingerprint.
        NotFoundError: If no such device waits.
    """
    beginning = "".join(chosen.split()).lower()
    if len(beginning) < 16 or not set(beginning) <= set("0123456789abcdef"):
        raise InputError("give the first 16 digits or more of the fingerprint that the new device shows")
    found = [each for each in waiting_devices(context) if each.thumbprint.hex().startswith(beginning)]
    if len(found) != 1:
        raise NotFoundError("no device with this fingerprint waits for an approval; it may have to ask again")
    own, device = context.enrolled, context.device_keys
    approval = DeviceApproval(
        organization_id=own.organization_id,
        mailbox_id=found[0].mailbox_id,
        device_id=found[0].device_id,
        thumbprint=found[0].thumbprint,
        approver=device.public.thumbprint(),
        signed_at=context.clock.now(),
    )
    key = load_p256_private_key(device.authentication_key_pkcs8)
    signature = key.sign(approval.encode(), ec.ECDSA(hashes.SHA256()))
    request = ApprovalRequest(signed_at=approval.signed_at, signature=signature)
    context.session.post_empty(f"/v1/access/approvals/{found[0].device_id}", request)
    return found[0]


def _await_approval(context: ClientContext, seconds: float, progress: Progress) -> AccessAnswer:
    context.session.post("/v1/access/approvals", None, AccessAnswer)
    fingerprint = context.device_keys.public.thumbprint().hex()
    progress(f"    approve this device on another one: sealwright devices approve {fingerprint[:16]}")
    deadline = time.monotonic() + seconds
    while (now := standing(context)).level < now.needed:
        if time.monotonic() >= deadline:
            raise UnavailableError("nobody has approved this device yet; run the same command again to go on")
        time.sleep(POLL_SECONDS)
    return now


def _show(context: ClientContext, now: AccessAnswer, kind: str, content: bytes) -> AccessAnswer:
    own = context.enrolled
    info = factor_info(own.organization_id, own.mailbox_id, context.device_keys.public.thumbprint(), kind)
    request = FactorRequest(sealed=hpke_seal(now.public_key, info, content))
    return _verified(context, context.session.post(f"/v1/access/{kind}", request, AccessAnswer))


def _verified(context: ClientContext, answer: AccessAnswer) -> AccessAnswer:
    key = ImportKeyAnswer(
        organization_id=answer.organization_id, public_key=answer.public_key, signature=answer.signature
    )
    key.verify(context.enrolled.organization_id, context.statement.release_key)
    return answer


def _verifier(context: ClientContext, password: str) -> bytes:
    return password_verifier(context.enrolled.organization_id, context.store.state.address, password)
