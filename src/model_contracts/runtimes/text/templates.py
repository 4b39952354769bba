"""Owns chat templates: rendered in a sandbox, with a bound on what comes out. Templates are hostile input.

Time and memory are bounded by the child process in which a session renders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from model_contracts.artifact import Artifact
from model_contracts.runtimes.interface import Refused

#: Characters of a template, and of a rendered prompt.
MOST_TEMPLATE, MOST_OUTPUT = 1 << 20, 4 << 20
#: What templates take for today: two sides render on one day, and so does a replay.
TODAY = datetime(2024, 7, 26, tzinfo=UTC)


def render(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool = True,
    tools: Sequence[Mapping[str, Any]] | None = None,
    special: Mapping[str, str] | None = None,
) -> str:
    """The prompt that a template makes of messages; `special` are texts such as bos_token.

    Raises Refused where the template is none, raises by itself, or makes more than MOST_OUTPUT characters.
    """
    from jinja2.exceptions import TemplateError

    if len(template) > MOST_TEMPLATE:
        raise Refused(f"a chat template of more than {MOST_TEMPLATE:,} characters")
    made: list[str] = []
    size = 0
    try:
        parts = (
            _environment()
            .from_string(template)
            .generate(
                messages=list(messages),
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **(special or {}),
            )
        )
        for part in parts:
            made.append(part)
            size += len(part)
            if size > MOST_OUTPUT:
                raise Refused(f"the chat template makes more than {MOST_OUTPUT:,} characters")
    except (
        TemplateError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise Refused(f"the chat template fails: {type(error).__name__}: {error}"[:1000]) from None
    return "".join(made)


def of_artifact(
    artifact: Artifact,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool = True,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """The prompt that the artifact's own chat template makes. Raises Refused where it has none."""
    if artifact.chat_template is None:
        raise Refused(f"{artifact.name} has no chat template")
    tokenizer = artifact.tokenizer
    special = {}
    if tokenizer is not None:
        for name, (at, _) in tokenizer.special_ids.items():
            if 0 <= at < tokenizer.size and (token := tokenizer.tokens[at]) is not None:
                special[f"{name}_token"] = token
    return render(
        artifact.chat_template,
        messages,
        add_generation_prompt=add_generation_prompt,
        tools=tools,
        special=special,
    )


def _environment() -> Any:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: object) -> NoReturn:
        raise TemplateError(str(message))

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = TODAY.strftime
    return environment
