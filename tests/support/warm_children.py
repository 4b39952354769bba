"""Owns processes that have imported a runtime and fork themselves for each session: importing torch takes 5 s of CPU.

A session has a process of its own as ever: its group, folder, streams, bound of memory, and end. What it has imported
is what its runtime imports. One of another environment, or on a system without the means, is started as anybody starts
it. How it is started is tested where no child is forked: test_child_process.py, and test_runtimes.py by `left_out`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from model_contracts.runtimes.session import child

#: What a served module imports once it is asked for something.
_IMPORTED = {
    "model_contracts.runtimes.transformers.served": (
        "torch", "transformers", "transformers.models.auto.modeling_auto", "transformers.models.llama.modeling_llama",
        "transformers.models.qwen2.modeling_qwen2", "safetensors.torch",
    ),
    "model_contracts.runtimes.llama_cpp.served": ("xllamacpp",),
    "model_contracts.runtimes.command.served": (),
    "model_contracts.runtimes.text.served": ("tokenizers", "jinja2"),
}  # fmt: skip
#: Where the processes of these tests answer, and how names begin of what no runtime reads, or each is told; what torch
#: adds to the environment of whoever imports its compiler is no other environment.
_PLACE, _UNREAD = "MODEL_CONTRACTS_TESTS_WARM", ("PYTEST_", "COLUMNS", "LINES", "PATH", "TORCHINDUCTOR_")
_BEGUN = "environment.json"
_START = child.start


def install() -> None:
    """Sessions that are opened from here on, and in what this process starts, are forked where they can be."""
    if hasattr(os, "pidfd_open") and hasattr(socket, "send_fds"):
        if _PLACE not in os.environ:
            folder = tempfile.mkdtemp(prefix="warm-")
            os.environ[_PLACE] = f"{folder}:{os.getpid()}"
            # That of the tests as they begin: the first who asks may be a test that has changed it.
            Path(folder, _BEGUN).write_text(json.dumps(_environment()), "utf-8")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        child.start = start


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Sessions opened meanwhile are started as anybody starts them."""
    warm, child.start = child.start, _START
    yield
    child.start = warm


def start(module: str, memory_mb: int, folder: str) -> Any:
    """As `child.start`, of a process that is forked."""
    name = module.rpartition(".")[0].rpartition(".")[2]
    if module not in _IMPORTED or _PLACE not in os.environ:
        return _START(module, memory_mb, folder)
    place = Path(os.environ[_PLACE].rpartition(":")[0]) / name
    pipes = [os.pipe() for _ in range(3)]
    (its_in, my_in), (my_out, its_out), (my_err, its_err) = pipes
    asked = {"memory_mb": memory_mb, "folder": folder, "environment": _environment(), "path": os.environ["PATH"]}
    line = _connected(place, module)
    data = json.dumps(asked).encode() + b"\n"
    socket.send_fds(line, [data], [its_in, its_out, its_err])
    for end in (its_in, its_out, its_err):
        os.close(end)
    lines = line.makefile("rb")
    if not (pid := int(lines.readline() or b"0")):
        for end in (my_in, my_out, my_err):
            os.close(end)
        return _START(module, memory_mb, folder)
    return Forked(pid, line, lines, (my_in, my_out, my_err))


class Forked:
    """What `subprocess.Popen` is to its child."""

    def __init__(self, pid: int, line: socket.socket, lines: Any, pipes: tuple[int, int, int]) -> None:
        self.pid, self._line, self._lines, self._code = pid, line, lines, None
        stdin, stdout, stderr = pipes
        self.stdin = os.fdopen(stdin, "wb", 0)
        self.stdout, self.stderr = os.fdopen(stdout, "rb", 0), os.fdopen(stderr, "rb", 0)

    def wait(self, seconds: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired."""
        if self._code is None:
            if not select.select([self._line], [], [], seconds)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), seconds or 0)
            self._code = int(self._lines.readline())
            self._lines.close()
            self._line.close()
        return self._code


def _environment() -> dict[str, str]:
    return {name: value for name, value in {**os.environ, **child.QUIET}.items() if not name.startswith(_UNREAD)}


def _connected(place: Path, module: str) -> socket.socket:
    import fcntl

    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            line.connect(str(place))
            return line
        words = [sys.executable, "-c", "from support.warm_children import serve; serve()", str(place), module]
        listening, told = os.pipe()
        begun = json.loads(place.with_name(_BEGUN).read_text("utf-8"))
        environment = {**begun, "PATH": os.environ["PATH"]}
        with place.with_suffix(".log").open("ab") as log:
            subprocess.Popen(
                [*words, str(told)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[told],
                cwd=Path(__file__).parents[1], env=environment, start_new_session=True,
            )  # fmt: skip
        os.close(told)
        os.read(listening, 1)  # it listens, or is gone
        os.close(listening)
        line.connect(str(place))
        return line


def serve() -> None:
    """Fork for each that asks, until the tests end."""
    place, module, told = sys.argv[1:]
    environment = _environment()  # what is imported may add to it
    for name in ("model_contracts.runtimes.session.served", module, *_IMPORTED[module]):
        import_module(name)
    gc.freeze()
    tests = os.pidfd_open(int(environment[_PLACE].rpartition(":")[2]))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        os.write(int(told), b".")
        os.close(int(told))
        while tests not in select.select([listener, tests], [], [])[0]:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            line, _ = listener.accept()
            if not os.fork():
                listener.close()
                os.close(tests)
                try:
                    _keep(line, module, environment)
                except BaseException:
                    traceback.print_exc()
                os._exit(1)  # whatever happened, it is no second process that serves
            line.close()
    shutil.rmtree(Path(place).parent, ignore_errors=True)


def _keep(line: socket.socket, module: str, environment: dict[str, str]) -> None:
    """Fork the child, which tells its id, and tell its exit code; it ends with whoever asked."""
    data, streams, *_ = socket.recv_fds(line, 1 << 16, 3)
    while not data.endswith(b"\n"):
        data += line.recv(1 << 16)
    asked = json.loads(data)
    if asked["environment"] != environment:
        line.sendall(b"0\n")
        os._exit(0)
    if not (pid := os.fork()):
        _become(line, streams, module, asked)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(pid)
    if ended not in select.select([ended, line], [], [])[0]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError):
        line.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(line: socket.socket, streams: list[int], module: str, asked: dict[str, Any]) -> None:
    from model_contracts.runtimes.session import served

    os.setsid()
    line.sendall(f"{os.getpid()}\n".encode())
    line.close()
    os.chdir(asked["folder"])
    os.environ["PATH"] = asked["path"]
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
        os.close(stream)
    sys.path[:] = [path for path in sys.path if path]
    served.main([module, str(asked["memory_mb"]), "free"])
