"""Owns generated conversations for chat templates: system messages, turns, tools and calls of them, empty content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Conversation = dict[str, Any]

_CONTENTS = (
    "Hi",
    "",
    " ",
    "2 + 2?",
    "a\nb",
    "<|im_end|>",
    "{{ x }}",
    "{% if %}",
    "'\"\\",
    "Grüße 你好",
    " padded ",
    "<think>\nx\n</think>\n\ny",
)
_SYSTEMS = ("You are brief.", "", "Use tools.\n")
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
_SECOND: dict[str, Any] = {
    "type": "function",
    "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
}
_CALL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Wien"}}}


def conversations() -> SearchStrategy[Conversation]:
    """`{"messages": […], "tools": […] or None, "add_generation_prompt": bool}`, as JSON holds it."""
    from hypothesis import strategies as st

    content = st.sampled_from(_CONTENTS)
    user = content.map(lambda text: [_said("user", text)])
    answer = content.map(lambda text: [_said("assistant", text)])
    called = content.map(lambda text: [{**_said("assistant", ""), "tool_calls": [_CALL]}, _said("tool", text)])
    turn = st.tuples(user, st.one_of(st.just([]), answer, called)).map(lambda two: [*two[0], *two[1]])
    system = st.one_of(st.just([]), st.sampled_from(_SYSTEMS).map(lambda text: [_said("system", text)]))
    return st.builds(
        lambda first, turns, tools, prompt: {
            "messages": [*first, *(message for turn in turns for message in turn)],
            "tools": tools,
            "add_generation_prompt": prompt,
        },
        system,
        st.lists(turn, min_size=1, max_size=4),
        st.sampled_from([None, [_TOOL], [_TOOL, _SECOND]]),
        st.booleans(),
    )


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}
