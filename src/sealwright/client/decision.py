"""Whether a mail may leave, and how: a pure table.

    certificate      rule:   must      try       never
    usable                encrypt   encrypt   encrypt
    missing               hold      pass      pass
    refused               reject    hold      pass

"refused" is a certificate that exists and must not be used: revoked, or of no trusted root. One mail has one form: where
recipients differ, the strictest wins, and a mail that is to be encrypted for some is never sent in clear to others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CertificateState = Literal["usable", "missing", "refused"]
Rule = Literal["must", "try", "never"]
Action = Literal["encrypt", "hold", "reject", "pass"]

_TABLE: dict[tuple[CertificateState, Rule], Action] = {
    ("usable", "must"): "encrypt",
    ("usable", "try"): "encrypt",
    ("usable", "never"): "encrypt",
    ("missing", "must"): "hold",
    ("missing", "try"): "pass",
    ("missing", "never"): "pass",
    ("refused", "must"): "reject",
    ("refused", "try"): "hold",
    ("refused", "never"): "pass",
}


@dataclass(frozen=True, slots=True)
class RecipientState:
    """What is known about one recipient.

    Attributes:
        address: Canonical addr-spec.
        certificate: Whether there is a usable one.
        rule: The administrator's for the recipient's domain.
    """

    address: str
    certificate: CertificateState
    rule: Rule = "must"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a mail.

    Attributes:
        action: For the whole mail.
        because: The recipients that it is held or rejected for.
    """

    action: Action
    because: tuple[str, ...] = ()


def decide(recipients: Sequence[RecipientState]) -> Decision:
    """Decide for one mail; one without recipients is rejected."""
    wanted = {recipient.address: _TABLE[recipient.certificate, recipient.rule] for recipient in recipients}
    for action in ("reject", "hold"):
        because = tuple(address for address, its_action in wanted.items() if its_action == action)
        if because:
            return Decision("reject" if action == "reject" else "hold", because)
    if not wanted:
        return Decision("reject")
    in_clear = tuple(address for address, action in wanted.items() if action == "pass")
    if not in_clear:
        return Decision("encrypt")
    return Decision("pass") if len(in_clear) == len(wanted) else Decision("hold", in_clear)
