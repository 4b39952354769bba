"""Owns the page of a run: one HTML file that needs no network, in which nothing that an artifact says is markup."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from model_contracts import door
from model_contracts.outcome import Evidence, Run
from model_contracts.reporters.html.payload import payload
from model_contracts.tables import TensorTable
from model_contracts.terminal import safe

_SCRIPTS = ("vendor/d3.min.js", "vendor/plot.min.js", "page/parts.js", "page/charts.js", "page/page.js")
#: Bytes of a part of the page.
_LONGEST = 1_000_000


def report(
    outcomes: Evidence, run: Run, tables: Sequence[TensorTable] = (), *, width: int = 0, color: bool = False
) -> str:
    """The page; `tables` are drawn where a run kept them. Width and color do not apply."""
    scripts = [_asset(name) for name in _SCRIPTS]
    names = dict.fromkeys(outcome.subject.name for outcome in outcomes)
    about = ", ".join([*names][:3]) or "a run"
    parts = {
        "TITLE": escape(safe(f"{run.decision.word.upper()}: {about}")),
        "ALLOWED": f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {_hashes(scripts)}",
        "STYLE": _asset("page/page.css"),
        "PAYLOAD": payload(outcomes, run, tables),
        "SCRIPTS": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: parts[found[1]], _asset("page/page.html"))


def _asset(name: str) -> str:
    return door.read(Path(__file__).parent / name, _LONGEST).decode()


def _hashes(scripts: Sequence[str]) -> str:
    """What a browser may run, by digest: a script that an artifact brought in would not be."""
    return " ".join(f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts)
