"""A client that calls an ASGI application in this process."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class AsgiClient:
    def __init__(self, app, host="127.0.0.1:8443"):
        self._app, self._host = app, host

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, content=b"", json=None):
        return self.request("POST", path, content, json)

    def request(self, method, path, content=None, json_body=None, headers=()):
        body = json.dumps(json_body).encode() if json_body is not None else content or b""
        return asyncio.run(self._request(method, path, body, headers))

    async def _request(self, method, path, body, headers):
        parts = urlsplit(path)
        sent = [(b"host", self._host.encode()), (b"content-type", b"application/json"), *headers]
        sent.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": sent,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8443),
            "state": {},
        }
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        answer = Answer(0, {}, b"")

        async def receive():
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                answer.content += message.get("body", b"")

        await self._app(scope, receive, send)
        return answer
