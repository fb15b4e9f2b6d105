"""The console over HTTP, without a browser: who gets in, what posts are taken, what answers carry."""

from urllib.parse import urlencode

import pytest
from support.asgi_client import AsgiClient

from sealwright.clock import SystemClock
from sealwright.keystore.seal_creation import SealPlan
from sealwright.keystore.seal_options import Hsm
from sealwright.server.app import public_app
from sealwright.server.init import InitOptions, initialize, make_sign_in_link
from sealwright.server.settings import KeysSection, MailSection, MailServerSection, ServerSection, load_settings
from sealwright.server.wiring import build
from sealwright.webui.guard import form_token
from sealwright.wire.operator import PersonRow

ORIGIN = "https://127.0.0.1:8443"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server") / "data"
    server = ServerSection(
        endpoints=(ORIGIN,),
        listen="127.0.0.1:8443",
        status_url="http://127.0.0.1:8080",
        status_listen="127.0.0.1:8080",
    )
    options = InitOptions(
        organization="Example & <Söhne>",
        country="DE",
        organization_identifier=None,
        server=server,
        domain="example.test",
        mail=MailSection(sender="sealwright@example.test"),
        imap=MailServerSection(),
        submission=MailServerSection(),
        keys=KeysSection(algorithm="p256", pool_size=2),
        seal_key_file=None,
        seal=SealPlan("key-file", 0, 0, emergency_shares=3, emergency_threshold=2),
        hsm=Hsm("", ""),
        pin_file="",
    )
    made = initialize(folder, options, SystemClock())
    services = build(load_settings(folder, {}))
    yield World(services, made.sign_in_url.partition("#")[2])
    services.close()


class World:
    def __init__(self, services, link):
        self.services, self.client = services, AsgiClient(public_app(services))
        administrators, organization_id = services.administrators, services.organization_id
        self.setting_up = administrators.redeem_link(organization_id, link).token
        begun = administrators.session(organization_id, self.setting_up)
        self.token = administrators.set_password(organization_id, begun, "root", PASSWORD).token
        self.link = link

    def get(self, path, token="", **headers):
        return self.send("GET", path, b"", token, headers)

    def post(self, path, fields=(), token="", origin=ORIGIN, **headers):
        if origin:
            headers["origin"] = origin
        return self.send("POST", path, urlencode(dict(fields)).encode(), token, headers)

    def send(self, method, path, body, token, headers):
        if token:
            headers["cookie"] = f"__Host-sealwright={token}"
        encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return self.client.request(method, f"/console{path}", body, headers=encoded)


def test_nobody_gets_in_without_a_session(world):
    for path in ("", "/people", f"/people/{'0' * 32}", "/log", "/account", "/administrators", "/set-up"):
        for token in ("", "x", world.setting_up):
            answer = world.get(path, token)
            assert answer.status_code == 303, path
            assert answer.headers["location"] == "/console/sign-in"
    partial = world.get("/people", hx_request="true")
    assert partial.headers["hx-redirect"] == "/console/sign-in"
    assert partial.content == b""


def test_pages_carry_the_guards(world):
    for path in ("", "/people", "/log", "/account", "/administrators"):
        answer = world.get(path, world.token)
        assert answer.status_code == 200, path
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["cache-control"] == "no-store"
        assert "Example &amp; &lt;Söhne&gt;" in answer.text
        assert PASSWORD not in answer.text
        assert world.token not in answer.text


def test_posts_from_elsewhere_are_refused(world):
    fields = {"name": "root", "password": PASSWORD}
    for origin in ("", "null", "https://evil.test"):
        assert world.post("/sign-in", fields, origin=origin).status_code == 403
        assert world.post("/sign-in/link", {"link": world.link}, origin=origin).status_code == 403
        assert world.post("/passkeys/sign-in/options", origin=origin).status_code == 403
    for given in ("", form_token("another")):
        assert world.post("/sign-out", {"form_token": given}, world.token).status_code == 403
        assert world.post("/passkeys/register/options", token=world.token, x_form_token=given).status_code == 403
    assert world.get("", world.token).status_code == 200


