"""Runs every fuzz target for its share of the seconds, each in a process of its own: `make fuzz`.

python -m fuzz SECONDS [TARGET ...]      prints executions and failures a target; what failed is kept in fuzz-failures/
python -m fuzz replay TARGET FILE        runs one target on the bytes of one file
"""

import json
import subprocess
import sys
import tempfile
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
        try:
            ended = subprocess.run(
                words, capture_output=True, check=False, timeout=seconds + 60 + 4 * SLOW_SECONDS, cwd=_TESTS
            )
            said = f"the process ended with {ended.returncode}: {ended.stderr.decode('utf-8', 'replace')[-300:]!r}"
        except subprocess.TimeoutExpired:
            said = "one execution did not end"
        if not out.exists():
            return 0, {said: _kept(kept, name, at.read_bytes() if at.exists() else b"")}
        told = json.loads(out.read_text("utf-8"))
    return told["executions"], {said: _kept(kept, name, bytes.fromhex(data)) for said, data in told["failures"].items()}


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
