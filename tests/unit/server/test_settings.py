"""Settings: what is written can be read, the environment wins, and nothing unknown or unsafe is accepted."""

import pytest

from sealwright.errors import ConfigurationError
from sealwright.server.settings import load_settings, split_listen
from sealwright.tlog.note import COSIGNATURE, VerifierKey

GOOD = """
[server]
endpoints = ["https://127.0.0.1:8443"]
listen = "127.0.0.1:8443"
status_url = "http://127.0.0.1:8080"
status_listen = "127.0.0.1:8080"
[organization]
organization_id = "00000000000000000000000000000000"
name = "Example GmbH"
domain = "example.test"
[seal]
key_file = "/nowhere/key"
"""


def load(folder, text=GOOD, environment=None):
    (folder / "sealwright.toml").write_text(text, "utf-8")
    return load_settings(folder, environment or {})


def test_reads_and_fills_defaults(tmp_path):
    settings = load(tmp_path)
    assert settings.organization.name == "Example GmbH"
    assert settings.keys.algorithm == "rsa-3072"
    assert settings.data_folder == tmp_path.resolve()
    assert settings.imap.for_statement() is None


def test_environment_replaces(tmp_path):
    environment = {
        "SEALWRIGHT_MAIL__PORT": "2525",
        "SEALWRIGHT_SERVER__ENDPOINTS": "https://a.test, https://b.test",
        "SEALWRIGHT_LOG__JSON": "true",
        "SEALWRIGHT_DATA": "ignored: no section",
    }
    settings = load(tmp_path, environment=environment)
    assert settings.mail.port == 2525
    assert settings.server.endpoints == ("https://a.test", "https://b.test")
    assert settings.log.json is True


WITNESS = VerifierKey("w.example", bytes(32), COSIGNATURE).encode()
WITNESSES = '[witnesses]\nkeys = ["{}"]\nurls = ["{}"]\nquorum = {}\n'


def test_witnesses_have_a_key_and_an_url_each(tmp_path):
    (known,) = load(tmp_path, GOOD + WITNESSES.format(WITNESS, "https://w.example/log", 1)).witnesses.known()
    assert (known.key.name, known.url) == ("w.example", "https://w.example/log")
    assert load(tmp_path).witnesses.known() == ()


@pytest.mark.parametrize(
    "text",
    [
        GOOD + WITNESSES.format(WITNESS, "https://w.example/", 1),
        GOOD + WITNESSES.format(WITNESS, "ftp://w.example", 1),
        GOOD + WITNESSES.format(WITNESS, "https://w.example", 2),
        GOOD + WITNESSES.format(WITNESS, "https://w.example", 0),
        GOOD + WITNESSES.format(WITNESS, 'https://w.example", "https://x.example', 1),
        GOOD + WITNESSES.format(f'{WITNESS}", "{WITNESS}', 'https://w.example", "https://x.example', 1),
        GOOD + WITNESSES.format("w.example", "https://w.example", 1),
        GOOD + WITNESSES.format(VerifierKey("w.example", bytes(32)).encode(), "https://w.example", 1),
        GOOD + "[suprise]\nkey = 1\n",
        GOOD + "[keys]\npool_sise = 3\n",
        GOOD + '[keys]\npool_size = "many"\n',
        GOOD + "-data-folder = '/tmp'\n[",
        GOOD.replace("https://127.0.0.1:8443", "http://127.0.0.1:8443"),
        GOOD.replace('status_url = "http://127.0.0.1:8080"', 'status_url = "http://127.0.0.1:8080/"'),
        GOOD + '[mail]\nhost = "mail.example.test"\nsecurity = "none"\n',
        GOOD + '[imap]\nhost = "mail.example.test"\nsecurity = "none"\n',
        GOOD + '[log]\nlevel = "loud"\n',
        "",
    ],
)
def test_refuses(tmp_path, text):
    with pytest.raises(ConfigurationError):
        load(tmp_path, text)


@pytest.mark.parametrize("name", ["SEALWRIGHT_KEYS__POOL_SISE", "SEALWRIGHT_SUPRISE__KEY"])
def test_refuses_unknown_environment(tmp_path, name):
    with pytest.raises(ConfigurationError, match=name):
        load(tmp_path, environment={name: "1"})


def test_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="init"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize("text", ["8443", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", ":1", "host:x"])
def test_listen_refuses(text):
    with pytest.raises(ConfigurationError):
        split_listen(text, "here")


def test_listen_takes_ipv6():
    assert split_listen("[::1]:8443", "here") == ("::1", 8443)
