"""Fixtures that any test may use, and the rounds of `make proof`.

Tests marked `proof` - every property test and every race are, too - hold for chance: examples, threads, moments. `make test`
runs each once; `make proof` runs them alone, SEALWRIGHT_PROOF_ROUNDS times, each round with other chances.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.proof import PROOF_ROUNDS
from support.soft_hsm import prepare_suite


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker; make the HSM of a run that has one."""
    prepare_suite()
    config.addinivalue_line("markers", "proof: holds for chance; `make proof` runs it again and again")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark property tests and races, before anything is chosen by marker."""
    for item in items:
        if _is_proof(getattr(item, "function", None), getattr(item, "fixturenames", ())):
            item.add_marker("proof")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the rounds of a proof."""
    marked = metafunc.definition.get_closest_marker("proof") is not None
    if PROOF_ROUNDS > 1 and (marked or _is_proof(metafunc.function, metafunc.fixturenames)):
        if "proof_round" not in metafunc.fixturenames:
            metafunc.fixturenames.append("proof_round")
        metafunc.parametrize("proof_round", range(PROOF_ROUNDS))


def _is_proof(function: object, fixture_names: object) -> bool:
    assert isinstance(fixture_names, list | tuple)
    return bool(getattr(function, "is_hypothesis_test", False)) or "race" in fixture_names


@pytest.fixture
def proof_round() -> int:
    """Which round of `make proof` this is; for names that must differ, and for a seed."""
    return 0


@pytest.fixture(scope="module")
def passable_folder() -> Iterator[Path]:
    """A folder with a short path that servers under accounts of their own can reach; pytest's own is private."""
    folder = Path(tempfile.mkdtemp(prefix="sealwright-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
