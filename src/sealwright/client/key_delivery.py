"""Fetching a mailbox's keys: asked for, checked, found in the log, kept."""

import secrets
from dataclasses import dataclass, field

from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.client.log_check import check_release_in_chain, verify_log
from sealwright.client.release import accept_release
from sealwright.wire.api import ReleaseAnswer, ReleaseRequest


@dataclass(frozen=True, slots=True)
class ReleaseAttempt:
    """What stays the same while one release is asked for again and again, so that it makes one leaf.

    Attributes:
        request_nonce: 32 octets.
        idempotency_key: 32 hex digits.
    """

    request_nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    idempotency_key: str = field(default_factory=lambda: secrets.token_hex(16))


def fetch_keys(context: ClientContext, attempt: ReleaseAttempt | None = None) -> None:
    """Fetch all generations of the mailbox's key and keep them (step 5; again after a rotation).

    Args:
        context: The mailbox.
        attempt: Of an earlier try; a fresh one is made without.

    Raises:
        VerificationError: If the release is not what it should be, or not in the chain that the log shows to its owner.
        UnavailableError: If the keys are still being made.
    """
    device = context.device_keys
    attempt = attempt or ReleaseAttempt()
    known, mailbox_id = context.store.state.mailbox_keys, context.enrolled.mailbox_id
    request = ReleaseRequest(request_nonce=attempt.request_nonce, mailbox_id=mailbox_id)
    answer = context.session.post("/v1/releases", request, ReleaseAnswer, idempotency_key=attempt.idempotency_key)
    keys = accept_release(answer, context.statement, context.enrolled, device, attempt.request_nonce, known)
    remember_checkpoint(answer.checkpoint, context.store, context.session, context.statement)
    check_release_in_chain(answer.manifest, verify_log(context))
    context.store.update({"mailbox_keys": keys})
