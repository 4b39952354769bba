"""Runs every fuzz target for its share of the seconds, each in a process of its own: `make fuzz`.

python -m fuzz SECONDS [TARGET ...]      prints executions and failures a target; what failed is kept in fuzz-failures/
python -m fuzz replay TARGET FILE        runs one target on the bytes of one file
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from fuzz.engines import SLOW_SECONDS, Told, engine, run

KEPT = Path("fuzz-failures")


#: Where a new process finds this package.
_TESTS = Path(__file__).parents[1]


def fuzzed(name: str, seconds: float, kept: Path = KEPT) -> tuple[int, dict[str, Path]]:
    """How often a target was run, and the file of each failure by what it said."""
    with tempfile.TemporaryDirectory() as folder:
        at, out = Path(folder) / "running", Path(folder) / "told.json"
        words = [sys.executable, "-m", "fuzz", "one", name, str(seconds), str(at), str(out)]
        with (Path(folder) / "stderr").open("w+b") as stderr:
            child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=stderr, cwd=_TESTS)
            if _ended(child, seconds + 60 + 4 * SLOW_SECONDS):
                stderr.seek(0)
                last = stderr.read()[-300:].decode("utf-8", "replace")
                said = f"the process ended with {child.returncode}: {last!r}"
            else:
                said = "one execution did not end"
        if not out.exists():
            return 0, {said: _kept(kept, name, at.read_bytes() if at.exists() else b"")}
        told = json.loads(out.read_text("utf-8"))
    return told["executions"], {said: _kept(kept, name, bytes.fromhex(data)) for said, data in told["failures"].items()}


def _ended(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a process ends within these seconds of the processor, and within ten times as many of a clock."""
    ends = time.monotonic() + 10 * seconds
    while time.monotonic() < ends:
        with suppress(subprocess.TimeoutExpired):
            child.wait(1.0)
            return True
        if _processor(child.pid) > seconds:
            break
    child.kill()
    child.wait()
    return False


def _processor(pid: int) -> float:
    """Seconds that a process took of the processor; 0 where the system does not tell it so."""
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _kept(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name / sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _one(name: str, seconds: str, at: str, out: str) -> None:
    def done(told: Told) -> None:
        failures = {said: data.hex() for said, data in told.failures.items()}
        Path(out).write_text(json.dumps({"executions": told.executions, "failures": failures}), "utf-8")

    run(name, float(seconds), Path(at), done)


def _replay(name: str, path: str) -> None:
    from fuzz.targets import TARGETS

    TARGETS[name](Path(path).read_bytes())


def main(words: list[str]) -> int:
    """1 where anything failed."""
    if words[:1] in (["one"], ["replay"]):
        (_one if words[0] == "one" else _replay)(*words[1:])
        return 0
    from fuzz.targets import TARGETS

    seconds, only, worst = float(words[0]) if words else 600.0, words[1:] or list(TARGETS), 0
    print(f"engine: {engine()}", flush=True)
    for name in only:
        runs, failures = fuzzed(name, seconds / len(only))
        print(f"{name:<18} {runs:>8,} executions  {len(failures):>3} failures", flush=True)
        for said, path in failures.items():
            worst = 1
            print(f"  {path}: {said}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
