"""Forms, tokens, cookies and pages: what is not exactly right is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from sealwright.errors import InputError, NotFoundError, PermissionDeniedError
from sealwright.webui.forms import form_fields
from sealwright.webui.guard import SECURITY_HEADERS, check_form_token, check_origin, form_token, read_cookie, set_cookie
from sealwright.webui.render import Pages, duration, fingerprint, moment, until

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_forms():
    assert form_fields(b"") == {}
    assert form_fields(b"a=1&b=%C3%A4+x") == {"a": "1", "b": "ä x"}
    for body in (b"a=1&a=2", b"a=%FF", b"\xff", b"a", b"a=" + b"x" * 70_000, b"&".join(b"%d=1" % n for n in range(30))):
        with pytest.raises(InputError):
            form_fields(body)


def test_origin():
    check_origin("https://a.test", ("https://a.test",))
    for origin in (None, "null", "https://b.test", "http://a.test", "https://a.test:444"):
        with pytest.raises(PermissionDeniedError):
            check_origin(origin, ("https://a.test",))


def test_form_token_belongs_to_its_session():
    check_form_token("one", form_token("one"))
    for given in ("", "ä", form_token("two"), "one"):
        with pytest.raises(PermissionDeniedError):
            check_form_token("one", given)


def test_durations():
    days = timedelta(days=7)
    assert [duration(each) for each in (days, 7200, 86_400, 900)] == ["7 days", "2 h", "24 h", "0.25 h"]


def test_cookie():
    header = set_cookie("secret", NOW + timedelta(hours=12), NOW)
    assert header.startswith("__Host-sealwright=secret;")
    for flag in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=43200"):
        assert flag in header
    assert "Max-Age=0" in set_cookie("", NOW, NOW)
    assert read_cookie("other=1; __Host-sealwright=secret") == "secret"
    for nothing in (None, "", "other=1", "__Host-sealwright=" + "x" * 9000):
        assert read_cookie(nothing) == ""


def test_policy_allows_no_inline_script():
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy


def test_pages_escape_and_know_their_names():
    pages = Pages("/static")
    context = {"administrator": None, "form_token": "", "organization_name": "<A & B>", "title": "T", "detail": "<i>"}
    content = pages.render("error.html", context).decode()
    assert "&lt;A &amp; B&gt;" in content
    assert "<i>" not in content
    with pytest.raises(UndefinedError):
        pages.render("error.html", {"organization_name": "A"})
    with pytest.raises(NotFoundError):
        pages.static("../render.py")
    assert pages.asset("console.js").startswith("/static/console.js?v=")


def test_no_template_has_inline_script_or_style():
    from importlib.resources import files

    for path in files("sealwright.webui").joinpath("templates").iterdir():
        text = path.read_text("utf-8")
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick=" not in text
        assert "<script>" not in text
        assert "|safe" not in text


def test_words():
    assert until(NOW, NOW) == "expired"
    assert until(NOW + timedelta(hours=5), NOW) == "in 5 h"
    assert until(NOW + timedelta(days=5), NOW) == "in 5 days"
    assert until(NOW + timedelta(days=3652), NOW) == "in 10 years"
    assert fingerprint(b"\x01\x02\x03\x04") == "0102 0304"
    assert moment(NOW) == '<time datetime="2026-11-24T12:00:00Z">24 Nov 2026, 12:00 UTC</time>'
