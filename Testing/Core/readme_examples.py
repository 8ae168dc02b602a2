"""The examples of the project's texts: indented lines, as in Markdown."""

import re
import shlex
import textwrap
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
TEXTS = (README, *sorted((PROJECT / "Documentation").glob("*.md")))
"""What users read."""


def text():
    """Of all of them."""
    return "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)


def blocks(*paths):
    """Every example of the texts, or of others: the lines of an indented block, without their indentation."""
    found = [
        block
        for path in paths or TEXTS
        for block in re.findall(
            r"(?:^|\n)\n((?:(?: {4}| {7}).*\n)+)", path.read_text(encoding="utf-8")
        )
    ]
    return [
        textwrap.dedent(block).splitlines()
        for block in found
        if not block.lstrip().startswith("![")
    ]


def commands(module, *paths):
    """The words behind “python -m MODULE” of every such example, without comments."""
    words = [
        shlex.split(line, comments=True)
        for block in blocks(*paths)
        for line in block
        if line.startswith(f"python -m {module} ")
    ]
    return [line[3:] for line in words]


def is_shell(block):
    return block[0].startswith(("python ", "cmake "))


def console_examples(word):
    """The examples for Slicer's Python console in which a word occurs, as text."""
    return [
        "\n".join(block)
        for block in blocks()
        if not is_shell(block) and any(word in line for line in block)
    ]
