"""Fixtures that any test may use."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def passable_folder() -> Iterator[Path]:
    """A folder with a short path that servers under accounts of their own can reach; pytest's own is private."""
    folder = Path(tempfile.mkdtemp(prefix="sealwright-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
