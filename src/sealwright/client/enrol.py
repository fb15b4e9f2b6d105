"""Step 3 of set-up: showing the server that whoever holds this device reads the mailbox."""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sealwright.client.mail_challenge import MailChallenge, await_challenge, find_challenge, remove_challenge
from sealwright.client.session import ServerSession
from sealwright.client.state import DeviceKeys, Enrolled, RunningEnrolment
from sealwright.client.store import ClientStore
from sealwright.errors import AuthenticationError, ConfigurationError, ConflictError, NotFoundError, SealwrightError
from sealwright.net.imap import Mailbox
from sealwright.wire.api import EnrolledAnswer, EnrolmentAnswer, EnrolmentRequest, ProofRequest
from sealwright.wire.proof import proof_answer, proof_transcript

OpenMailbox = Callable[[], AbstractContextManager[Mailbox]]


def begin_enrolment(
    store: ClientStore, session: ServerSession, device: DeviceKeys, platform: str, now: datetime
) -> RunningEnrolment:
    """Ask for a mailbox challenge, or go on with the one that is under way and still valid."""
    running = store.state.enrolment
    if running is not None and running.answer.expires > now:
        return running
    request = EnrolmentRequest(
        address=store.state.address, device=device.public, device_name=store.state.device_name, platform=platform
    )
    answer = session.post_signed("/v1/enrolments", request, EnrolmentAnswer)
    running = RunningEnrolment(answer=answer, proof_idempotency_key=secrets.token_hex(16))
    store.update({"enrolment": running})
    return running


def prove_mailbox(
    store: ClientStore,
    session: ServerSession,
    device: DeviceKeys,
    running: RunningEnrolment,
    open_mailbox: OpenMailbox,
    timeout_seconds: float,
) -> Enrolled:
    """Find part 1 in the mailbox, answer the challenge, and keep who this device now is.

    Raises:
        VerificationError: If the challenge mail was made for another device.
        UnavailableError: If the mail does not come in time.
        AuthenticationError: If the server refuses the proof; the challenge is used up and set-up begins a new one.
    """
    domain, thumbprint = store.state.invitation.domain, device.public.thumbprint()
    if not running.part1:
        with open_mailbox() as mailbox:

            def look() -> MailChallenge | None:
                return find_challenge(mailbox, running.answer.enrolment_id, thumbprint, domain)

            part1 = await_challenge(look, timeout_seconds).part1
        running = RunningEnrolment(
            answer=running.answer, proof_idempotency_key=running.proof_idempotency_key, part1=part1
        )
        store.update({"enrolment": running})
    transcript = proof_transcript(domain, store.state.address, thumbprint, running.answer.server_nonce)
    proof = ProofRequest(answer=proof_answer(running.part1, running.answer.part2, transcript))
    # by fingerprint, too: a challenge whose answer never reached this device has a mail all the same
    leftover = (*store.state.leftover_challenges, running.answer.enrolment_id, thumbprint.hex())
    try:
        answer = session.post_signed(
            f"/v1/enrolments/{running.answer.enrolment_id}/proof",
            proof,
            EnrolledAnswer,
            idempotency_key=running.proof_idempotency_key,
        )
    except (AuthenticationError, NotFoundError, ConflictError):
        store.update({"enrolment": None, "device_keys": None, "leftover_challenges": leftover})
        raise
    if answer.address != store.state.address:
        raise ConfigurationError(f"the server enrolled this device for {answer.address}; set it up for that address")
    enrolled = Enrolled(
        organization_id=answer.organization_id,
        mailbox_id=answer.mailbox_id,
        device_id=answer.device_id,
        display_name=answer.display_name,
    )
    session.adopt_token(answer.token)
    store.update({"enrolled": enrolled, "enrolment": None, "leftover_challenges": leftover})
    return enrolled


def remove_leftover_challenges(store: ClientStore, open_mailbox: OpenMailbox) -> bool:
    """Remove the mails of answered challenges; False if the mailbox could not be opened, which harms nothing."""
    if not store.state.leftover_challenges:
        return True
    try:
        with open_mailbox() as mailbox:
            for named in store.state.leftover_challenges:
                remove_challenge(mailbox, named)
    except SealwrightError:
        return False
    store.update({"leftover_challenges": ()})
    return True
