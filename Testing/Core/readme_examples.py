"""The examples of the project's texts: indented lines, as in Markdown."""

import re
import shlex
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"


def blocks(path=README):
    """Every example of a text: the lines of an indented block, without their indentation."""
    found = re.findall(r"(?:^|\n)\n((?:    .*\n)+)", path.read_text(encoding="utf-8"))
    return [[line[4:] for line in block.splitlines()] for block in found]


def commands(module, path=README):
    """The words behind “python -m MODULE” of every such example, without comments."""
    words = [shlex.split(line, comments=True) for block in blocks(path) for line in block if line.startswith(f"python -m {module} ")]
    return [line[3:] for line in words]


def is_shell(block):
    return block[0].startswith(("python ", "cmake "))


def console_examples(word):
    """The examples for Slicer's Python console in which a word occurs, as text."""
    return ["\n".join(block) for block in blocks() if not is_shell(block) and any(word in line for line in block)]
