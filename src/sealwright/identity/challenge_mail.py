"""The challenge mail: a header for the client, the same in words for people. Pure."""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sealwright.identity.model import Challenge
from sealwright.wire.encoding import b64u_encode
from sealwright.wire.proof import CHALLENGE_HEADER


def challenge_message(challenge: Challenge, from_address: str, now: datetime) -> bytes:
    """Return the mail as RFC 5322 bytes with CRLF.

    Args:
        challenge: What it says.
        from_address: Of the server.
        now: Aware.
    """
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))
    message["From"] = from_address
    message["To"] = challenge.address
    message["Subject"] = f"Setting up a device for {challenge.address}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{challenge.enrolment_id}.sealwright@{challenge.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    part1 = b64u_encode(challenge.part1)
    message[CHALLENGE_HEADER] = (
        f"v=1; enrolment={challenge.enrolment_id}; part1={part1}; "
        f"device={challenge.device_thumbprint}; domain={challenge.domain}"
    )
    message.set_content(
        "A device is being set up for your mailbox. Your mail program reads this message by itself; there is nothing\n"
        "for you to do. If you are not setting up a device, ignore this message and tell your administrator.\n\n"
        f"Organization: {challenge.domain}\n"
        f"Enrolment: {challenge.enrolment_id}\n"
        f"Device fingerprint: {challenge.device_thumbprint}\n"
        f"Part 1: {part1}\n"
        f"Valid until: {challenge.expires:%Y-%m-%d %H:%M} UTC\n"
    )
    return message.as_bytes()
