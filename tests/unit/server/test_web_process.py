"""What the web process must not do: hold private keys, believe a proxy's word for an address, tell what broke inside."""

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import get
from litestar.exceptions import InternalServerException
from support.asgi_client import AsgiClient

import sealwright
from sealwright.directory.fronts.http import LookupQuota
from sealwright.errors import RateLimitedError
from sealwright.server.app import _application
from sealwright.server.run import web_server_config
from sealwright.server.wiring import Services

SOURCE = Path(sealwright.__file__).parent
ROOMS = ("audit", "ca", "console", "directory", "identity", "kms", "outbox", "server", "storage")
LOADERS = {"load_der_private_key", "load_pem_private_key", "load_pkcs12", "load_key_and_certificates", "open_record"}
PERMITTED = {"server/statement.py": {"load_pem_private_key"}, "server/witness.py": {"load_pem_private_key"}}
"""The offline statement root, opened by an administrator's command alone; a witness's own key, in a process of its own."""


def test_no_module_of_the_server_loads_a_private_key() -> None:
    found = {}
    for path in [path for room in ROOMS for path in (SOURCE / room).rglob("*.py")]:
        tree = ast.walk(ast.parse(path.read_text("utf-8")))
        names = {node.id for node in tree if isinstance(node, ast.Name)}
        tree = ast.walk(ast.parse(path.read_text("utf-8")))
        names |= {node.attr for node in tree if isinstance(node, ast.Attribute)}
        loaders = names & LOADERS - PERMITTED.get(path.relative_to(SOURCE).as_posix(), set())
        if loaders:
            found[path.name] = loaders
    assert found == {}


def test_the_web_process_does_not_even_load_the_code_that_opens_records() -> None:
    program = "import sys, sealwright.server.run\nprint(*(name for name in sys.modules if 'keystore' in name))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "sealwright.keystore.pool" in loaded
    assert not {f"sealwright.keystore.{name}" for name in ("software", "service_keys", "records", "process")} & set(
        loaded
    )


@get("/bug", sync_to_thread=True)
def bug() -> str:
    """Fail as no handler should."""
    raise ValueError("a-secret-value")


@get("/framework", sync_to_thread=True)
def framework() -> str:
    """Fail as the framework may."""
    raise InternalServerException(detail="a-secret-value")


@get("/key", sync_to_thread=True)
def key() -> dict[str, str]:
    """Fail with a value in the exception."""
    return {"value": {}["a-secret-value"]}


@pytest.mark.parametrize("path", ["/bug", "/framework", "/key"])
def test_an_unexpected_exception_tells_nothing(path: str) -> None:
    services: Any = SimpleNamespace(**dict.fromkeys(field.name for field in fields(Services)))
    answer = AsgiClient(_application(services, [bug, framework, key], {}, 1000, "test", lambda *_: None)).get(path)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:sealwright:problem:internal"
    assert b"a-secret-value" not in answer.content
    assert b"Traceback" not in answer.content


def test_nobody_chooses_the_address_that_is_counted() -> None:
    assert web_server_config(bug).proxy_headers is False  # X-Forwarded-For and Forwarded change nothing


def test_a_whole_network_is_one_source() -> None:
    quota = LookupQuota(per_minute=2)
    quota.spend("2001:db8::1", 1)
    quota.spend("2001:db8::2", 1)
    with pytest.raises(RateLimitedError):
        quota.spend("2001:db8::3", 1)
    with pytest.raises(RateLimitedError):
        quota.spend("2001:db8::1", 1)
    quota.spend("2001:db8:0:1::1", 1)
    quota.spend("192.0.2.1", 1)
    quota.spend("::ffff:192.0.2.1", 1)
    with pytest.raises(RateLimitedError):
        quota.spend("192.0.2.1", 1)
