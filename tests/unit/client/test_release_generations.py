import pytest

from sealwright.client.release import check_generations
from sealwright.errors import VerificationError
from sealwright.wire.manifest import ManifestKey


def keys(*generations):
    return [
        ManifestKey(f"{i:032x}", "classical", g, "ACTIVE", "rsa-3072", bytes(32)) for i, g in enumerate(generations)
    ]


def test_whole_history_with_an_imported_key():
    check_generations(keys(0, 1, 2, 3))


@pytest.mark.parametrize("generations", [(), (2,), (1, 3), (1, 1)])
def test_gaps_are_refused(generations):
    with pytest.raises(VerificationError):
        check_generations(keys(*generations))
