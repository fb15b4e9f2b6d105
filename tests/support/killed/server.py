"""Flows of the server itself: init, storage keys, lists and statements, backup and restore."""

import shutil

import pytest
from support.seals import open_seal

from sealwright.errors import ConfigurationError, ConflictError, SealedError
from sealwright.server import backup
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build


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
