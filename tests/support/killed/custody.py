"""Flows of the operator: keys, people, shared mailboxes, holds."""

from datetime import datetime

from support.served import ALICE, BOB, people

from sealwright.wire.operator import (
    AddressRequest,
    HoldLift,
    HoldRequest,
    KeyBatch,
    KeyRequest,
    KeyStateChange,
    MemberRequest,
    SharedMailboxRequest,
)

CAROL, SUPPORT = "carol@example.test", "support@example.test"


def provision(world):
    """Somebody joins: pool, key, certificate, directory."""
    world.services.keys.refill_pool(world.services.organization_id)
    world.order("/local/people", people(CAROL))
    world.settle()


def rotate(world):
    """A new generation; an operator who is not sure looks first."""
    if len(world.history()) == 1:
        world.order("/local/people/rotate", AddressRequest(address=ALICE))
    world.settle()


def rotate_all(world):
    """A new generation for everybody; the same command goes on."""
    world.step("later", lambda: world.move(days=1))
    before = datetime.fromisoformat(world.once("before", lambda: world.clock.now().isoformat()))
    world.clock.move(minutes=1)
    while world.order("/local/keys/rotate-older", KeyBatch(before=before)).json()["left"]:
        pass
    world.settle()


def change_states(world):
    """Suspend, resume, compromise, destroy; each a second time is refused."""
    key_id = world.history()[0].key_id
    for word in ("suspend", "resume", "compromise", "destroy"):
        change = KeyStateChange(key_id=key_id, reason="because")
        world.step(word, lambda word=word, change=change: world.order(f"/local/keys/{word}", change, 409))
        world.settle()
    world.order("/local/keys/receipt", KeyRequest(key_id=key_id))


def hold(world):
    """A hold is set and lifted."""
    found = world.services.keys.holds.holds(world.services.organization_id)
    if not found:
        world.order("/local/holds", HoldRequest(mailbox=ALICE, reason="case 7"))
    (found,) = world.services.keys.holds.holds(world.services.organization_id)
    world.order("/local/holds/lift", HoldLift(hold_id=found.hold_id, reason="closed"), 409)


def share(world):
    """A shared mailbox is made; somebody joins and leaves, and it gets another key."""
    world.order("/local/shared-mailboxes", SharedMailboxRequest(address=SUPPORT), 409)
    world.settle()
    world.step("later", lambda: world.move(minutes=1))
    for joins in (True, False):
        wanted = MemberRequest(address=SUPPORT, member=BOB, joins=joins)
        world.step(f"{joins}", lambda wanted=wanted: world.order("/local/shared-mailboxes/members", wanted, 404))
        world.step(f"after {joins}", lambda: world.move(seconds=10))  # what follows from it is done later
        world.settle()


def remove_person(world):
    """A tenure ends."""
    world.order("/local/people/remove", AddressRequest(address=BOB), 404)
    world.settle()
