"""Files are opened to be read in one module: what is no regular file is refused there, and never waited for."""

import ast
from pathlib import Path

from support.source_trees import tree_of

PACKAGE = Path(__file__).parents[2] / "src" / "model_contracts"
#: Modules that open files to read, and why each may.
MAY = {
    "door.py": "the door",
    "system/": "files of the kernel's own under /proc and /sys",
}
READING = {"read_text", "read_bytes", "update_mmap", "memmap", "fromfile", "mmap", "copyfile"}
WRITING = ("w", "x", "a", "r+b")


def opens_to_read(tree: ast.AST) -> list[int]:
    """Lines on which a file is opened otherwise than to be written."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _reads(node)]


def _reads(call: ast.Call) -> bool:
    of = call.func if isinstance(call.func, ast.Attribute) else None
    name = of.attr if of is not None else getattr(call.func, "id", "")
    words = [arg.value for arg in (*call.args, *(k.value for k in call.keywords)) if isinstance(arg, ast.Constant)]
    if name in READING:
        return True
    if name != "open":
        return False
    if of is not None and getattr(of.value, "id", "") == "os":
        return not any(word in ast.unparse(call) for word in ("os.devnull", "CREATE", "O_CREAT"))
    if any(word in WRITING for word in words):
        return False
    read = any(isinstance(word, str) and word.startswith("r") for word in words)
    return read or of is None or not (call.args or call.keywords)


def test_only_the_door_opens_files_to_read() -> None:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(tuple(MAY)) and (lines := opens_to_read(tree_of(path))):
            found[name] = lines
    assert found.pop("qualification/gates/system.py", None) is not None  # copies files that were opened by the door
    assert found == {}


def test_a_file_opened_elsewhere_is_seen() -> None:
    for text in ("path.read_text()", "open(path)", "path.open('rb')", "os.open(path, os.O_RDONLY)", "path.open()"):
        assert opens_to_read(ast.parse(text)) == [1], text
    for text in ("path.open('xb')", "os.open(os.devnull, os.O_RDONLY)", "runtime.open(path, limits)"):
        assert opens_to_read(ast.parse(text)) == [], text
