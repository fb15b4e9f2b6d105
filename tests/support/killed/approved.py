"""Flows that several people agree to: roles, weaker policies, recoveries, an exit."""

import secrets

import msgspec
from support.killed.device import NONCE_BYTES, content_key_item, set_up
from support.served import ALICE, BOB, people

from sealwright.wire.approvals import ProposalRequest
from sealwright.wire.content_keys import ContentKeyItem
from sealwright.wire.encoding import sha256
from sealwright.wire.exits import EXIT, ExitKeysRequest, ExitRequest
from sealwright.wire.operator import PolicyChange, RecoveryRuleRequest, RoleRequest
from sealwright.wire.recovery import (
    RECOVERY,
    RecoveryFetch,
    RecoveryItem,
    RecoveryMessage,
    RecoveryRequest,
    RecoveryRule,
)

RITA, OTTO, OLGA = "rita@example.test", "otto@example.test", "olga@example.test"
ROLES = ((RITA, "administrator"), (OTTO, "recovery-officer"), (OLGA, "recovery-officer"))


def officers(world):
    """Two people are recovery and security officers, a third is administrator; all have devices, and there is a rule."""
    world.order("/local/people", people(RITA, OTTO, OLGA))
    world.settle()
    for address in (ALICE, RITA, OTTO, OLGA):
        set_up(world, address)
    world.order("/local/recovery-rule", RecoveryRuleRequest(rule=RecoveryRule(), reason="at the beginning"))
    order = [*ROLES, (OTTO, "security-officer"), (OLGA, "security-officer")]
    for address, role in order:
        world.order("/local/roles", RoleRequest(address=address, role=role, holds=True, reason="because"))
    world.move(hours=2)


def strengthen_policy(world):
    """A stronger policy holds at once."""
    world.order("/local/policy", PolicyChange(level=2))
    world.order("/local/policy", PolicyChange(group="guests", max_devices=1))


def _ordered(world, path, wanted):
    """Order something that has to be approved; return the proposal. An operator who is not sure looks at the list."""
    known = world.kept.get("proposal")
    if known is None:
        listed = world.services.approvals.views(world.services.organization_id)
        known = listed[0].proposal.proposal_id if listed else world.order(path, wanted).json()["proposal_id"]
        world.keep(proposal=known)
    return known


def change_role(world):
    """Somebody becomes a security officer, by two others."""
    wanted = RoleRequest(address=BOB, role="security-officer", holds=True, reason="because")
    proposal = _ordered(world, "/local/roles", wanted)
    world.approve(proposal, OTTO, OLGA)
    world.settle()


def officers_of_strict_policy(world):
    """The same people, under a policy that can be weakened."""
    officers(world)
    strengthen_policy(world)


def weaken_policy(world):
    """A weaker policy holds a day after two officers agreed."""
    proposal = _ordered(world, "/local/policy", PolicyChange(level=1, reason="because"))
    world.approve(proposal, OTTO, OLGA)
    world.step("a day later", lambda: world.move(days=1, minutes=1))
    world.services.weaker.apply_due(world.services.organization_id)


def _propose(world, kind, content):
    wanted = ProposalRequest(kind=kind, reason="because", case_number="7", content=msgspec.json.encode(content))
    answer = world.request("proposal", "/v1/proposals", wanted, address=RITA)
    proposal = answer.json()["proposal"]["proposal_id"]
    world.approve(proposal, OTTO, OLGA)
    world.settle()
    return proposal


def _recovery(world, messages=()):
    _, row = world.services.recovery_rules.rule(world.services.organization_id)
    return RecoveryRequest(
        mailbox_id=world.mailbox(ALICE).mailbox_id,
        address=ALICE,
        what="messages" if messages else "history",
        device_id=world.enrolled(RITA),
        device_thumbprint=world.device(RITA).public.thumbprint(),
        rule_version=row.version,
        messages=messages,
    )


def recover_history(world):
    """Asked for, approved by two, announced, fetched."""
    proposal = _propose(world, RECOVERY, _recovery(world))
    world.request("fetch", f"/v1/recoveries/{proposal}/fetch", RecoveryFetch(items=()), address=RITA)
    world.services.recoveries.tell_owners(world.services.organization_id)
    world.services.recoveries.lapse(world.services.organization_id)


def recover_messages(world):
    """The same, for one message's content key."""
    encoded, item = content_key_item(world, b"secret")
    item = msgspec.json.decode(world.once("item", lambda: msgspec.json.encode(item).decode()), type=ContentKeyItem)
    digest = bytes.fromhex(world.once("digest", lambda: sha256(encoded).hex()))
    line = RecoveryItem(recipient_info_sha256=sha256(item.recipient_info), key_id=item.key_id, key_bytes=item.key_bytes)
    message = RecoveryMessage(message_sha256=digest, items=(line,))
    proposal = _propose(world, RECOVERY, _recovery(world, (message,)))
    world.request("fetch", f"/v1/recoveries/{proposal}/fetch", RecoveryFetch(items=(item,)), address=RITA)


def leave(world):
    """The organization takes all keys with it; here those of one mailbox."""
    wanted = ExitRequest(device_id=world.enrolled(RITA), device_thumbprint=world.device(RITA).public.thumbprint())
    proposal = _propose(world, EXIT, wanted)
    nonce = secrets.token_bytes(NONCE_BYTES)
    keys = ExitKeysRequest(mailbox_id=world.mailbox(ALICE).mailbox_id, request_nonce=nonce)
    world.request("keys", f"/v1/exits/{proposal}/keys", keys, address=RITA)
