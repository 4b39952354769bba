"""Owns what a command runtime is: a program that somebody else wrote, how it is asked, and how its answers are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from model_contracts.containers import Format
from model_contracts.invariant import Definition
from model_contracts.outcome import Record

#: What an argument, a route or a value in a body may name.
PLACES = ("artifact", "prompt", "tokens", "max_tokens", "port")
PLACE = re.compile(r"\{([a-z_]*)\}")

Pointer = Annotated[str, Field(pattern=r"^(/[^/]+)+$", description="JSON pointer into the answer (RFC 6901).")]
ExitCode = Annotated[int, Field(ge=1, le=255)]


class Reads(Record):
    """Where an answer holds what was asked for. Without any pointer the answer is the text itself."""

    after: str | None = Field(None, description="The answer begins behind the last line that is this text.")
    before: str | None = Field(None, description="It ends before the first line behind it that begins with this text.")
    text: Pointer | None = None
    tokens: Pointer | None = Field(None, description="Token ids that it made (of a text, or as continuation).")
    prompt: Pointer | None = Field(None, description="Token ids of the prompt as it framed it.")
    prompt_tokens: Pointer | None = Field(None, description="How many tokens it made of the prompt.")
    logits: Pointer | None = Field(None, description="One row a position: logits, or logarithms of probabilities.")
    refusal: Pointer | None = Field(None, description="Where something stands only if it refused.")

    @property
    def json_expected(self) -> bool:
        """Whether the answer is JSON."""
        return any((self.text, self.tokens, self.prompt, self.prompt_tokens, self.logits, self.refusal))


class Way(Record):
    """One way to ask: arguments of the program, or a route of its server; exactly one is given."""

    arguments: tuple[str, ...] | None = None
    route: str | None = Field(None, pattern=r"^/")
    body: dict[str, JsonValue] | None = Field(None, description="`{tokens}` and `{max_tokens}` become numbers.")
    reads: Reads = Field(default_factory=Reads)
    prompt_included: bool = Field(False, description="The tokens it gives begin with those of the prompt.")

    @model_validator(mode="after")
    def _one_way(self) -> Way:
        if (self.arguments is None) == (self.route is None):
            raise ValueError("either arguments or a route")
        return self


class ServerRoute(Record):
    """A route that takes questions in the form of OpenAI's."""

    route: str = Field(pattern=r"^/")
    streams: bool = Field(True, description="It answers `stream: true` with server-sent events.")


class ServerRoutes(Record):
    """The routes of a server that are asked as OpenAI's are; one that is not declared is not asked."""

    completions: ServerRoute | None = Field(None, description="Takes `prompt` as it is, as /v1/completions does.")
    chat: ServerRoute | None = Field(None, description="Takes `messages`, as /v1/chat/completions does.")


class Server(ServerRoutes):
    """A server that the program starts on loopback."""

    arguments: tuple[str, ...]
    ready: str = Field(pattern=r"^/", description="A route that answers 200 once the model is loaded.")

    @property
    def routes(self) -> ServerRoutes:
        """Where it is asked."""
        return ServerRoutes(completions=self.completions, chat=self.chat)


class Exits(Record):
    """What its exit codes mean; any other that is not 0 is a crash."""

    refused: tuple[ExitCode, ...] = Field((), description="It would not take the artifact or the question.")
    usage: tuple[ExitCode, ...] = Field((), description="It did not know how it was called.")
    unanswered: tuple[ExitCode, ...] = Field((), description="This question cannot be answered here.")


class CommandRuntime(Definition):
    """A runtime as lists of arguments: no shell sees them, and every argument stays one."""

    title: str
    program: str = Field(description="The executable, found on PATH; or a path.")
    formats: tuple[Format, ...] = Field(min_length=1)
    artifact_is: Literal["weights", "folder"] = Field(
        "weights", description="What it takes of a Hugging Face directory: the weights file, or the folder."
    )
    exits: Exits = Field(default_factory=Exits)
    tokenize: Way | None = Field(None, description="Token ids of `{prompt}`.")
    logits: Way | None = Field(None, description="Rows of logits after each of `{tokens}`.")
    complete: dict[str, Way] = Field(
        default_factory=dict, description="Ways to continue `{prompt}`, by name; each may frame it differently."
    )
    server: Server | None = None
    how_to_get: str = Field(description="What to do where the program is not installed, in one line.")
    documentation: tuple[str, ...] = Field((), description="Where its arguments are described.")

    @property
    def ways(self) -> Iterator[Way]:
        """Every way to ask it anything."""
        yield from (way for way in (self.tokenize, self.logits, *self.complete.values()) if way is not None)

    @model_validator(mode="after")
    def _places_are_known(self) -> CommandRuntime:
        words = [word for way in self.ways for word in (*(way.arguments or ()), way.route or "", *_texts(way.body))]
        words += self.server.arguments if self.server else ()
        for word in words:
            for name in PLACE.findall(word):
                if name not in PLACES:
                    raise ValueError(f"{{{name}}} in an argument; expected one of {', '.join(PLACES)}")
        if self.server is None and any(way.route for way in self.ways):
            raise ValueError("a route without a server")
        return self


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
