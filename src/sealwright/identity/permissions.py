"""Who may do what: one table of permissions, and one of routes. What is in neither is refused.

What several people have to do together is not here: the keystore asks for their approvals (`keystore.approvals`).
"""

from collections.abc import Collection
from typing import Final

from sealwright.errors import PermissionDeniedError
from sealwright.wire.roles import ADMINISTRATOR, AUDITOR, HELP_DESK, OPERATOR, RECOVERY_OFFICER, SECURITY_OFFICER

ANYONE: Final = "anyone"
"""Without being known."""
PERSON: Final = "person"
"""Somebody's enrolled device, for the own mailbox and those that its owner shares."""
HOST: Final = "host"
"""Whoever may open the server's Unix socket: the host's root, inside the trusted base."""
ACTORS: Final = (
    ANYONE,
    PERSON,
    HELP_DESK,
    OPERATOR,
    AUDITOR,
    RECOVERY_OFFICER,
    SECURITY_OFFICER,
    ADMINISTRATOR,
    HOST,
)
"""Columns of the table, in the order in which it is printed."""

_STAFF = {HELP_DESK, OPERATOR, AUDITOR, RECOVERY_OFFICER, SECURITY_OFFICER, ADMINISTRATOR}
_OVERSIGHT = {AUDITOR, SECURITY_OFFICER, ADMINISTRATOR}

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    name: frozenset(actors)
    for name, actors in (
        ("server.read-public", {ANYONE}),
        ("log.read-public", {ANYONE}),
        ("directory.read", {ANYONE}),
        ("device.enrol", {ANYONE}),
        ("console.sign-in", {ANYONE}),
        ("console.use-own-account", _STAFF),
        ("device.use-own", {PERSON}),
        ("key.use-own", {PERSON}),
        ("certificate.request-own", {PERSON}),
        ("log.read-own", {PERSON}),
        ("key.take-all", {RECOVERY_OFFICER, SECURITY_OFFICER, ADMINISTRATOR}),
        ("proposal.create", {PERSON}),
        ("proposal.read", {PERSON}),
        ("proposal.decide", {RECOVERY_OFFICER, SECURITY_OFFICER, ADMINISTRATOR}),
        ("state.read", {*_STAFF, HOST}),
        ("seal.enter", {ANYONE}),
        ("seal.close", {OPERATOR, SECURITY_OFFICER}),
        ("seal.open", {HOST}),
        ("seal.change", {HOST}),
        ("person.read", {HELP_DESK, *_OVERSIGHT, HOST}),
        ("key.read", {*_OVERSIGHT, HOST}),
        ("log.read", {*_OVERSIGHT, HOST}),
        ("policy.read", {*_OVERSIGHT, HOST}),
        ("role.read", {*_OVERSIGHT, HOST}),
        ("approval.read", {RECOVERY_OFFICER, *_OVERSIGHT}),
        ("recovery.read", {AUDITOR, RECOVERY_OFFICER, SECURITY_OFFICER}),
        ("administrator.read", {*_OVERSIGHT, HOST}),
        ("administrator.change", {ADMINISTRATOR, HOST}),
        ("person.change", {HOST}),
        ("device.lock", {HELP_DESK, SECURITY_OFFICER, ADMINISTRATOR, HOST}),
        ("device.change", {SECURITY_OFFICER, ADMINISTRATOR, HOST}),
        ("key.change", {HOST}),
        ("policy.change", {HOST}),
        ("role.change", {HOST}),
        ("server.change", {HOST}),
        ("metrics.read", {HOST}),
    )
}
"""Permission -> who has it. What the host may change alone is limited by the keystore as soon as there are security officers."""

