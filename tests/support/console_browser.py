"""A browser that is signed in to the console with a role, over the ASGI application."""

from urllib.parse import urlencode

from support.asgi_client import AsgiClient
from support.served import ORIGIN

from sealwright.server.init import make_sign_in_link
from sealwright.webui.guard import form_token


class ConsoleBrowser:
    """Signed in.

    Args:
        served: The server.
        role: Of the new account, which is named after it.
        with_passkey: Whether a passkey opened the session; else a password did.
    """

    def __init__(self, served, role, *, with_passkey=False):
        services = served.services
        administrators, organization_id = services.administrators, services.organization_id
        url, _ = make_sign_in_link(services.storage, services.settings, services.clock, role)
        setting_up = administrators.redeem_link(organization_id, url.partition("#")[2])
        session = administrators.session(organization_id, setting_up.token)
        self.name = f"the-{role}{'-with-passkey' if with_passkey else ''}"
        opened = administrators.set_password(organization_id, session, self.name, "a long pass phrase")
        if with_passkey:
            signed_in = administrators.session(organization_id, opened.token)
            with services.storage.transaction(organization_id) as tx:
                identifier = signed_in.administrator.administrator_id
                opened = administrators.begin_session(tx, organization_id, identifier, "passkey")
        self._token, self._client = opened.token, AsgiClient(served.app)

    def get(self, path):
        """Load a page."""
        return self._client.request("GET", path, b"", headers=self._headers())

    def post(self, path, token=None, **fields):
        """Post a form of this session, or with another token."""
        fields["form_token"] = form_token(self._token) if token is None else token
        return self._client.request("POST", path, urlencode(fields).encode(), headers=self._headers())

    def _headers(self):
        return [(b"cookie", f"__Host-sealwright={self._token}".encode()), (b"origin", ORIGIN.encode())]
