"""The commands of a file work where the system has less than Linux: what it lacks is asked in one place."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_contracts.system import cores, files
from support import other_systems

TESTS = Path(__file__).resolve().parents[2]
DATA = TESTS / "data"
SOURCE = DATA / "tiny-qwen2"


def run(system: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, other_systems.__file__, system, *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_check_inspect_and_stats_work_without_what_linux_has(system):
    for words in (
        ("check", DATA / "tiny-qwen2-Q4_K_M.gguf", "--against", SOURCE),
        ("inspect", SOURCE),
        ("stats", SOURCE, "--against", SOURCE),
    ):
        seen = run(system, *words)
        assert seen.returncode == 0, seen.stdout[-2000:] + seen.stderr
        assert seen.stderr == ""


_EVERY = """
import pkgutil, sys, traceback
from importlib import import_module
from support import other_systems
other_systems.become(sys.argv[1])
import model_contracts
imported = 0
for module in pkgutil.walk_packages(model_contracts.__path__, "model_contracts."):
    try:
        import_module(module.name)
        imported += 1
    except Exception as error:
        # Packages of others, and Python's own files, choose by sys.platform, which stays.
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        ours = isinstance(error, ModuleNotFoundError) and error.name in other_systems.MODULES[sys.argv[1]]
        assert not ours and "model_contracts" not in last, f"{module.name}: {error}"
print(imported)
"""


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_every_module_is_imported_without_what_linux_has(system):
    words = [sys.executable, "-c", _EVERY, system]
    done = subprocess.run(words, capture_output=True, text=True, cwd=TESTS, timeout=120, check=False)
    assert done.returncode == 0 and int(done.stdout) > 400, done.stderr[-2000:]


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_convert_writes_the_same_bytes_without_what_linux_has(system, tmp_path):
    ours, theirs = tmp_path / "ours" / "m.gguf", tmp_path / "theirs" / "m.gguf"
    for target in (ours, theirs):
        target.parent.mkdir()
    here = subprocess.run(
        [sys.executable, "-m", "model_contracts.cli.main", "convert", str(SOURCE), str(ours)],
        capture_output=True,
        check=False,
    )
    there = run(system, "convert", SOURCE, theirs)
    assert (here.returncode, there.returncode) == (0, 0), there.stdout + there.stderr
    assert ours.read_bytes() == theirs.read_bytes()


def test_reads_and_writes_by_position_are_the_same_with_and_without_the_system_s_own(tmp_path, monkeypatch):
    for missing in ((), ("preadv",), ("preadv", "pread", "pwrite")):
        for name in missing:
            monkeypatch.delattr(os, name, raising=False)
        path = tmp_path / f"without-{len(missing)}"
        descriptor = os.open(path, files.CREATE, 0o666)
        try:
            files.write_at(descriptor, b"cd", 2)
            files.write_at(descriptor, b"ab", 0)
            buffer = bytearray(3)
            assert files.read_into(descriptor, memoryview(buffer), 1) == 3
            assert bytes(buffer) == b"bcd"
            assert files.read_at(descriptor, 10, 2) == b"cd"
            assert files.read_into(descriptor, memoryview(buffer), 4) == 0
        finally:
            os.close(descriptor)


def test_a_full_disk_is_met_before_any_work_where_room_cannot_be_set_aside(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    path = tmp_path / "large"
    descriptor = os.open(path, files.CREATE, 0o666)
    try:
        files.allocate(path, descriptor, 5000)
        assert path.stat().st_size == 5000
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            files.allocate(path, descriptor, 1 << 62)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 1_000_000),
        ({"a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"}, 4),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 1_000_000),
        ({"cpu.max": "\x00"}, 1_000_000),
        ({}, 1_000_000),
    ],
)
def test_cores_are_bounded_by_the_tightest_quota_of_the_control_group(written, expected, tmp_path):
    own, groups = tmp_path / "cgroup", tmp_path / "groups"
    own.write_text("0::/a/b\n")
    for name, text in written.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    assert cores._quota(own, groups) == expected
