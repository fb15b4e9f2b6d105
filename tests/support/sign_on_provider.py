"""An OpenID Connect provider built on Authlib, over TLS: authorization code with PKCE, and the device flow.

Whoever comes with a browser is signed on as `person` at once.
"""

import secrets
import threading
import time
import urllib.request
import warnings
from dataclasses import dataclass, field

import flask
import werkzeug.serving
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oidc.core import OpenIDCode, UserInfo
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID = "sealwright"


@dataclass
class Code:
    """An authorization code or a device code."""

    client_id: str
    redirect_uri: str = ""
    scope: str = "openid email"
    nonce: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str | None = None
    user: str | None = None
    code: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return int(time.time())

    def get_acr(self):
        return None

    def get_amr(self):
        return None

    def get_client_id(self):
        return self.client_id

    def get_user_code(self):
        return self.code[:8]

    def is_expired(self):
        return False


class Client:
    """The one public client: loopback addresses with any port (RFC 8252)."""

    client_id = CLIENT_ID

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri.startswith("http://127.0.0.1:")

    def check_client_secret(self, client_secret):
        return False

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "none"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type in ("authorization_code", DEVICE_CODE_GRANT_TYPE)


class Provider:
    """Use as a context manager.

    Args:
        port: Of 127.0.0.1.
        certificate: TLS chain, PEM.
        key: Its private key, PEM.
    """

    def __init__(self, port, certificate, key):
        self.issuer, self.person = f"https://127.0.0.1:{port}", "nobody@example.test"
        self.codes, self.approve_devices = {}, True
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        context = (str(certificate), str(key))
        self.server = werkzeug.serving.make_server("127.0.0.1", port, self._app(), threaded=True, ssl_context=context)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.1,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def _app(self):  # noqa: C901 - a class for each grant, a function for each endpoint
        provider, app = self, flask.Flask("provider")
        server = AuthorizationServer(app, query_client=lambda _: Client(), save_token=lambda _token, _request: None)

        class CodeGrant(grants.AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

            def save_authorization_code(self, code, request):
                data = request.payload.data if hasattr(request, "payload") else request.data
                provider.codes[code] = Code(
                    client_id=CLIENT_ID,
                    redirect_uri=data.get("redirect_uri"),
                    nonce=data.get("nonce"),
                    code_challenge=data.get("code_challenge"),
                    code_challenge_method=data.get("code_challenge_method"),
                    user=provider.person,
                    code=code,
                )

            def query_authorization_code(self, code, client):
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code):
                provider.codes.pop(authorization_code.code)

            def authenticate_user(self, authorization_code):
                return authorization_code.user

        class IdToken(OpenIDCode):
            def exists_nonce(self, nonce, request):
                return False

            def resolve_client_private_key(self, client):
                return provider.key

            def get_client_algorithm(self, client):
                return "RS256"

            def get_encode_header(self, client):
                return {"alg": "RS256", "kid": "one"}

            def get_client_claims(self, client):
                return {"iss": provider.issuer, "aud": [CLIENT_ID]}

            def generate_user_info(self, user, scope):
                return UserInfo(sub=user, email=user, email_verified=True)

        class DeviceGrant(DeviceCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

            def query_device_credential(self, device_code):
                return provider.codes.get(device_code)

            def query_user_grant(self, user_code):
                return (provider.person, True) if provider.approve_devices else None

            def should_slow_down(self, credential):
                return False

            def create_token_response(self):
                status, body, headers = super().create_token_response()
                now = int(time.time())
                claims = {"iss": provider.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
                claims |= {"sub": provider.person, "email": provider.person}
                body["id_token"] = jwt.encode(
                    {"alg": "RS256", "kid": "one"}, claims, provider.key
                )  # RFC 8628: no nonce
                return status, body, headers

        class DeviceEndpoint(DeviceAuthorizationEndpoint):
            CLIENT_AUTH_METHODS = ("none",)
            INTERVAL = 1

            def get_verification_uri(self):
                return provider.issuer + "/device"

            def save_device_credential(self, client_id, scope, data):
                provider.codes[data["device_code"]] = Code(client_id=client_id, code=data["device_code"])

        server.register_grant(CodeGrant, [IdToken(require_nonce=True), CodeChallenge(required=True)])
        server.register_grant(DeviceGrant)
        server.register_endpoint(DeviceEndpoint)

        @app.get("/.well-known/openid-configuration")
        def configuration():
            names = {"authorization": "authorize", "token": "token", "device_authorization": "device_authorization"}
            found = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()}
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **found}

        @app.get("/keys")
        def keys():
            return KeySet([self.key]).as_dict(private=False)

        @app.get("/authorize")
        def authorize():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                grant = server.get_consent_grant(end_user=self.person)
                return server.create_authorization_response(grant_user=self.person, grant=grant)

        @app.post("/token")
        def token():
            return server.create_token_response()

        @app.post("/device_authorization")
        def device_authorization():
            return server.create_endpoint_response(DeviceEndpoint.ENDPOINT_NAME)

        return app


def browse(url, context):
    """Open an address as a browser does, up to the page of the device."""
    with urllib.request.urlopen(url, context=context, timeout=20) as answer:
        return answer.read()
