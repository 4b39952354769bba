"""Owns the bodies of questions to a server of ours: which members are taken, and which would be answered wrongly.

What would change the answer and is not done here (sampling, several choices, stop words) is refused and never ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

#: Tokens of one answer.
MOST_TOKENS = 4096
Body = TypeVar("Body", bound=BaseModel)


class BadBody(Exception):
    """A status of HTTP, and what is said with it."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


class Asked(BaseModel):
    """What every question may say; members that cannot change a greedy answer are not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)
    model: str = ""
    max_tokens: int = Field(16, ge=1, le=MOST_TOKENS)
    temperature: float = Field(0, ge=0, le=0)
    stream: bool = False
    n: int = Field(1, ge=1, le=1)
    stop: None = None
    logprobs: None = None


class CompletionBody(Asked):
    """`/v1/completions`."""

    prompt: str | Annotated[list[int], Field(min_length=1)]
    echo: None = None
    suffix: None = None


class MessageBody(BaseModel):
    """One turn."""

    model_config = ConfigDict(extra="ignore", strict=True)
    role: str
    content: str


class Chat(Asked):
    """`/v1/chat/completions`."""

    messages: list[MessageBody] = Field(min_length=1)
    tools: None = None


class Tokenize(BaseModel):
    """`/tokenize`."""

    model_config = ConfigDict(extra="ignore", strict=True)
    content: str
    add_special: bool = False


def held(kind: type[Body], body: Any) -> Body:
    """A body of a kind. Raises BadBody with the first member that is wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(map(str, first["loc"]))
        raise BadBody(422, f"{place or 'the body'}: {first['msg']}"[:500]) from None
