"""An administrator's first day in the console, in a real browser that checks certificates."""

import json
import os
import re
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import expect
from support import browser as browsers
from support.soft_hsm import init_arguments

from demo.programs import PROGRAM, Server, free_port, run

pytestmark = pytest.mark.skipif(not browsers.is_there(), reason="needs /usr/bin/chromium and certutil")

PASSWORD = "correct horse battery"
PEOPLE = "address,given_name,surname\n" + "".join(
    f"{name.lower()}@example.test,{name},{surname}\n"
    for name, surname in (("Alice", "Archer"), ("Bob", "Baker"), ("Carol", "Carpenter"))
)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
MANY = "".join(f"p{number:03}@example.test,Person,{number:03}\n" for number in range(60))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    server = Server(folder / "data", folder / "server.log")
    https, status = free_port(), free_port()
    made = run([
        str(PROGRAM), "init", str(server.data), "--organization", "Example GmbH", "--domain", "example.test", *init_arguments(),
        "--organization-identifier", "NTRDE-DER3306.HRB12345",
        "--endpoint", f"https://localhost:{https}", "--listen", f"127.0.0.1:{https}",
        "--status-url", f"http://127.0.0.1:{status}", "--key-algorithm", "p256",
    ])  # fmt: skip
    server.url = f"https://localhost:{https}/console"
    server.first_link = re.search(r"https://\S+/console/sign-in#\S+", made.output)[0]
    try:
        server.start()
        server.operate("invite", "-o", str(folder / "invitation"))
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def chromium(server, tmp_path_factory):
    from base64 import b64decode

    home = tmp_path_factory.mktemp("home")
    anchor = json.loads((server.data.parent / "invitation").read_text())["tls_anchors"][0]
    root = x509.load_der_x509_certificate(b64decode(anchor))
    (home / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    browsers.trust(home, home / "root.pem")
    with browsers.chromium(home) as browser:
        yield browser


class Visit:
    """A browser window of its own that writes down what its console says."""

    def __init__(self, chromium, **options):
        self.context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def shot(self, name):
        """Take a picture where SEALWRIGHT_SCREENSHOTS names a folder; nothing is wider than the window."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        folder = os.environ.get("SEALWRIGHT_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    def expect_complaint(self, text):
        """The browser tells of an answer's status, as it does of every error's."""
        assert len(self.complaints) == 1
        assert text in self.complaints.pop()

    def heading(self):
        return self.page.locator("h1").inner_text()


@pytest.fixture
def visit(chromium):
    made = []

    def open_window(**options):
        made.append(Visit(chromium, **options))
        return made[-1]

    yield open_window
    for each in made:
        each.context.close()
    assert [complaint for each in made for complaint in each.complaints] == []


def new_link(server):
    return re.search(r"https://\S+", server.operate("sign-in-link").output)[0]


def set_password(window, link, name):
    window.page.goto(link)
    window.page.wait_for_url("**/set-up")
    window.page.get_by_label("Name").fill(name)
    window.page.get_by_label("Password at least").fill(PASSWORD)
    window.page.get_by_label("Password again").fill(PASSWORD)
    window.page.get_by_role("button", name="Set password").click()
    window.page.wait_for_url("**/console")


def import_people(server, text):
    """Import a staff list and wait until keys and certificates are made."""
    (server.data.parent / "people.csv").write_text(text)
    server.operate("people", "import", str(server.data.parent / "people.csv"))
    deadline = time.monotonic() + 60
    while ", 0 still wait" not in server.operate("people", "list").output:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_first_day(server, visit):
    window = visit()
    page = window.page
    # 1 By the link that init printed, and before set-up nowhere else.
    page.goto(server.url)
    page.wait_for_url("**/sign-in")
    window.shot("sign-in")
    page.goto(server.first_link)
    page.wait_for_url("**/set-up")
    assert "#" not in page.url
    window.shot("set-up")
    page.goto(server.url + "/people")
    page.wait_for_url("**/set-up")
    # 2 Name and password; a slip is told, and what was typed is kept.
    page.get_by_label("Name").fill("Jane.Doe")
    page.get_by_label("Password at least").fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD + "!")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    window.expect_complaint("400")
    assert page.get_by_label("Name").input_value() == "Jane.Doe"
    page.get_by_label("Password at least").fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.wait_for_url("**/console")
    assert window.heading() == "Example GmbH"
    assert page.get_by_role("heading", name="Ready").is_visible()
    window.shot("overview-empty")
    page.get_by_role("link", name="People", exact=True).first.click()
    expect(page.get_by_text("Nobody here yet")).to_be_visible()
    window.shot("people-empty")
    # 3 The link is used up.
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto(server.first_link)
    expect(page.get_by_role("alert")).to_contain_text("was used already")
    window.expect_complaint("401")
    window.shot("link-used")


def test_people(server, visit):
    import_people(server, PEOPLE)
    window = visit()
    page = window.page
    set_password(window, new_link(server), "people")
    page.get_by_role("link", name="People", exact=True).first.click()
    expect(page.locator("tbody tr")).to_have_count(3)
    window.shot("people")
    # 1 Search with the keyboard; the list follows, and the address says what is shown.
    page.get_by_role("searchbox").focus()
    page.keyboard.type("carp")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("Carol Carpenter")
    expect(page).to_have_url(re.compile(r"\?q=carp$"))
    page.keyboard.type("<b>")
    expect(page.get_by_text("Nobody found")).to_be_visible()
    assert page.locator("#people b").count() == 0
    window.shot("people-none")
    page.get_by_role("link", name="Show all 3").click()
    # 2 One person.
    page.get_by_role("link", name="Alice Archer").click()
    expect(page.locator("h1")).to_have_text("Alice Archer")
    assert "No device yet" in page.locator("main").inner_text()
    assert page.locator(".tag", has_text="active").count() == 1
    assert page.locator(".tag", has_text="valid").count() == 1
    assert "Key made" in page.locator("main").inner_text()
    window.shot("person")


def test_log_and_signing_out(server, visit):
    window = visit()
    page = window.page
    set_password(window, new_link(server), "log.reader")
    page.get_by_role("link", name="Log", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Log")
    text = page.locator("main").inner_text()
    assert "Administrator set up" in text
    assert "administrator.create" in text
    assert "example.test/sealwright/" in page.locator("pre").inner_text()
    page.get_by_text("Details").first.click()
    window.shot("log")
    # the cookie is out of scripts' reach, and signing out ends the session itself
    cookie = next(each for each in window.context.cookies() if each["name"] == "__Host-sealwright")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    window.context.add_cookies([cookie])
    page.goto(server.url)
    page.wait_for_url("**/sign-in")
    page.get_by_label("Name").fill("Log.Reader")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")
    window.shot("overview")
    page.get_by_role("link", name="log.reader").click()
    expect(page.get_by_text("No passkey yet")).to_be_visible()
    window.shot("account")


def test_passkey(server, visit):
    window = visit()
    page = window.page
    tools = window.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(new_link(server))
    page.wait_for_url("**/set-up")
    page.get_by_label("Name").fill("pat")
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url("**/console")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/console")
    assert page.get_by_role("link", name="pat").is_visible()
    page.goto(server.url + "/account")
    assert "Passkey 1" in page.locator("main").inner_text()
    window.shot("account-passkey")
    page.get_by_role("button", name="Sign out").click()
    # an authenticator that does not check who holds it is not enough
    where = {"authenticatorId": made["authenticatorId"], "isUserVerified": False}
    tools.send("WebAuthn.setUserVerified", where)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    tools.send("WebAuthn.setUserVerified", {**where, "isUserVerified": True})
    # the only credential stays; with a password beside it the passkey can go, and opens nothing any more
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/console")
    page.goto(server.url + "/account")
    expect(page.get_by_text("Remove", exact=True)).to_have_count(0)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("Remove", exact=True).click()
    window.shot("account-passkey-remove")
    page.get_by_role("button", name="Remove passkey 1 for good").click()
    expect(page.get_by_text("No passkey yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_be_visible()
    window.expect_complaint("401")


def test_a_letter_is_printed_with_a_passkey(server, visit):
    import_people(server, PEOPLE)
    window = visit()
    page = window.page
    tools = window.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(new_link(server))
    page.wait_for_url("**/set-up")
    page.get_by_label("Name").fill("lee")
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url("**/console")
    page.goto(server.url + "/people")
    page.get_by_role("link", name="Alice Archer").click()
    window.shot("person-letter-to-make")
    page.get_by_role("button", name="Make a letter").press("Enter")
    expect(page.locator("h1")).to_have_text("Enrolment letter")
    code = page.locator(".letter svg")
    assert code.bounding_box()["width"] > 100
    assert re.fullmatch(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){4}", page.locator(".secret").inner_text())
    window.shot("letter")
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".letter")).to_be_visible()
    window.shot("letter-printed")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 360, "height": 740})
    window.shot("letter-telephone")
    page.get_by_role("link", name="Back to the person").click()
    expect(page.locator("main")).to_contain_text("Enrolment secret made")


def test_the_pages_of_custody_show_who_decides(server, visit):
    import_people(server, PEOPLE)
    alice, bob, carol = (f"{name}@example.test" for name in ("alice", "bob", "carol"))
    server.operate("recovery", "set-rule", "--owner-delay-days", "30")
    server.operate("hold", "set", carol, "--reason", "case 2026-17")
    server.operate("policy", "level", "3")
    server.operate("policy", "networks", "192.0.2.0/24", "--group", "board")
    server.operate("policy", "assign", carol, "board")
    for each in (alice, bob):
        server.operate("roles", "appoint", each, "security-officer")
    server.operate("roles", "appoint", carol, "security-officer", "--reason", "a third one")
    server.operate("policy", "level", "1", "--reason", "telephones cannot do it yet")
    for width, name in ((1280, "desktop"), (360, "telephone")):
        window = visit(viewport={"width": width, "height": 800})
        page = window.page
        set_password(window, new_link(server), f"overseer-{name}")
        page.get_by_role("link", name="Custody", exact=True).press("Enter")
        expect(page.locator("main")).to_contain_text("2 open")
        expect(page.locator("main")).to_contain_text("2 people have a role")
        window.shot(f"custody-{name}")
        expect(page.get_by_role("link", name="Recovery", exact=True)).to_have_count(0)  # not for administrators
        for link, words in (
            ("Release policy", "192.0.2.0/24"),
            ("Approvals", "Weaken the release policy"),
            ("Roles", "Who may do what"),
            ("Keys", "All well"),
            ("Legal holds", "case 2026-17"),
            ("Seal", "Emergency key"),
        ):
            page.goto(server.url + "/custody")
            page.get_by_role("link", name=link, exact=True).press("Enter")
            expect(page.locator("h1")).to_have_text(link)
            expect(page.locator("main")).to_contain_text(words)
            window.shot(f"custody-{link.lower().replace(' ', '-')}-{name}")
        page.goto(server.url + "/approvals")
        page.get_by_role("link", name="Weaken the release policy").click()
        expect(page.locator("main")).to_contain_text("sealwright approvals approve")
        window.shot(f"custody-approval-{name}")
        page.goto(server.url + "/people")
        page.get_by_role("link", name="Carol Carpenter").click()
        expect(page.locator("main")).to_contain_text("Groupboard")
        window.shot(f"person-{name}")
    auditor = visit()
    link = re.search(r"https://\S+", server.operate("sign-in-link", "--role", "auditor").output)[0]
    set_password(auditor, link, "auditor")
    auditor.page.goto(server.url + "/custody")
    auditor.page.get_by_role("link", name="Recovery", exact=True).click()
    expect(auditor.page.locator("main")).to_contain_text("30 days after the approval")
    auditor.shot("recoveries")


def test_an_administrator_is_removed_and_an_unknown_page_is_told(server, visit):
    window, other = visit(), visit()
    page = window.page
    set_password(window, new_link(server), "keeper")
    set_password(other, new_link(server), "leaver")
    set_password(visit(), new_link(server), "stays")
    page.get_by_role("link", name="Custody", exact=True).click()
    page.get_by_role("link", name="Administrators", exact=True).click()
    row = page.locator("tr", has_text="leaver")
    row.get_by_text("Remove", exact=True).click()
    window.shot("administrators")
    row.get_by_role("button", name="Remove leaver for good").click()
    expect(page.locator("tr", has_text="leaver")).to_have_count(0)
    expect(page.locator("tr", has_text="keeper")).to_contain_text("you")
    other.page.goto(server.url)
    other.page.wait_for_url("**/sign-in")
    page.goto(server.url + "/nothing/here")
    expect(page.locator("h1")).to_have_text("Not found")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    window.expect_complaint("404")
    window.shot("not-found")
    other.page.goto(server.url + "/nothing")
    expect(other.page.locator("h1")).to_have_text("Not found")
    other.expect_complaint("404")
    other.shot("not-found-signed-out")
    page.goto(server.url + "/administrators")
    row = page.locator("tr", has_text="keeper")
    row.get_by_text("Remove", exact=True).click()
    row.get_by_role("button", name="Remove your own account").click()
    page.wait_for_url("**/sign-in")


def test_phone_and_dark(server, visit):
    import_people(server, PEOPLE + MANY)
    set_password(visit(), new_link(server), "spare")  # so that there is one to remove
    for name, scheme in (("phone", "light"), ("phone-dark", "dark")):
        window = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, device_scale_factor=2)
        page = window.page
        page.goto(server.url)
        window.shot(f"{name}-sign-in")
        set_password(window, new_link(server), name)
        window.shot(f"{name}-overview")
        page.get_by_role("link", name="People", exact=True).first.click()
        page.get_by_role("link", name="Next").click()
        expect(page.locator("main")).to_contain_text("page 2 of 2")
        page.get_by_role("link", name="Previous").click()
        expect(page.locator("main")).to_contain_text("page 1 of 2")
        window.shot(f"{name}-people")
        page.get_by_role("link", name="Alice Archer").click()
        expect(page.locator("h1")).to_have_text("Alice Archer")
        window.shot(f"{name}-person")
        page.get_by_role("link", name="Log", exact=True).first.click()
        expect(page.locator("h1")).to_have_text("Log")
        page.get_by_text("Details").first.click()
        window.shot(f"{name}-log")
        page.goto(server.url + "/administrators")
        page.locator("summary", has_text="Remove").first.click()
        window.shot(f"{name}-administrators")
    dark = visit(color_scheme="dark")
    set_password(dark, new_link(server), "night")
    dark.shot("dark-overview")
    dark.page.goto(server.url + "/people")
    dark.shot("dark-people")
