"""Who may do what: the table as it is printed and documented, every route in it, and what each role is refused."""

from pathlib import Path

import msgspec
import pytest
from support.console_browser import ConsoleBrowser
from support.served import ALICE, BOB, Served

from sealwright.directory.fronts.http import LOOKUP_PATH
from sealwright.errors import PermissionDeniedError
from sealwright.identity.permissions import (
    ACTORS,
    ANYONE,
    HOST,
    PERMISSIONS,
    PERSON,
    ROUTES,
    check_permission,
    permission_of,
    permission_table,
)
from sealwright.server.app import SCHEMA_PATH, local_app
from sealwright.wire.operator import MemberRequest, RoleRequest, SharedMailboxRequest, SignInLinkRequest
from sealwright.wire.roles import AUDITOR, HELP_DESK, ROLES

PAGE = Path(__file__).parents[3] / "docs" / "custody.md"
READING = {name for name in PERMISSIONS if name.endswith((".read", ".read-public"))}


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path)
    yield made
    made.close()


def routes(app):
    while not hasattr(app, "routes"):
        app = app._app
    return {(method, route.path_format) for route in app.routes for method in route.methods - {"OPTIONS"}}


def test_the_page_shows_the_table_that_is_in_force():
    assert permission_table() in PAGE.read_text(encoding="utf-8")


def test_every_route_declares_its_permission_and_no_other_is_declared(served):
    found = routes(served.app) | routes(local_app(served.services))
    own = {f"{method} {path}" for method, path in found if not (path + "/").startswith(SCHEMA_PATH + "/")}
    assert own == set(ROUTES)
    assert {ROUTES[name] for name in ROUTES} <= set(PERMISSIONS)
    assert LOOKUP_PATH not in {name.partition(" ")[2] for name in ROUTES}  # answered before the framework, to everybody
    assert (
        {actor for actors in PERMISSIONS.values() for actor in actors} == set(ACTORS) == {*ROLES, ANYONE, PERSON, HOST}
    )


def test_the_hosts_routes_are_for_the_host_and_nobody_is_both():
    for route, permission in ROUTES.items():
        is_local = "/local/" in route or route.endswith("/metrics")
        assert not is_local or HOST in PERMISSIONS[permission], route
        is_read_by_both = permission == "log.read"
        assert " /v1/" not in route or HOST not in PERMISSIONS[permission] or is_read_by_both, route


def test_an_auditor_reads_and_changes_nothing_and_the_help_desk_sees_no_keys():
    of_auditor = {name for name, actors in PERMISSIONS.items() if AUDITOR in actors}
    assert of_auditor - READING == {"console.use-own-account"}
    assert {name for name in READING if ANYONE not in PERMISSIONS[name]} - of_auditor == {
        "proposal.read",
        "metrics.read",
    }
    of_help_desk = {name for name, actors in PERMISSIONS.items() if HELP_DESK in actors}
    assert of_help_desk == {"console.use-own-account", "state.read", "person.read", "device.lock"}


def test_what_is_not_declared_is_refused():
    with pytest.raises(PermissionDeniedError):
        permission_of("POST", "/console/people")
    assert permission_of("HEAD", "/console/people") == "person.read"
    with pytest.raises(PermissionDeniedError, match="administrator"):
        check_permission("administrator.change", (AUDITOR, PERSON))


def test_the_console_shows_each_role_what_it_may_see(served):
    alice = served.services.people.find_mailbox(served.services.organization_id, ALICE)
    made = SharedMailboxRequest(address="support@example.test", display_name="Support & <help>")
    assert served.operate("/local/shared-mailboxes", made).status_code == 204
    pages = ("/console/people", f"/console/people/{alice.mailbox_id}", "/console/log", "/console/administrators")
    expected = {
        "administrator": (200, 200, 200, 200),
        AUDITOR: (200, 200, 200, 200),
        HELP_DESK: (200, 200, 403, 403),
        "operator": (403, 403, 403, 403),
    }
    for role, statuses in expected.items():
        browser = ConsoleBrowser(served, role)
        overview = browser.get("/console")
        assert overview.status_code == 200, overview.text
        assert tuple(browser.get(page).status_code for page in pages) == statuses, role
        assert ('href="/console/log"' in overview.text) == (statuses[2] == 200)
    shared = ConsoleBrowser(served, "recovery-officer").get("/console/shared")
    assert shared.status_code == 403
    person = ConsoleBrowser(served, "security-officer").get(pages[1]).text
    assert "Encryption keys" in person
    helped = served.services.administrators.everybody(served.services.organization_id)
    assert {each.role for each, _ in helped} == {*expected, "security-officer", "recovery-officer"}


def test_each_role_sees_exactly_the_pages_that_the_table_says(served):
    pages = {
        route.partition(" ")[2]: permission
        for route, permission in ROUTES.items()
        if route.startswith("GET /console") and "{" not in route and "sign-in" not in route and "set-up" not in route
    }
    for role in ROLES:
        browser = ConsoleBrowser(served, role)
        hub = browser.get("/console/custody").text
        for page, permission in pages.items():
            may_see = role in PERMISSIONS[permission]
            answer = browser.get(page)
            assert answer.status_code == (200 if may_see else 403), (role, page, answer.text)
            assert f'href="{page}"' not in hub or may_see, (role, page)


def test_the_console_lists_shared_mailboxes_with_their_members(served):
    made = SharedMailboxRequest(address="support@example.test", display_name="Support & <help>")
    assert served.operate("/local/shared-mailboxes", made).status_code == 204
    joined = MemberRequest(address="support@example.test", member=ALICE, joins=True)
    assert served.operate("/local/shared-mailboxes/members", joined).status_code == 204
    shown = ConsoleBrowser(served, HELP_DESK).get("/console/shared").text
    assert all(words in shown for words in ("support@example.test", ALICE, "Support &amp; &lt;help&gt;", "new key"))


def test_the_help_desk_sees_a_person_without_keys_and_log(served):
    alice = served.services.people.find_mailbox(served.services.organization_id, ALICE)
    shown = ConsoleBrowser(served, HELP_DESK).get(f"/console/people/{alice.mailbox_id}").text
    assert "Devices" in shown
    assert "Encryption keys" not in shown
    assert "Newest log entries" not in shown


def test_a_person_decides_on_nothing_without_the_role(served):
    alice, path = served.enrol(), f"/v1/proposals/{'0' * 32}/decisions"
    refused = served.ask(path, *alice, b"{}")
    assert (refused.status_code, "needs the role" in refused.text) == (403, True)
    for address in (ALICE, BOB):
        appointed = RoleRequest(address=address, role="security-officer", holds=True, reason="first")
        assert served.operate("/local/roles", appointed).status_code == 200
    assert served.ask(path, *alice, b"{}").status_code != 403


def test_a_link_gives_no_role_that_is_none(served):
    assert served.operate("/local/sign-in-links", SignInLinkRequest(role="emperor")).status_code == 400
    made = served.operate("/local/sign-in-links", SignInLinkRequest(role=AUDITOR))
    assert msgspec.json.decode(made.content, type=dict)["url"]
