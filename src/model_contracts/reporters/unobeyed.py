"""Owns what keeps a runner of workflows from obeying a report that is printed: no line of it is a command."""

from __future__ import annotations

import re

#: A line that begins so is a command, white space before it or not; the older form is one wherever it stands in a line.
#: actions/runner, src/Runner.Common/ActionCommand.cs: TryParseV2 and TryParse.
_COMMAND, _OLDER = re.compile(r"(?m)^([^\S\n]*):(?=:)"), "##["
#: How each form writes a colon and a number sign otherwise; forms that are not here are text.
_WRITTEN: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("json", "sarif", "gitlab"), (r"\\u003a", r"\u0023")),
    **dict.fromkeys(("junit", "html"), ("&#58;", "&#35;")),
}
_TEXT = (r"\\x3a", r"\x23")


def unobeyed(text: str, form: str) -> str:
    """A report as it may be printed: the same to whoever reads it, and nothing to whoever obeys lines."""
    if form == "github" or ("::" not in text and _OLDER not in text):
        return text
    colon, sign = _WRITTEN.get(form, _TEXT)
    return _COMMAND.sub(rf"\g<1>{colon}", text).replace(_OLDER, f"#{sign}[")
