"""Owns the inside of a command session: the program run for each question, or its server asked, and its answers read.

Time and memory are watched from outside, over this process and all it starts.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.formats.opening import open_artifact
from model_contracts.processes.program import NotStarted, Program
from model_contracts.runtime import PLACE, CommandRuntime, Way
from model_contracts.runtimes.command.answers import pointed, read
from model_contracts.runtimes.http.loopback import post
from model_contracts.runtimes.interface import Crashed, NotInstalled, Refused, TimedOut, WrongAnswer
from model_contracts.system.processes import signal_name

#: Seconds between two looks at a server that starts, and that one look may take at the most.
_POLL, _MOST_SILENT = 0.02, 600.0


def serve(definition: str, path: str) -> ServedProgram:
    """The program, and what it is given of an artifact. Raises NotInstalled and Refused."""
    runtime = CommandRuntime.model_validate_json(definition)
    program = shutil.which(runtime.program)
    if program is None:
        raise NotInstalled(f"{runtime.program} is not installed: {runtime.how_to_get}")
    artifact = open_artifact(Path(path))
    if artifact.kind not in runtime.formats:
        raise Refused(f"{runtime.program} reads {', '.join(runtime.formats)}, and {artifact.name} is {artifact.kind}")
    given = artifact.path
    if runtime.artifact_is == "weights" and given.is_dir() and artifact.files:
        index = artifact.sidecars.get("index")
        given = index.path if index is not None and len(artifact.files) > 1 else artifact.files[0]
    return ServedProgram(runtime, program, str(given.absolute()))


class ServedProgram:
    """One program and one artifact, and what it is asked."""

    STREAMS = ()

    def __init__(self, runtime: CommandRuntime, program: str, artifact: str) -> None:
        self._runtime, self._program, self._artifact = runtime, program, artifact
        self._server: Program | None = None
        self._port = 0
        asked = {"tokens": runtime.tokenize, "logits": runtime.logits, "complete": runtime.complete}
        self.QUESTIONS = tuple(name for name, way in {**asked, "address": runtime.server}.items() if way)

    def about(self) -> dict[str, Any]:
        """What can be asked; nobody says how wide its vocabulary is."""
        told = {"questions": self.QUESTIONS, "ways": list(self._runtime.complete), "program": self._program}
        server = self._runtime.server
        return told if server is None else told | {"routes": server.routes.model_dump()}

    def tokens(self, text: str, add_special: bool) -> Any:
        """Token ids."""
        assert self._runtime.tokenize is not None
        return self._ask(self._runtime.tokenize, prompt=text)["tokens"]

    def logits(self, tokens: list[int], top: int | None) -> tuple[Any, tuple[Any, Any]]:
        """Ids and log-probabilities, the likeliest first, of the rows that it gives."""
        assert self._runtime.logits is not None
        rows = self._ask(self._runtime.logits, tokens=tokens)["logits"]
        try:
            values = np.array(rows, np.float64)
        except (ValueError, TypeError):
            raise WrongAnswer(f"{self._runtime.program} gave rows of logits that are no rectangle of numbers") from None
        if values.ndim != 2 or not values.size:
            raise WrongAnswer(f"{self._runtime.program} gave no rows of logits")
        with np.errstate(all="ignore"):
            values = values - values.max(axis=1, keepdims=True)
            values = (values - np.log(np.exp(values).sum(axis=1, keepdims=True))).astype(np.float32)
        count = min(top or values.shape[1], values.shape[1])
        ids = np.argsort(-values, axis=1, kind="stable")[:, :count].astype(np.int32)
        return {"vocabulary": values.shape[1]}, (ids, np.take_along_axis(values, ids, axis=1))

    def complete(self, prompt: str, count: int, way: str | None) -> dict[str, Any]:
        """What it makes of a prompt in one of its ways (the first, where none is named)."""
        ways = self._runtime.complete
        name = next(iter(ways)) if way is None else way
        if name not in ways:
            raise Refused(f"{self._runtime.program} is not asked by {name!r} but by {', '.join(ways)}")
        chosen = ways[name]
        told = self._ask(chosen, prompt=prompt, max_tokens=count)
        if chosen.prompt_included and isinstance(told["tokens"], list):
            # The prompt's own tokens are those that the program makes of the same text.
            if self._runtime.tokenize is not None and told["prompt"] is None:
                told["prompt"] = self._ask(self._runtime.tokenize, prompt=prompt)["tokens"]
            framed = told["prompt"] or []
            if told["tokens"][: len(framed)] != framed:
                raise WrongAnswer(f"{self._runtime.program} continued other tokens than it makes of the prompt")
            told["tokens"] = told["tokens"][len(framed) :]
        if told["prompt_tokens"] is None and told["prompt"] is not None:
            told["prompt_tokens"] = len(told["prompt"])
        return told

    def address(self, seconds: float | None = None) -> str:
        """Its server, once it is ready. Raises TimedOut when it is not within `seconds`; it is ended then.

        Where no time is given, the time of the question is watched from outside. One that died since it was ready is
        told once, as the Crashed that it was; the next question starts another.
        """
        server = self._runtime.server
        assert server is not None
        if self._server is not None:
            if self._server.poll() is None:
                return f"http://127.0.0.1:{self._port}"
            raise self._dead(self._server)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        until = time.monotonic() + (seconds or inf)
        self._server = _started([self._program, *self._words(server.arguments, {})])
        url, said = f"http://127.0.0.1:{self._port}", ""
        while self._server.poll() is None:
            try:
                post(
                    url + server.ready, None, max(_POLL, min(until - time.monotonic(), _MOST_SILENT)), expect_json=False
                )
                return url
            except (Crashed, Refused, WrongAnswer) as failure:
                said = failure.reason
            if time.monotonic() >= until:
                self.close()
                reason = f"the server of {self._runtime.program} was not ready within {seconds:g} s: {said}"
                tail, self._server = self._server.tail, None
                raise TimedOut(reason, tail)
            time.sleep(_POLL)
        raise self._dead(self._server)

    def close(self) -> None:
        """End its server."""
        if self._server is not None:
            self._server.end()

    def _ask(self, way: Way, **values: Any) -> dict[str, Any]:
        if way.arguments is None:
            return self._asked_server(way, values)
        program = _started([self._program, *self._words(way.arguments, values)])
        if program.wait():
            raise self._ended(program)
        if not program.output.strip():
            raise WrongAnswer(f"{self._runtime.program} ended well and printed nothing", program.tail)
        return read(self._runtime.program, way.reads, program.output) | {"tail": program.tail}

    def _asked_server(self, way: Way, values: dict[str, Any]) -> dict[str, Any]:
        assert way.route is not None
        body = None if way.body is None else json.dumps(self._filled(way.body, values)).encode()
        url = self.address() + way.route
        assert self._server is not None
        try:
            answer = post(url, body)
        except Crashed:
            raise self._dead(self._server) from None
        return pointed(self._runtime.program, way.reads, answer) | {"tail": self._server.tail}

    def _words(self, words: tuple[str, ...], values: dict[str, Any]) -> list[str]:
        known = {"artifact": self._artifact, "port": str(self._port)}
        known |= {name: ",".join(map(str, v)) if isinstance(v, list) else str(v) for name, v in values.items()}
        return [PLACE.sub(lambda place: known[place[1]], word) for word in words]

    def _filled(self, value: Any, values: dict[str, Any]) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(item, values) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, values) for item in value]
        if isinstance(value, str):
            whole = PLACE.fullmatch(value)
            return values[whole[1]] if whole and whole[1] in values else self._words((value,), values)[0]
        return value

    def _dead(self, server: Program) -> Exception:
        self._server = None
        return self._ended(server)

    def _ended(self, program: Program) -> Exception:
        """What an exit that is not 0 means."""
        code, exits, name = program.wait(), self._runtime.exits, self._runtime.program
        said = program.tail.splitlines()[-1] if program.tail else "it printed nothing"
        if code < 0 or code > 128:  # a shell's way to say that a signal ended what it ran
            number = -code if code < 0 else code - 128
            return Crashed(f"{name} was ended by {signal_name(number)}", program.tail, signal=number)
        if code in exits.unanswered:
            return NotInstalled(f"{name} has no answer to this question: {said}", program.tail)
        if code in exits.refused:
            return Refused(f"{name} refused (exit code {code}): {said}", program.tail)
        if code in exits.usage:
            return Refused(f"{name} does not know how it was called (exit code {code}): {said}", program.tail)
        return Crashed(f"{name} ended with exit code {code}", program.tail, exit_code=code)


def _started(argv: list[str]) -> Program:
    try:
        return Program(argv)
    except NotStarted as error:
        raise NotInstalled(str(error)) from None
