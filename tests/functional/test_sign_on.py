"""Release level 4 on a real server with an OpenID Connect provider: in the browser, and by the device flow."""

import ssl

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization, is_one_line, start
from support.sign_on_provider import CLIENT_ID, Provider, browse

from demo.programs import free_port

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
INPUT, NOT_AUTHENTICATED, PERMISSION = 2, 6, 7


@pytest.fixture
def organization(passable_folder):
    with Organization(passable_folder) as made:
        yield made


@pytest.fixture
def provider(organization):
    folder = organization.tls  # certified by the organization for 127.0.0.1
    with Provider(free_port(), folder / "server.pem", folder / "server.key") as running:
        yield running


def level_4_needs_a_sign_on_first(organization):
    refused = organization.server.operate("policy", "level", "4", may_fail=True)
    assert refused.status == INPUT
    assert "policy sign-on" in refused.errors


def a_device_signs_on_in_the_browser_and_nobody_else_does(organization, provider):
    organization.server.operate("policy", "sign-on", provider.issuer, CLIENT_ID, "--device-flow")
    organization.server.operate("policy", "level", "4")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for person, status in ((BOB, NOT_AUTHENTICATED), (ALICE, 0)):
        provider.person = person
        device = organization.device(ALICE, f"laptop-of-{person.partition('@')[0]}")
        running = start(device, *organization.setup_arguments(device))
        said = []
        for line in running.stderr:
            said.append(line)
            if "sign on in your browser: " in line:
                assert b"close this window" in browse(line.split("browser: ")[1].strip(), context)
        assert running.wait(30) == status, said
        running.stdout.close()
        running.stderr.close()
    assert "level 4" in device.run("devices", "list").output


def the_device_flow_waits_for_somebody_elsewhere(organization, provider):
    provider.person = BOB
    device = organization.device(BOB, "terminal")
    done = device.run(*organization.setup_arguments(device), "--sign-on", "device")
    assert f"sign on at {provider.issuer}/device with the code" in done.errors
    provider.person = ALICE
    other = organization.device(BOB, "other")
    refused = other.run(*organization.setup_arguments(other), "--sign-on", "device", may_fail=True)
    is_one_line(refused, NOT_AUTHENTICATED, "another address")


def another_issuer_is_refused_without_two_officers(organization, provider):
    refused = organization.server.operate("policy", "sign-on", provider.issuer, "other", may_fail=True)
    assert refused.status == PERMISSION


@pytest.mark.timeout(300)
def test_level_4_from_the_beginning(organization, provider):
    """One test: each step needs the one before, and test runners share tests out."""
    level_4_needs_a_sign_on_first(organization)
    a_device_signs_on_in_the_browser_and_nobody_else_does(organization, provider)
    the_device_flow_waits_for_somebody_elsewhere(organization, provider)
    another_issuer_is_refused_without_two_officers(organization, provider)
