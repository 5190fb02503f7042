"""The sign-in of an office: a small OpenID provider on loopback, honest unless a test has it lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, WORD = "hub", "word of the hub"
ANA = {"sub": "7f3a", "email": "ana@city.example", "email_verified": True, "name": "Ana Sol"}


def new_key() -> rsa.RSAPrivateKey:
    """A key to sign with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


_OURS = cache(new_key)


@dataclass
class Office:
    """What it knows, whom it lets in, and what it says instead of the truth."""

    url: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=_OURS)
    person: dict[str, Any] = field(default_factory=lambda: dict(ANA))
    #: Lies: claims of the id token (None: left out), another signature, other facts, an answer without a token.
    claims: dict[str, Any] = field(default_factory=dict)
    sign: tuple[Any, str] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    without_token: bool = False
    asked: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def configuration(self) -> dict[str, Any]:
        """What it publishes of itself."""
        ends = {name: f"{self.url}/{name}" for name in ("authorize", "token", "userinfo", "jwks")}
        return {
            "issuer": self.url,
            "authorization_endpoint": ends["authorize"],
            "token_endpoint": ends["token"],
            "userinfo_endpoint": ends["userinfo"],
            "jwks_uri": ends["jwks"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        known = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [known | {"kid": "one", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where somebody who is let in is sent back to."""
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        self.asked, code = asked, secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """What a code is good for, once; None where it is good for nothing."""
        began = self.codes.pop(asked.get("code", ""), None)
        if began is None or (asked["client_id"], asked["client_secret"]) != (CLIENT, WORD):
            return None
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != began["code_challenge"]:
            return None
        found = {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": 60}
        return found if self.without_token else found | {"id_token": self._id_token(began)}

    def _id_token(self, began: dict[str, str]) -> str:
        now = int(time.time())
        said: dict[str, Any] = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, **self.person}
        said |= {"nonce": began.get("nonce")} | self.claims
        key, algorithm = self.sign or (self.key, "RS256")
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": "one"})


class _Handler(BaseHTTPRequestHandler):
    office: Office

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.office.authorize(dict(parse_qsl(parts.query))))
            self.end_headers()
            return
        told: dict[str, Any] = {
            "/.well-known/openid-configuration": self.office.configuration(),
            "/jwks": self.office.jwks(),
            "/userinfo": self.office.person | self.office.facts,
        }
        self._say(told.get(parts.path))

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._say(self.office.token(dict(parse_qsl(asked))), refused=400)

    def _say(self, said: dict[str, Any] | None, refused: int = 404) -> None:
        body = json.dumps(said or {"error": "invalid_grant"}).encode()
        self.send_response(200 if said else refused)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def office() -> Iterator[Office]:
    """One that runs."""
    made = Office()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"office": made}))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
