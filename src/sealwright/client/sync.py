"""The feed of what happened to the mailbox elsewhere: other devices, new keys, new certificates."""

from collections.abc import Callable

from sealwright.client.context import ClientContext
from sealwright.client.key_delivery import fetch_keys
from sealwright.client.log_check import check_new_records
from sealwright.client.shared import refresh_shared
from sealwright.client.state import Notice
from sealwright.client.witnesses import check_witnesses
from sealwright.errors import DecodingError, DecryptionError, PermissionDeniedError
from sealwright.wire.api import SyncAnswer, SyncNotice
from sealwright.wire.encoding import decode_json
from sealwright.wire.hpke import hpke_open
from sealwright.wire.sync import sync_item_info

_KEPT_NOTICES = 200
WAIT_SECONDS = 25
_CHANGED_KEYS = frozenset(
    (
        "key-rotated",
        "key-imported",
        "certificate-issued",
        "key-suspended",
        "key-resumed",
        "key-compromised",
        "key-destroyed",
    )
)


def synchronize(context: ClientContext) -> tuple[Notice, ...]:
    """Read what is new in the feed, check what is new in the log, fetch keys if there are new ones; return the new notices.

    Raises:
        PermissionDeniedError: If this device was locked: its keys are gone from it then.
        SealwrightError: What the server's problem says; `UnavailableError` if it does not answer.
        LogVerificationError: If the log does not continue what this device has seen, or keeps a record back.
        VerificationError: If new keys are not what they should be.
    """
    store, enrolled, device = context.store, context.enrolled, context.device_keys
    fresh: list[Notice] = []
    number = store.state.sync_number
    while True:
        answer = context.session.get(f"/v1/sync?after={number}", SyncAnswer)
        if answer.locked:
            store.update({"mailbox_keys": (), "signing_key": None})
            raise PermissionDeniedError(
                "this device was locked and its keys are removed from it; unlock it on another device or ask your "
                "administrator, then run `sealwright setup` again"
            )
        items = [item for item in answer.items if item.number > number]
        if not items:
            break
        for item in sorted(items, key=lambda each: each.number):
            number = item.number
            info = sync_item_info(enrolled.organization_id, enrolled.mailbox_id, enrolled.device_id, number)
            try:
                said = decode_json(hpke_open(device.hpke_private_key, info, item.sealed), SyncNotice)
            except (DecryptionError, DecodingError):
                continue  # a broken item must not hide those after it
            fresh.append(Notice(kind=said.kind, time=said.time, subject=said.subject, thumbprint=said.thumbprint))
    known_break = store.state.log_break
    check_new_records(context)
    check_witnesses(context)
    if store.state.log_break != known_break:  # kept already; no feed tells of it
        fresh.append(store.state.notices[-1])
    if any(notice.kind in _CHANGED_KEYS for notice in fresh):
        fetch_keys(context)
    if any(notice.kind == "shared-mailbox" for notice in fresh):
        refresh_shared(context)
    if number != store.state.sync_number:
        told = (notice for notice in fresh if notice.kind != "log-break")
        kept = (*store.state.notices, *told)[-_KEPT_NOTICES:]
        store.update({"sync_number": number, "notices": kept})
    return tuple(fresh)


def news_waiter(context: ClientContext) -> Callable[[], None]:
    """Return what waits until the feed may have something new, for up to 25 seconds; it needs no open store.

    Calling it raises what the server's problem says, and `UnavailableError` if no server answers.
    """
    session, number = context.session_beside_store(), context.store.state.sync_number

    def wait() -> None:
        session.get(f"/v1/sync?after={number}&wait={WAIT_SECONDS}", SyncAnswer)

    return wait


def describe(notice: Notice) -> str:
    """Say a notice in one line for people."""
    when = notice.time.strftime("%Y-%m-%d %H:%M UTC")
    texts = {
        "log-break": f"the log of your organization was continued from an older state, which its security officers "
        f"confirmed; what it said after that is lost. The reason: {notice.subject}",
        "device-added": f"a new device can read your mail: {notice.subject}, fingerprint {notice.thumbprint.hex()[:16]}",
        "device-locked": f"a device was locked: {notice.subject}",
        "device-unlocked": f"a device was unlocked: {notice.subject}",
        "device-waiting": f"a device asks to read your mail: {notice.subject}, fingerprint "
        f"{notice.thumbprint.hex()[:16]}; if it is yours, run `sealwright devices approve`",
        "device-approved": f"a device was let in: {notice.subject}, fingerprint {notice.thumbprint.hex()[:16]}",
        "password-changed": f"the protection password was set on the device {notice.subject}",
        "device-removed": f"a device was removed: {notice.subject}",
        "key-rotated": "your mailbox has a new encryption key",
        "approval-asked": f"somebody asks for your approval; see `sealwright approvals list`: {notice.subject}",
        "recovery-announced": f"a recovery of your keys, or of single messages, was approved; asked by {notice.subject}",
        "key-recovered": f"your keys, or single messages, were recovered by {notice.subject}; see `sealwright log verify`",
        "recovery-approved": f"your recovery {notice.subject[:8]} is approved; see `sealwright recovery show`",
        "key-imported": "a key of another program was added to your mailbox's history",
        "shared-mailbox": f"a shared mailbox has changed: {notice.subject}",
        "key-suspended": "a key of your mailbox is suspended; mail for it cannot be read for now",
        "key-resumed": "a suspended key of your mailbox is in use again",
        "key-compromised": "a key of your mailbox was reported as compromised and replaced",
        "key-destroyed": "an old key of your mailbox was destroyed; mail for it cannot be read any more",
        "certificate-issued": "your mailbox has a new certificate",
        "certificate-revoked": "a certificate of your mailbox was revoked",
    }
    return f"{when}: {texts.get(notice.kind, notice.kind)}"
