"""A reader's keys for tests."""

from collections.abc import Sequence

from sealwright.cms.decryptors import FindKeys, KeyDecryptor, PrivateKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier


def keys_of(*pairs) -> FindKeys:
    """Give the private keys of (certificate, private key) pairs by the identifiers of their certificates."""

    def find_keys(recipient: RecipientIdentifier) -> Sequence[KeyDecryptor]:
        return [PrivateKeyDecryptor(key) for certificate, key in pairs if recipient.matches(certificate)]

    return find_keys


def any_key(*private_keys) -> FindKeys:
    """Give the same private keys whoever is asked for."""
    return lambda _: [PrivateKeyDecryptor(key) for key in private_keys]


def no_keys(_: RecipientIdentifier) -> Sequence[KeyDecryptor]:
    """Give nothing."""
    return []
