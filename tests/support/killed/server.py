"""Flows of the server itself: init, storage keys, the seal's own keys, lists and statements, backup and restore."""

import shutil
from pathlib import Path

import msgspec
import pytest
from support.seals import open_seal

from sealwright.errors import ConfigurationError, ConflictError, SealedError
from sealwright.keystore.seal_change import PendingChange
from sealwright.keystore.seal_file import read_seal_file
from sealwright.keystore.shares import decode_share
from sealwright.server import backup
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build
from sealwright.wire.hpke import generate_hpke_key_pair, hpke_open
from sealwright.wire.seal import NEW_SHARES_INFO, NewShare, SealTarget

EMERGENCY = SealTarget(part="emergency", kind="key-file", shares=3, threshold=2)


def initialize(world):
    """`sealwright init`; what an unfinished one left is put away by hand, as its error says."""
    if not world.is_made and world.is_again and any(world.data.glob("*")):
        with pytest.raises(ConflictError, match="remove it"):
            world.make_server()
        shutil.rmtree(world.data)
        world.data.with_name("data.seal-key").unlink(missing_ok=True)
    world.make_server()


def rotate_storage_key(world):
    """A new storage key, and everything sealed anew."""
    settings, rotation = world.services.settings, world.services.rotation
    if open_seal(world.data.with_name("data.seal-key"), settings.seal_file).current_version == 1:
        rotation.rotate()
    rotation.finish()
    world.settle()


def rekey(world):
    """Another root wrapping key, then another emergency key with other shares, each of them entered once."""
    for target in (SealTarget(part="root", kind="key-file"), EMERGENCY):
        world.step(target.part, lambda target=target: _change_seal(world, target))
    world.services.close()
    world.open(world.folder)  # what was open was open under the old key
    world.settle()


def _change_seal(world, target):
    settings, pair = world.services.settings, generate_hpke_key_pair()
    key_file = Path(settings.seal.key_file)
    seal, options = open_seal(key_file, settings.seal_file), settings.seal_options
    change = PendingChange(
        target,
        read_seal_file(settings.seal_file),
        options,
        "",
        reply_key=pair.public_key,
        certificates=(),
        proposal_id="",
    )
    if target.shares:
        opened = hpke_open(pair.private_key, NEW_SHARES_INFO, change.take_shares())
        for share in msgspec.json.decode(opened, type=tuple[NewShare, ...]):
            change.enter(decode_share(share.text))
    change.commit(seal)
    change.destroy_old()


def refresh(world):
    """Revocation lists, statement and time mark of three days later."""
    services, organization_id = world.services, world.services.organization_id
    if "later" not in world.kept:
        world.move(days=3)
        world.keep(later="yes")
    for name in ("signing", "encryption"):
        services.authority.crl(organization_id, name)
    services.statements.current()
    services.audit.mark_time(organization_id)


def back_up(world):
    """A backup; what an unfinished one left is no backup, and is not in the way."""
    target = world.folder / "backup.tar.gz"
    if not target.exists():
        backup.back_up(world.data, target)
    assert list(world.data.rglob(".backup-*")) == []
    for path in world.folder.glob("*backup*"):  # a second name of the whole file at most, which goes with the next one
        assert path.samefile(target)


def restore(world):
    """A restored server starts only when its quarantine was lifted, whenever the restoring ended."""
    restored, key = world.folder / "restored", world.data.with_name("data.seal-key")
    if world.is_again and restored.exists():
        try:
            build(load_settings(restored, {}), world.clock)
        except (SealedError, ConfigurationError):
            pass
        else:
            raise AssertionError("an unfinished restoration can be started")
    shutil.rmtree(restored, ignore_errors=True)
    backup.restore(world.folder / "backup.tar.gz", restored, world.clock.now())
    assert key.exists()
