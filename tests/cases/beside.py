"""Folders that hold more than data beside their weights, and chat templates that do more than they show."""

from __future__ import annotations

import json
from pathlib import Path

from cases.gates import BESIDE
from cases.interface import QWEN2, CheckArguments, Make, Variant, broken, seen
from support.mutations import copied

TEMPLATE = "chat_template.jinja"


def with_file(name: str) -> Make:
    """A file of that name beside the weights; it is empty, for nothing opens it."""

    def make(folder: Path) -> CheckArguments:
        target = copied(QWEN2, folder)
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).touch()
        return CheckArguments(target)

    return make


def with_key(file: str, key: str, value: object) -> Make:
    """A key of a configuration that asks for code."""

    def make(folder: Path) -> CheckArguments:
        target = copied(QWEN2, folder)
        document = json.loads((target / file).read_text("utf-8"))
        (target / file).write_text(json.dumps({**document, key: value}), "utf-8")
        return CheckArguments(target)

    return make


def with_template(more: str) -> Make:
    """The chat template with something behind it."""

    def make(folder: Path) -> CheckArguments:
        target = copied(QWEN2, folder)
        path = target / TEMPLATE
        path.write_text(path.read_text("utf-8") + more, "utf-8")
        return CheckArguments(target)

    return make


def _beside(name: str, make: Make, measure: str, **said: object) -> Variant:
    return broken(name, make, seen(BESIDE, measure, **said), exit_code=0)


VARIANTS: tuple[Variant, ...] = (
    _beside("code-beside-the-weights", with_file("modeling_custom.py"), "file_beside", file="modeling_custom.py"),
    _beside("a-pickle-beside-the-weights", with_file("pytorch_model.bin"), "file_beside", file="pytorch_model.bin"),
    _beside("torchscript-below-the-folder", with_file("export/MODEL.PT"), "file_beside", file="export/MODEL.PT"),
    _beside(
        "config-asks-for-code",
        with_key("config.json", "auto_map", {"AutoModel": "m.Model"}),
        "code_declared",
        file="config.json",
        observed={"AutoModel": "m.Model"},
    ),
    _beside(
        "tokenizer-config-asks-for-code",
        with_key("tokenizer_config.json", "auto_map", {"AutoTokenizer": ["t.T", None]}),
        "code_declared",
        file="tokenizer_config.json",
    ),
    _beside("template-reaches-for-a-class", with_template("{{ ''.__class__ }}"), "template_dunder", file=TEMPLATE),
    _beside(
        "template-reaches-by-escapes",
        with_template("{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}"),
        "template_dunder",
        observed="__class__, written as escapes",
    ),
    _beside("template-with-a-zero-width-space", with_template("be\u200bgood"), "template_hidden", file=TEMPLATE),
    _beside("template-with-tag-characters", with_template("\U000e0041\U000e0042"), "template_hidden"),
    _beside("template-with-an-address", with_template("see https://x.example/a"), "template_url"),
)
#: What is no more than data: dunder names in the text that a model reads, and joiners of a script that needs them.
HONEST: dict[str, Make] = {
    "a template whose text names a method": with_template("Write __init__ first."),
    "a template with joined letters": with_template("می‌خواهم"),
    "licence and pictures beside the weights": with_file("LICENSE"),
}
