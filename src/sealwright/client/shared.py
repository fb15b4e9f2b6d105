"""Shared mailboxes on a member's device: their keys are fetched beside the own, and go when the membership ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealwright.client.context import ClientContext, open_context
from sealwright.client.key_delivery import fetch_keys
from sealwright.client.shared_store import SharedMailboxStore
from sealwright.client.signing import certify_signing_key
from sealwright.client.state import SharedMailbox
from sealwright.client.store import list_stores
from sealwright.client.store_key import KeyChoice
from sealwright.clock import Clock
from sealwright.errors import UnavailableError
from sealwright.pkix.names import canonical_address
from sealwright.wire.api import SharedMailboxes


def refresh_shared(context: ClientContext) -> tuple[SharedMailbox, ...]:
    """Ask what the owner is a member of, forget the rest with its keys, and fetch all keys of what is left.

    A mailbox whose keys are still being made is fetched the next time.

    Args:
        context: The member's own mailbox.

    Raises:
        SealwrightError: What the server's problem says.
        VerificationError: If a release is not what it should be.
    """
    found = context.session.get("/v1/shared-mailboxes", SharedMailboxes).mailboxes
    known = {each.mailbox_id: each for each in context.store.state.shared}
    kept = tuple(
        known.get(each.mailbox_id)
        or SharedMailbox(mailbox_id=each.mailbox_id, address=each.address, display_name=each.display_name)
        for each in found
    )
    if kept != context.store.state.shared:
        context.store.update({"shared": kept})
    for each in kept:
        acting = acting_for(context, each.address)
        try:
            fetch_keys(acting)
            certify_signing_key(acting)
        except UnavailableError:
            continue
    return context.store.state.shared


def acting_for(context: ClientContext, address: str) -> ClientContext:
    """Return a context that reads, sends and checks the log for a shared mailbox.

    Raises:
        NotFoundError: If the owner is no member of it.
    """
    return ClientContext(SharedMailboxStore(context.store, address), context.clock)


@contextmanager
def open_mailbox_context(
    home: Path, address: str, clock: Clock, choice: KeyChoice | None = None
) -> Iterator[ClientContext]:
    """Open a mailbox of this device: an own one, or a shared one in the store of its member.

    Raises:
        NotFoundError: If the device has neither.
        ConfigurationError: If a store cannot be opened, or set-up was not finished.
    """
    stores = list_stores(home)
    wanted = canonical_address(address)
    for own in stores if wanted not in stores else ():
        with open_context(home, own, clock, choice) as context:
            if any(each.address == wanted for each in context.store.state.shared):
                yield acting_for(context, wanted)
                return
    with open_context(home, address, clock, choice) as context:
        yield context
