"""Examples of README and documentation: indented Markdown blocks."""

import re
import shlex
import textwrap
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
TEXTS = (README, *sorted((PROJECT / "Documentation").glob("*.md")))
"""The pages for users."""
PROGRAMS = ("mrisuperres", "mrisuperres-train")


def text():
    """Return all texts."""
    return "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)


def blocks(*paths):
    """Return the lines of every indented block, without their indentation."""
    found = [
        block
        for path in paths or TEXTS
        for block in re.findall(
            r"(?<=\n\n)((?:(?: {4}| {7}).*\n)+)", path.read_text(encoding="utf-8")
        )
    ]
    return [
        textwrap.dedent(block).splitlines()
        for block in found
        if not block.lstrip().startswith("![")
    ]


def commands(program, *paths):
    """Return the words after the program of every such example, without comments."""
    return [
        shlex.split(line, comments=True)[1:]
        for block in blocks(*paths)
        for line in block
        if line.startswith(f"{program} ")
    ]


def is_shell(block):
    return block[0].startswith(("mrisuperres", "cmake ", "export ", "timeout "))


def is_python(block):
    """Return True for an example of the Python API, outside Slicer."""
    return any(line == "import MRISuperResLib as sr" for line in block)


def python_examples():
    return ["\n".join(block) for block in blocks() if is_python(block)]


def is_list(block):
    """Return True for a list of volumes."""
    return block[0].startswith("path,")


def console_examples(word):
    """Return the examples for Slicer's Python console in which a word occurs."""
    return [
        "\n".join(block)
        for block in blocks()
        if not is_shell(block) and not is_python(block) and any(word in line for line in block)
    ]