ROUTES: Final[dict[str, str]] = {
    # everybody
    "GET /.well-known/sealwright": "server.read-public",
    "GET /healthz": "server.read-public",
    "GET /readyz": "server.read-public",
    "GET /v1/nonce": "server.read-public",
    "GET /v1/log/consistency": "log.read-public",
    "GET /v1/log/breaks": "log.read-public",
    "GET /v1/log/cosigned": "log.read-public",
    "GET /log/{organization}/checkpoint": "log.read-public",
    "GET /log/{organization}/tile/{tile}": "log.read-public",
    "POST /v1/directory/search": "directory.read",
    "POST /v1/enrolments": "device.enrol",
    "POST /v1/enrolments/{enrolment_id}/proof": "device.enrol",
    "POST /v1/token": "device.enrol",
    # whoever has a share
    "GET /v1/seal": "server.read-public",
    "POST /v1/seal/entries": "seal.enter",
    "POST /v1/seal/closings": "seal.close",
    # people's devices
    "GET /v1/devices": "device.use-own",
    "DELETE /v1/devices/{device_id}": "device.use-own",
    "POST /v1/devices/{device_id}/state": "device.use-own",
    "GET /v1/sync": "device.use-own",
    "GET /v1/shared-mailboxes": "device.use-own",
    "GET /v1/access": "device.use-own",
    "POST /v1/access/{kind}": "device.use-own",
    "GET /v1/access/approvals": "device.use-own",
    "POST /v1/access/approvals": "device.use-own",
    "POST /v1/access/approvals/{device_id}": "device.use-own",
    "POST /v1/releases": "key.use-own",
    "POST /v1/exports": "key.use-own",
    "GET /v1/imports/key": "key.use-own",
    "POST /v1/imports": "key.use-own",
    "POST /v1/content-keys": "key.use-own",
    "GET /v1/exits/{proposal_id}/mailboxes": "key.take-all",
    "POST /v1/exits/{proposal_id}/keys": "key.take-all",
    "POST /v1/certificates": "certificate.request-own",
    "GET /v1/log/chain": "log.read-own",
    "GET /v1/log/leaves": "log.read",
    "GET /v1/log/report": "log.read",
    "GET /v1/proposals": "proposal.read",
    "POST /v1/recoveries/target": "proposal.create",
    "POST /v1/recoveries/{proposal_id}/fetch": "proposal.create",
    "GET /v1/proposals/{proposal_id}": "proposal.read",
    "POST /v1/proposals": "proposal.create",
    "POST /v1/proposals/{proposal_id}/decisions": "proposal.decide",
    # the console
    "GET /console": "state.read",
    "GET /console/people": "person.read",
    "GET /console/people/{mailbox_id}": "person.read",
    "POST /console/people/{mailbox_id}/devices/{device_id}/lock": "device.lock",
    "POST /console/people/{mailbox_id}/devices/{device_id}/unlock": "device.change",
    "POST /console/people/{mailbox_id}/devices/{device_id}/remove": "device.change",
    "POST /console/people/{mailbox_id}/letter": "device.change",
    "GET /console/shared": "person.read",
    "GET /console/custody": "state.read",
    "GET /console/policy": "policy.read",
    "GET /console/approvals": "approval.read",
    "GET /console/approvals/{proposal_id}": "approval.read",
    "GET /console/recoveries": "recovery.read",
    "GET /console/roles": "role.read",
    "GET /console/holds": "key.read",
    "GET /console/keys": "key.read",
    "GET /console/seal": "state.read",
    "GET /console/log": "log.read",
    "GET /console/static/{name}": "server.read-public",
    "GET /console/sign-in": "console.sign-in",
    "POST /console/sign-in": "console.sign-in",
    "POST /console/sign-in/link": "console.sign-in",
    "GET /console/set-up": "console.sign-in",
    "POST /console/set-up": "console.sign-in",
    "POST /console/sign-out": "console.sign-in",
    "POST /console/passkeys/register/options": "console.sign-in",
    "POST /console/passkeys/register": "console.sign-in",
    "POST /console/passkeys/sign-in/options": "console.sign-in",
    "POST /console/passkeys/sign-in": "console.sign-in",
    "GET /console/account": "console.use-own-account",
    "POST /console/account/password": "console.use-own-account",
    "POST /console/account/passkeys/{passkey_id}/remove": "console.use-own-account",
    "GET /console/administrators": "administrator.read",
    "POST /console/administrators/{administrator_id}/remove": "administrator.change",
    # the host's operator
    "GET /local/status": "state.read",
    "GET /metrics": "metrics.read",
    "GET /local/log": "log.read",
    "GET /local/log/leaves": "log.read",
    "GET /local/log/report": "log.read",
    "POST /local/log/time": "server.change",
    "POST /local/log/breaks": "server.change",
    "GET /local/people": "person.read",
    "POST /local/people": "person.change",
    "POST /local/people/remove": "person.change",
    "POST /local/people/rotate": "key.change",
    "GET /local/import-key": "key.change",
    "POST /local/keys": "key.read",
    "POST /local/keys/suspend": "key.change",
    "POST /local/keys/resume": "key.change",
    "POST /local/keys/compromise": "key.change",
    "POST /local/keys/destroy": "key.change",
    "POST /local/keys/drill": "key.change",
    "POST /local/keys/rotate-older": "key.change",
    "POST /local/keys/receipt": "key.read",
    "GET /local/seal": "state.read",
    "POST /local/seal/entries": "seal.open",
    "POST /local/seal/openings": "seal.open",
    "POST /local/seal/closings": "seal.open",
    "POST /local/seal/rotations": "seal.change",
    "POST /local/seal/changes": "seal.change",
    "POST /local/seal/changes/shares": "seal.change",
    "POST /local/seal/changes/cancel": "seal.change",
    "GET /local/holds": "key.read",
    "POST /local/holds": "key.change",
    "POST /local/holds/lift": "key.change",
    "POST /local/people/keys": "key.change",
    "GET /local/roles": "role.read",
    "GET /local/recovery-rule": "policy.read",
    "POST /local/recovery-rule": "policy.change",
    "POST /local/roles": "role.change",
    "GET /local/policy": "policy.read",
    "POST /local/policy": "policy.change",
    "POST /local/policy/mailbox": "policy.change",
    "POST /local/policy/sign-on": "policy.change",
    "GET /local/shared-mailboxes": "person.read",
    "POST /local/shared-mailboxes": "person.change",
    "POST /local/shared-mailboxes/members": "person.change",
    "POST /local/enrolment-secrets": "device.change",
    "POST /local/devices": "person.read",
    "POST /local/devices/state": "device.change",
    "POST /local/invitations": "server.change",
    "POST /local/sign-in-links": "administrator.change",
    "POST /local/tls-certificates": "server.change",
}
"""Method and path -> permission. A HEAD request is the GET that it goes with."""


