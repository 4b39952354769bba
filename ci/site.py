"""Owns what the site takes from beside docs/: two pages of the root, links to them, and paths over blocks."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
#: Pages of the root by where the site has them; the README's own place is the first page.
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
_LINK = re.compile(r"\]\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)")
_TITLE = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Anchors are those that the same pages have where their source is read."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = anchor
    return config


def anchor(text: str, separator: str) -> str:
    """`The run: -o DIR` as `the-run--o-dir`."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the root."""
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        files.append(File.generated(config, OUTSIDE[name], content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as the site has them; a path over a block becomes its title."""
    mine = page.file.src_uri
    source = {place: name for name, place in OUTSIDE.items() if name != "README.md"}.get(mine, f"docs/{mine}")

    def linked(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        place = OUTSIDE.get(target, target.removeprefix("docs/"))
        if target not in OUTSIDE and not target.startswith("docs/"):
            return found[0]
        return f"]({posixpath.relpath(place, posixpath.dirname(mine) or '.')}{found['anchor'] or ''})"

    return _TITLE.sub(r'```\1 title="\2"', _LINK.sub(linked, markdown))
