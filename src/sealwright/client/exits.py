"""Exit: an organization takes all its keys with it. This device asks, and once enough approved, fetches mailbox by mailbox."""

import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from sealwright.client.approvals import propose
from sealwright.client.checkpoints import remember_checkpoint
from sealwright.client.context import ClientContext
from sealwright.client.export import MIN_PASSPHRASE_CHARACTERS, pkcs12_file
from sealwright.client.keys import load_decryption_key
from sealwright.client.release import accept_release
from sealwright.client.state import MailboxKey
from sealwright.errors import InputError, NotFoundError
from sealwright.files import replace_file
from sealwright.wire.api import ReleaseAnswer
from sealwright.wire.approvals import ProposalView
from sealwright.wire.exits import EXIT, ExitKeysRequest, ExitMailbox, ExitMailboxes, ExitRequest

Progress = Callable[[int, int, str], None]
"""Told after each mailbox: how many are done, of how many, and its address."""
_UNUSABLE = re.compile(r"[^A-Za-z0-9.@+_-]")


@dataclass(slots=True)
class Taken:
    """What was fetched: mailboxes and key files in this run, mailboxes that were there already, and those without keys."""

    mailboxes: int = 0
    keys: int = 0
    there: int = 0
    empty: int = 0


def request_exit(context: ClientContext, reason: str, case_number: str) -> ProposalView:
    """Ask for all keys of the organization, sealed to this device.

    Raises:
        SealwrightError: What the server's problem says.
    """
    device = context.device_keys
    wanted = ExitRequest(device_id=context.enrolled.device_id, device_thumbprint=device.public.thumbprint())
    return propose(context, EXIT, msgspec.json.encode(wanted), reason, case_number)


def fetch_exit(context: ClientContext, proposal_id: str, folder: Path, passphrase: str, progress: Progress) -> Taken:
    """Fetch the keys of every mailbox, check each release, and write PKCS#12 files; goes on where an earlier run stopped.

    Args:
        context: The requester's mailbox.
        proposal_id: 32 hex digits.
        folder: Gets a folder for each mailbox, whole or not at all.
        passphrase: Protects the files.
        progress: Told after each mailbox.

    Raises:
        InputError: If the passphrase is too short.
        ApprovalsMissingError: If the exit is not approved.
        VerificationError: If what is given out is not what it should be.
    """
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise InputError(f"the passphrase needs at least {MIN_PASSPHRASE_CHARACTERS} characters")
    mailboxes = context.session.get(f"/v1/exits/{proposal_id}/mailboxes", ExitMailboxes).mailboxes
    taken = Taken()
    for number, mailbox in enumerate(mailboxes, 1):
        target = folder / f"{_UNUSABLE.sub('_', mailbox.address).lstrip('.')}-{mailbox.mailbox_id[:8]}"
        if target.exists():
            taken.there += 1
        else:
            try:
                keys = _fetch(context, proposal_id, mailbox)
            except NotFoundError:
                taken.empty += 1
                keys = ()
            if keys:
                _write(target, mailbox.address, keys, passphrase)
                taken.mailboxes += 1
                taken.keys += len(keys)
        progress(number, len(mailboxes), mailbox.address)
    return taken


def _fetch(context: ClientContext, proposal_id: str, mailbox: ExitMailbox) -> tuple[MailboxKey, ...]:
    device = context.device_keys
    nonce = secrets.token_bytes(32)
    request = ExitKeysRequest(mailbox_id=mailbox.mailbox_id, request_nonce=nonce)
    answer = context.session.post(f"/v1/exits/{proposal_id}/keys", request, ReleaseAnswer)
    theirs = msgspec.structs.replace(context.enrolled, mailbox_id=mailbox.mailbox_id)
    keys = accept_release(answer, context.statement, theirs, device, nonce, kind=EXIT)
    remember_checkpoint(answer.checkpoint, context.store, context.session, context.statement)
    return tuple(key for key in keys if key.private_key_pkcs8)


def _write(target: Path, address: str, keys: tuple[MailboxKey, ...], passphrase: str) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    for key in keys:
        private_key = load_decryption_key(key)
        name = f"{key.slot}-{key.generation or 'imported'}-{key.key_id[:8]}"
        if key.certificates and isinstance(private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            replace_file(part / f"{name}.p12", pkcs12_file(address, key, passphrase))
            continue
        protection = BestAvailableEncryption(passphrase.encode("utf-8"))  # no program reads such keys from PKCS#12
        pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
        replace_file(part / f"{name}.key.pem", pem)
        for number, certificate in enumerate(key.certificates):
            replace_file(part / f"{name}-{number}.cer", certificate)
    part.rename(target)
