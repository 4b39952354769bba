"""Owns questions to a server on loopback: JSON over HTTP, no proxy, a bound on what comes back."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from model_contracts.runtimes.interface import Crashed, Refused, WrongAnswer

_MOST = 64 << 20


def post(url: str, body: bytes | None, seconds: float = 600.0, *, expect_json: bool = True) -> Any:
    """What a route answers to a JSON body (GET where there is none).

    None where `expect_json` is not set: that it answered is all that was asked.
    Raises Refused for a status that says no, Crashed where nobody answers, WrongAnswer for what is no JSON.
    """
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as answer:
            data = answer.read(_MOST + 1)
    except urllib.error.HTTPError as error:
        said = error.read(2000).decode("utf-8", "replace")
        raise Refused(f"the server answers {error.code} to {_route(url)}", said) from None
    except (urllib.error.URLError, OSError, http.client.IncompleteRead) as error:
        raise Crashed(f"the server does not answer {_route(url)}: {error}") from None
    except http.client.HTTPException as error:
        raise WrongAnswer(f"the server answers {_route(url)} with what is no HTTP: {type(error).__name__}") from None
    if len(data) > _MOST:
        raise WrongAnswer(f"the server answers {_route(url)} with more than {_MOST:,} bytes")
    if not expect_json:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise WrongAnswer(f"the server answers {_route(url)} with what is no JSON: {data[:80]!r}") from None


def _route(url: str) -> str:
    return "/" + url.split("/", 3)[-1]