def test_signing_in_and_out(world):
    refused = world.post("/sign-in", {"name": "<root>", "password": "x"})
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert 'value="&lt;root&gt;"' in refused.text
    answer = world.post("/sign-in", {"name": "root", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert world.get("", token).status_code == 200
    assert world.post("/sign-out", {"form_token": form_token(token)}, token).status_code == 303
    assert world.get("", token).status_code == 303
    assert world.post("/sign-in/link", {"link": world.link}).status_code == 401


def new_administrator(world, name):
    """Return the token of another administrator's session, and the identifier."""
    administrators, organization_id = world.services.administrators, world.services.organization_id
    url, _ = make_sign_in_link(world.services.storage, world.services.settings, world.services.clock)
    begun = administrators.session(
        organization_id, administrators.redeem_link(organization_id, url.partition("#")[2]).token
    )
    token = administrators.set_password(organization_id, begun, name, PASSWORD).token
    return token, administrators.session(organization_id, token).administrator.administrator_id


def test_administrators_are_listed_and_removed(world):
    other, other_id = new_administrator(world, "other")
    listed = world.get("/administrators", world.token).text
    assert listed.count("<tr>") == 3
    assert f"/console/administrators/{other_id}/remove" in listed
    path = f"/administrators/{other_id}/remove"
    fields = {"form_token": form_token(world.token)}
    assert world.post(path, fields).status_code == 401  # nobody
    assert world.post(path, fields, world.token, origin="https://evil.test").status_code == 403
    for given in ("", form_token(other)):
        assert world.post(path, {"form_token": given}, world.token).status_code == 403
    assert world.get("", other).status_code == 200
    assert world.post(path, fields, world.token).headers["location"] == "/console/administrators"
    assert world.get("", other).status_code == 303  # signed out
    gone = world.post(path, fields, world.token)
    assert (gone.status_code, "no such administrator" in gone.text) == (409, True)
    own = world.services.administrators.session(world.services.organization_id, world.token).administrator
    alone = world.post(f"/administrators/{own.administrator_id}/remove", fields, world.token)
    assert (alone.status_code, "last administrator" in alone.text) == (409, True)
    assert "/remove" not in world.get("/administrators", world.token).text


def test_whoever_removes_the_own_account_is_signed_out(world):
    other, other_id = new_administrator(world, "leaving")
    left = world.post(f"/administrators/{other_id}/remove", {"form_token": form_token(other)}, other)
    assert left.headers["location"] == "/console/sign-in"
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert world.get("", other).status_code == 303


def test_passkeys_are_removed_with_the_guards_of_every_post(world):
    path = f"/account/passkeys/{'0' * 32}/remove"
    fields = {"form_token": form_token(world.token)}
    assert world.post(path, {"form_token": "x"}, world.token).status_code == 403
    assert world.post(path, fields, world.token, origin="").status_code == 403
    answer = world.post(path, fields, world.token)
    assert (answer.status_code, "is gone" in answer.text) == (409, True)


@pytest.mark.parametrize("path", ["/nothing", "/people/a/b", "/static/x/y", "/account/more", "/%2e%2e", "/"])
def test_an_unknown_page_is_a_page(world, path):
    for token in ("", "x", world.token):
        for answer in (world.get(path, token), world.post(path, token=token)):
            if path == "/" and answer.status_code in (200, 303):
                continue
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/html")
            assert "There is no such page." in answer.text
            assert answer.headers["content-security-policy"].startswith("default-src 'self'")
            assert ("Sign out" in answer.text) is (token == world.token)


def test_an_unknown_address_beside_the_console_is_json(world):
    answer = world.client.get("/consoles")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_people_are_found_and_shown(world):
    rows = [PersonRow(address=f"p{number:02}@example.test", given_name="<Pat>") for number in range(52)]
    world.services.people.import_people(world.services.organization_id, rows)
    whole = world.get("/people", world.token)
    assert whole.text.count("<tr>") == 51
    assert "page 1 of 2" in whole.text
    assert "&lt;Pat&gt;" in whole.text
    part = world.get("/people?q=P01%20pat", world.token, hx_request="true")
    assert "<html" not in part.text
    assert part.text.count("<tr>") == 2
    assert world.get("/people?page=999", world.token).text.count("<tr>") == 3
    mailbox_id = part.text.partition("/console/people/")[2].partition('"')[0]
    shown = world.get(f"/people/{mailbox_id}", world.token)
    assert "p01@example.test" in shown.text
    assert "The first key is being made" in shown.text
    assert "person.create" in world_log(world, mailbox_id)
    for path in ("/people/none", "/people?page=x", "/log?before=-1", "/nothing", "/static/none.js"):
        assert world.get(path, world.token).status_code == 404, path


def world_log(world, mailbox_id):
    world.services.audit.sequence(world.services.organization_id)
    return world.get(f"/people/{mailbox_id}", world.token).text


def test_static_files_may_be_kept(world):
    answer = world.get("/static/htmx.min.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert world.get("/static/htmx.LICENSE.txt").status_code == 200


def test_passkeys_are_json(world):
    token = form_token(world.token)
    answer = world.post("/passkeys/register/options", token=world.token, x_form_token=token)
    assert answer.status_code == 400
    assert "error" in answer.json()
    given = world.client.request(
        "POST", "/console/passkeys/sign-in", b'{"challenge_id": "x"}', headers=[(b"origin", ORIGIN.encode())]
    )
    assert (given.status_code, "location" in given.json()) == (401, False)
