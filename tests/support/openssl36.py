"""OpenSSL 3.6.5 for post-quantum CMS: Debian's `openssl` command on the libraries that the wheel of pycurl brings.

Debian's own OpenSSL knows neither ML-KEM nor ML-DSA. The wheel is pinned in the lock file; were its OpenSSL another one day,
the tests say so rather than prove less.
"""

import ctypes
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def environment() -> dict[str, str]:
    """Return the environment in which the `openssl` command is OpenSSL 3.6 or newer.

    Raises:
        FileNotFoundError: If pycurl or its libraries are not there.
        AssertionError: If they are of an older OpenSSL.
    """
    libraries = Path(sysconfig.get_paths()["platlib"]) / "pycurl.libs"
    folder = tempfile.TemporaryDirectory(prefix="openssl36-")
    _kept.append(folder)
    for name in ("libcrypto", "libssl"):
        found = sorted(libraries.glob(f"{name}-*.so.3"))
        if len(found) != 1:
            raise FileNotFoundError(f"no {name} in {libraries}; `make install` brings it with pycurl")
        (Path(folder.name) / f"{name}.so.3").symlink_to(found[0])
    result = {**os.environ, "LD_LIBRARY_PATH": folder.name}
    version = subprocess.run(["openssl", "version"], env=result, check=True, capture_output=True, text=True).stdout
    library = version.partition("Library: OpenSSL ")[2]
    assert library and tuple(map(int, library.split()[0].split(".")[:2])) >= (3, 6), version
    return result


_kept: list[tempfile.TemporaryDirectory[str]] = []
"""Folders of links, removed when Python ends."""


def run(
    *arguments: str, folder: Path, may_fail: bool = False, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `openssl` with arguments in a folder; `settings` are those of its default provider."""
    chosen = dict(environment())
    if settings is not None:
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        sections = f"openssl_conf = init\n[init]\nproviders = all\n[all]\ndefault = one\n[one]\nactivate = 1\n{lines}"
        (folder / "openssl.cnf").write_text(sections)
        chosen["OPENSSL_CONF"] = str(folder / "openssl.cnf")
    return subprocess.run(["openssl", *arguments], cwd=folder, env=chosen, check=not may_fail, capture_output=True)


def library_has(symbol: str) -> bool:
    """Say whether the library exports a function."""
    return hasattr(ctypes.CDLL(f"{environment()['LD_LIBRARY_PATH']}/libcrypto.so.3"), symbol)
