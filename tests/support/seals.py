"""Seals of kind "key-file" for tests, and keystores over them in this process."""

from pathlib import Path

from sealwright.keystore.hsm import ask_hsm, read_pin
from sealwright.keystore.key_file import read_root_key
from sealwright.keystore.seal import open_with_key_file
from sealwright.keystore.seal_creation import SealPlan, create
from sealwright.keystore.seal_file import HsmRoot, read_seal_file
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.software import SoftwareKeystore


def seal_options(key_file, seal_file):
    """Return where they are."""
    return SealOptions(str(seal_file), str(key_file))


def key_file_seal(key_file, seal_file, shares=1, threshold=1):
    """Make a seal and return its emergency shares."""
    return create(seal_options(key_file, seal_file), SealPlan("key-file", 0, 0, shares, threshold)).emergency


def open_seal(key_file, seal_file):
    """Open it."""
    return open_with_key_file(key_file, seal_file)


def software_keystore(key_file, seal_file, clock=None):
    """Return a keystore over it."""
    return SoftwareKeystore(open_seal(key_file, seal_file), clock)


def root_key_of(settings):
    """Return the root wrapping key of a server, of whatever kind its seal is."""
    root = read_seal_file(settings.seal_file).root
    if not isinstance(root, HsmRoot):
        return read_root_key(Path(settings.seal.key_file))
    pin = read_pin(Path(settings.seal.pkcs11_pin_file))
    return ask_hsm(settings.seal_options.hsm, pin, "unwrap", root.key_id, root.wrapped)
