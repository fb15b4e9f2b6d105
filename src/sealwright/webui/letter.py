"""The letter with an enrolment secret, to be handed over outside mail: its words, and the QR code of the secret."""

from dataclasses import dataclass

import segno
from markupsafe import Markup

from sealwright.wire.operator import EnrolmentSecret


@dataclass(frozen=True, slots=True)
class Letter:
    """What stands in a letter, from top to bottom.

    Attributes:
        sender: The organization.
        recipient: Name and address.
        secret: In groups of four, as people read and type it.
        validity: Until when, and what to do with it.
        command: To type on the device.
        warning: What nobody asks for.
    """

    sender: str
    recipient: str
    secret: str
    validity: str
    command: str
    warning: str

    def qr_code(self) -> Markup:
        """Return a QR code that holds the secret alone, as an SVG element."""
        return Markup(segno.make(self.secret, error="m", micro=False).svg_inline(border=2, omitsize=True))  # noqa: S704 - digits and letters

    def text(self) -> str:
        """Return the letter as plain text."""
        return (
            f"{self.sender}\n\nFor {self.recipient}\n\nEnrolment secret:  {self.secret}\n\n"
            f"{self.validity}\n\n    {self.command}\n\n{self.warning}\n"
        )


def letter(made: EnrolmentSecret) -> Letter:
    """Return the letter for a secret that was just made."""
    groups = (made.secret[start : start + 4] for start in range(0, len(made.secret), 4))
    return Letter(
        sender=made.organization_name,
        recipient=f"{made.display_name or made.address} <{made.address}>",
        secret="-".join(groups),
        validity=f"Valid once, until {made.expires:%Y-%m-%d %H:%M} UTC. On the device that is to read your mail, run",
        command=f"sealwright setup {made.address} --enrolment-secret-file FILE",
        warning=(
            "with the secret as the first line of FILE. Nobody will ever ask you for it, and it is never sent by mail."
        ),
    )
