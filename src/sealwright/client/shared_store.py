"""A shared mailbox in the store of one of its members, shown as a store of its own: all that works for a mailbox works for it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sealwright.client.state import ClientState, HeldMail, SharedMailbox
from sealwright.client.store import ClientStore
from sealwright.errors import NotFoundError
from sealwright.wire.log_break import LogBreak

_OWN = frozenset(SharedMailbox.__struct_fields__)


class SharedMailboxStore(ClientStore):
    """What the shared mailbox has in common with its member's own - device, token, invitation - is written there.

    Args:
        member: The member's open store; whoever opened it closes it.
        address: Of the shared mailbox.

    Raises:
        NotFoundError: If the member's store has no such shared mailbox.
    """

    def __init__(self, member: ClientStore, address: str) -> None:
        self._member, self._address = member, address
        self._refresh()

    def update(self, changes: Mapping[str, Any]) -> ClientState:
        """Replace fields of the state: those of the shared mailbox there, all others in the member's own."""
        own = {name: value for name, value in changes.items() if name in _OWN}
        rest = {name: value for name, value in changes.items() if name not in _OWN}
        if own:
            changed = tuple(
                msgspec.structs.replace(each, **own) if each.address == self._address else each
                for each in self._member.state.shared
            )
            rest["shared"] = changed
        self._member.update(rest)
        self._refresh()
        return self.state

    def break_log(self, checkpoint: str, taken: LogBreak) -> None:
        """Take a log break in the member's store, for all mailboxes there."""
        self._member.break_log(checkpoint, taken)
        self._refresh()

    def hold_mail(self, mail: HeldMail, *, perhaps_sent: bool = False, replaces: str = "") -> str:
        """Keep a message back in the member's store."""
        return self._member.hold_mail(mail, perhaps_sent=perhaps_sent, replaces=replaces)

    def held_mails(self) -> list[str]:
        """Return the ids of all messages that are kept back."""
        return self._member.held_mails()

    def read_held(self, held_id: str) -> HeldMail:
        """Return a message that was kept back."""
        return self._member.read_held(held_id)

    def drop_held(self, held_id: str) -> None:
        """Forget a message that was kept back."""
        self._member.drop_held(held_id)

    @property
    def key_kind(self) -> str:
        """Where the member's store's key is."""
        return self._member.key_kind

    def close(self) -> None:
        """Do nothing: the member's store stays open."""

    def _refresh(self) -> None:
        member = self._member.state
        shared = next((each for each in member.shared if each.address == self._address), None)
        if shared is None or member.enrolled is None:
            raise NotFoundError(f"{member.address} is no member of {self._address}")
        enrolled = msgspec.structs.replace(
            member.enrolled, mailbox_id=shared.mailbox_id, display_name=shared.display_name
        )
        values = {name: getattr(shared, name) for name in _OWN & set(ClientState.__struct_fields__)}
        self.state = msgspec.structs.replace(
            member, enrolled=enrolled, mail_account=member.account, shared=(), **values
        )
