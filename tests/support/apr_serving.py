"""Answers for aprender's `apr serve run` as a real one answered over HTTP; every other call is the stand-in's.

Its `main` serves one file, known by its bytes; a request that was not recorded gets 501.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from support import apr_stand_in


def install(folder: Path) -> Path:
    """A program named `apr` in a folder, to be put on PATH."""
    return apr_stand_in.install(folder, __name__)


@cache
def served() -> dict[str, dict[tuple[str, str, str], tuple[int, str]]]:
    """Digest of a file to what its server answered, by method, route and body."""
    found: dict[str, dict[tuple[str, str, str], tuple[int, str]]] = {}
    for record in json.loads((apr_stand_in.RECORDED / "playbook" / "records.json").read_text("utf-8")):
        if record["verb"] == "serve run":
            answers = found.setdefault(next(iter(record["inputs"].values())), {})
            for exchange in record["http"]:
                key = (exchange["method"], exchange["path"], _body(exchange["request"]))
                answers.setdefault(key, (exchange["status"], exchange["response"]))
    return found


def _body(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def serve(words: list[str]) -> int:
    """Serve until killed; NOT_RECORDED for a file that no server was recorded for."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    path, port = words[2], int(words[words.index("--port") + 1])
    answers = served().get(apr_stand_in.sha256(Path(path)))
    if answers is None:
        print(f"not recorded: apr {' '.join(word.rsplit('/', 1)[-1] for word in words)}", file=sys.stderr)
        return apr_stand_in.NOT_RECORDED

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, request: Any) -> None:
            code, text = answers.get((self.command, self.path, _body(request)), (501, "not recorded"))
            self.send_response(code)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *_: Any) -> None:
            return

    print("=== APR Serve ===", flush=True)
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
    return 0


def main(words: list[str]) -> int:
    """Serve, or replay one call."""
    return serve(words) if words[:2] == ["serve", "run"] else apr_stand_in.main(words)
