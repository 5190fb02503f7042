"""A tiny server of static pages under the hub's strict policy, for tests of the built scripts without Django."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parents[3] / "src" / "safercities" / "hub" / "static" / "hub"
#: As settings.py has it, without a basemap.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}


class StaticSite:
    """Pages and documents by path; every answer carries the policy. A callable answers with what it returns."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/favicon.ico": b""}
        self.asked: list[tuple[str, str, bytes]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(b"")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, body: bytes) -> None:
                path = self.path.partition("?")[0]
                site.asked.append((self.command, self.path, body))
                content, media, status = site.find(path)
                span = self.headers.get("Range")
                if span and status == 200:  # tiles are read in parts
                    first, _, last = span.removeprefix("bytes=").partition("-")
                    whole, status = len(content), 206
                    content = content[int(first) : int(last) + 1]
                self.send_response(status)
                if status == 206:
                    self.send_header("Content-Range", f"bytes {first}-{int(first) + len(content) - 1}/{whole}")
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Security-Policy", POLICY)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, path: str) -> tuple[bytes, str, int]:
        """Content, media type and status of a path."""
        answer = self.answers.get(path)
        if callable(answer):
            answer = answer()
        if isinstance(answer, bytes):
            return answer, "application/octet-stream", 200
        if isinstance(answer, str):
            return answer.encode(), "text/html; charset=utf-8", 200
        if answer is not None:
            return json.dumps(answer).encode(), "application/json", 200
        file = STATIC / path.removeprefix("/static/")
        if path.startswith("/static/") and ".." not in path and file.is_file():
            return file.read_bytes(), TYPES.get(file.suffix, "text/plain"), 200
        return b"not here", "text/plain", 404

    def page(self, path: str, body: str, *entries: str, lang: str = "en", dir: str = "ltr") -> str:
        """A page with these entries of the front end; its address."""
        manifest = json.loads((STATIC / "built" / "manifest.json").read_text(encoding="utf-8"))
        head = [tag(manifest, entry) for entry in entries]
        self.answers[path] = (
            f'<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8"><title>Test</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="/static/icon.svg">'
            f'<link rel="stylesheet" href="/static/hub.css">{"".join(head)}</head>'
            f'<body><div class="page"><main>{body}</main></div></body></html>'
        )
        return self.url + path

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()


def tag(manifest: dict[str, Any], entry: str) -> str:
    """Styles and script of an entry."""
    found = manifest[f"src/{entry}.ts"]
    styles = [
        *found.get("css", ()),
        *(css for part in found.get("imports", ()) for css in manifest[part].get("css", ())),
    ]
    links = "".join(f'<link rel="stylesheet" href="/static/built/{style}">' for style in styles)
    return f'{links}<script type="module" src="/static/built/{found["file"]}"></script>'
