"""Owns one exchange over HTTP with a server on loopback: a bound on its bytes, and an end when the time is up.

A timeout of a socket begins again with every byte that drips in; so a watch of its own shuts the connection down.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from model_contracts.runtimes.interface import Crashed, Refused, RuntimeFailure, TimedOut, WrongAnswer

#: Bytes of one answer that are read.
MOST_BYTES = 16 << 20
_PIECE, _SAID = 1 << 16, 500


class Deadline:
    """A moment from now that several exchanges share."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._at = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative when it has passed."""
        return self._at - time.monotonic()


class Reply:
    """What a server answers, as it comes. `began` is when it was asked (`time.monotonic`)."""

    def __init__(self, route: str, answer: http.client.HTTPResponse, began: float) -> None:
        self.route, self.began, self._answer = route, began, answer
        self._size = 0

    def data(self) -> Iterator[bytes]:
        """Its bytes, as soon as they are here. Raises WrongAnswer beyond MOST_BYTES, Crashed where it breaks off."""
        while data := self._answer.read1(_PIECE):
            self._size += len(data)
            if self._size > MOST_BYTES:
                raise WrongAnswer(f"the server answers {self.route} with more than {MOST_BYTES:,} bytes")
            yield data
        if self._answer.length:
            raise Crashed(f"the server broke off its answer to {self.route}")


@contextlib.contextmanager
def exchange(host: str, port: int, route: str, body: dict[str, Any], deadline: Deadline) -> Iterator[Reply]:
    """The answer to a body, while the time lasts; the connection is closed behind it.

    Raises Refused for 4xx and 501, WrongAnswer for any other status that is not 200, Crashed and TimedOut.
    """
    if deadline.left <= 0:
        raise _late(route, deadline)
    began = time.monotonic()
    try:
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=deadline.left)) as connection:
            connection.connect()
            with _watched(connection.sock, deadline):
                connection.request("POST", route, json.dumps(body).encode(), _HEADERS)
                with connection.getresponse() as answer:
                    reply = Reply(route, answer, began)
                    if answer.status != 200:
                        raise _said_no(reply, answer.status)
                    yield reply
    except (OSError, http.client.HTTPException, RuntimeFailure) as error:
        if deadline.left <= 0:  # what the watch cut off is no wrong answer
            raise _late(route, deadline) from None
        if isinstance(error, RuntimeFailure):
            raise
        if isinstance(error, OSError | http.client.IncompleteRead):
            raise Crashed(f"the server does not answer {route}: {error}") from None
        raise WrongAnswer(f"the server answers {route} with what is no HTTP: {type(error).__name__}") from None


_HEADERS = {"Content-Type": "application/json", "Connection": "close"}


@contextlib.contextmanager
def _watched(connection: socket.socket, deadline: Deadline) -> Iterator[None]:
    """Ends what is read from or written to a connection when the time is up."""

    def end() -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(max(deadline.left, 0), end)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        watch.join()


def _late(route: str, deadline: Deadline) -> TimedOut:
    return TimedOut(f"the server did not answer {route} within the time of the exchange ({deadline.seconds:g} s)")


def _said_no(reply: Reply, status: int) -> RuntimeFailure:
    said = b""
    for data in reply.data():
        said += data
        if len(said) >= _SAID * 4:
            break
    text = " ".join(said.decode("utf-8", "replace").split())[:_SAID]
    kind = Refused if 400 <= status < 500 or status == 501 else WrongAnswer
    return kind(f"the server answers {status} to {reply.route}: {text or 'nothing'}")
