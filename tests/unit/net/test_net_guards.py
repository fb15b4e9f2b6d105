import pytest

from sealwright.errors import ConfigurationError, DecodingError, InputError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.net.imap import open_mailbox
from sealwright.net.smtp import MailCredentials, submit_mail
from sealwright.net.tls import client_context, is_loopback
from sealwright.net.unix_http import unix_request
from sealwright.wire.statement import MailServer

CLEAR = MailServer(host="mail.example.test", port=25, security="none")


def test_mail_in_clear_goes_to_this_machine_only():
    with pytest.raises(ConfigurationError):
        submit_mail(CLEAR, "a@example.test", ["b@example.test"], b"x")
    with pytest.raises(ConfigurationError), open_mailbox(CLEAR, MailCredentials("a", "b")):
        pass
    assert is_loopback("127.0.0.1")
    assert not is_loopback("mail.example.test")


def test_http_needs_tls_and_bad_anchors_are_refused():
    with pytest.raises(InputError):
        HttpClient().request("GET", "http://example.test/")
    with pytest.raises(DecodingError):
        client_context([b"no certificate"])


def test_missing_socket_is_unavailable(tmp_path):
    with pytest.raises(UnavailableError):
        unix_request(tmp_path / "none", "GET", "/")


def test_password_is_not_in_repr():
    assert "secret" not in repr(MailCredentials("a", "secret"))
