"""Part 1 of the mailbox proof: the mail that carries it, found and checked without help from the user."""

import email
import email.policy
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sealwright.errors import DecodingError, UnavailableError, VerificationError
from sealwright.net.imap import Mailbox
from sealwright.wire.encoding import b64u_decode
from sealwright.wire.proof import CHALLENGE_HEADER, PART_BYTES

POLL_SECONDS = 2.0
_FIELDS = ("v", "enrolment", "part1", "device", "domain")


@dataclass(frozen=True, slots=True)
class MailChallenge:
    """What a challenge mail says.

    Attributes:
        enrolment_id: Which challenge it belongs to.
        part1: 32 octets.
        device_thumbprint: Of the device that asked for it.
        domain: The organization's.
    """

    enrolment_id: str
    part1: bytes = field(repr=False)
    device_thumbprint: bytes
    domain: str


def parse_challenge(message: bytes) -> MailChallenge:
    """Read the challenge header of a mail.

    Raises:
        DecodingError: If it has not exactly one such header, or not of this form.
    """
    parsed = email.message_from_bytes(message, policy=email.policy.compat32)
    values = parsed.get_all(CHALLENGE_HEADER, [])
    if len(values) != 1:
        raise DecodingError("the mail has no challenge header, or several")
    pairs = [part.strip().partition("=") for part in "".join(str(values[0]).split()).split(";") if part.strip()]
    fields = {name: value for name, _equals, value in pairs}
    if len(fields) != len(pairs) or set(fields) != set(_FIELDS) or fields["v"] != "1":
        raise DecodingError("the challenge header is not of version 1")
    try:
        thumbprint = bytes.fromhex(fields["device"])
    except ValueError as error:
        raise DecodingError("the challenge names no device fingerprint") from error
    part1 = b64u_decode(fields["part1"])
    if len(part1) != PART_BYTES:
        raise DecodingError("part 1 of the challenge has not 32 octets")
    return MailChallenge(fields["enrolment"], part1, thumbprint, fields["domain"])


def find_challenge(mailbox: Mailbox, enrolment_id: str, device_thumbprint: bytes, domain: str) -> MailChallenge | None:
    """Look once for the challenge mail of an enrolment, in the inbox and in junk.

    Raises:
        VerificationError: If the mail was made for another device or organization: somebody is in between.
    """
    for folder in mailbox.inbox_and_junk():
        for uid in mailbox.find_by_header(folder, CHALLENGE_HEADER, enrolment_id):
            message = mailbox.fetch(folder, uid)
            try:
                challenge = parse_challenge(message or b"")
            except DecodingError:
                continue
            if challenge.enrolment_id != enrolment_id:
                continue
            if challenge.device_thumbprint != device_thumbprint:
                raise VerificationError(
                    "the challenge mail names the fingerprint of another device; it was not answered. "
                    "Somebody may be between this device and the server: tell your administrator"
                )
            if challenge.domain != domain:
                raise VerificationError(f"the challenge mail is from {challenge.domain}, not from {domain}")
            return challenge
    return None


def await_challenge(
    look: Callable[[], MailChallenge | None], timeout_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> MailChallenge:
    """Look until the mail is there.

    Args:
        look: Looks once.
        timeout_seconds: How long to go on.
        sleep: Waits between two looks.

    Raises:
        UnavailableError: If it does not come in time; set-up can be run again and goes on.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        challenge = look()
        if challenge is not None:
            return challenge
        if time.monotonic() >= deadline:
            raise UnavailableError("the challenge mail has not arrived yet; run the same command again to go on")
        sleep(POLL_SECONDS)


def remove_challenge(mailbox: Mailbox, named: str) -> None:
    """Remove the challenge mails that name an enrolment or a device's fingerprint (hex), wherever they are."""
    for folder in mailbox.inbox_and_junk():
        for uid in mailbox.find_by_header(folder, CHALLENGE_HEADER, named):
            mailbox.remove(folder, uid)