def permission_table() -> str:
    """Return the table for people: a line for each permission, a column for each actor, "x" for yes."""
    lines = [f"{'':26}" + " ".join(f"{actor[:9]:9}" for actor in ACTORS).rstrip()]
    for permission, permitted in PERMISSIONS.items():
        marks = " ".join(f"{'x' if actor in permitted else '-':9}" for actor in ACTORS)
        lines.append(f"{permission:26}{marks.rstrip()}")
    return "\n".join(lines) + "\n"


def permission_of(method: str, path_template: str) -> str:
    """Return the permission that a route needs.

    Raises:
        PermissionDeniedError: If the route is not in the table.
    """
    found = ROUTES.get(f"{'GET' if method == 'HEAD' else method} {path_template}")
    if found is None:
        raise PermissionDeniedError(f"{method} {path_template} is in no table of permissions (identity/permissions.py)")
    return found


def is_permitted(permission: str, actors: Collection[str]) -> bool:
    """Tell whether one of these actors has a permission."""
    return not PERMISSIONS[permission].isdisjoint(actors)


def check_permission(permission: str, actors: Collection[str]) -> None:
    """Check that one of these actors has a permission.

    Raises:
        PermissionDeniedError: If none has.
    """
    if not is_permitted(permission, actors):
        needed = " or ".join(actor for actor in ACTORS if actor in PERMISSIONS[permission])
        raise PermissionDeniedError(f"this needs the role {needed}")
