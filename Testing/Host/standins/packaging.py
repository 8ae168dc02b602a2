"""Stand-in for slicer.packaging (Slicer 5.12) that records calls and installs nothing.

A test sets the installed packages, `slicer.packaging._fake.installed = {"spandrel"}`, or a failure,
`_fake.failure = 1` (exit code of pip), and reads the recorded calls from `_fake.calls`.
"""

import shlex
import tomllib
from pathlib import Path
from subprocess import CalledProcessError

from packaging.requirements import InvalidRequirement, Requirement


class _Fake:
    def __init__(self):
        self.reset()

    def reset(self):
        self.installed, self.failure, self.calls = set(), None, []


_fake = _Fake()


def load_requirements(path):
    """Return the requirements of a file; comments have lines of their own."""
    lines = map(str.strip, Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def load_pyproject_dependencies(path):
    """Return the dependencies of a pyproject.toml file, without the optional ones."""
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project.get("dependencies", [])]


def _requirements(given):
    if isinstance(given, str):
        try:
            return [Requirement(given)]
        except InvalidRequirement:
            return [Requirement(word) for word in given.split()]
    if isinstance(given, Requirement):
        return [given]
    if not isinstance(given, list):
        raise TypeError(f"Expected str, Requirement, or list, got {type(given).__name__}")
    return [Requirement(each) if isinstance(each, str) else each for each in given]


def pip_check(req, _seen=None):
    """Return True if all requirements are installed, in any version."""
    return all(each.name in _fake.installed for each in _requirements(req))


def isPipInstallInProgress():
    return False


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    """Install the missing requirements, after a question unless `prompt_install` is False."""
    import slicer

    missing = [each for each in _requirements(requirements) if not pip_check(each)]
    if missing and prompt_install:
        text = f"{len(missing)} Python packages need to be installed. Continue?"
        if not slicer.util.confirmOkCancelDisplay(text, requester):
            raise RuntimeError("User declined package installation")
    if missing:
        pip_install(list(map(str, missing)), constraints, requester=requester)


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    logCallback=None,
    completedCallback=None,
):
    """Record the arguments of pip; requirements are a text or a list of arguments."""
    words = shlex.split(requirements) if isinstance(requirements, str) else requirements
    _fake.calls.append(("pip_install", words))
    if _fake.failure:
        raise CalledProcessError(_fake.failure, "pip install")
    _fake.installed.update(Requirement(word).name for word in words if not word.startswith("-"))


def pip_uninstall(requirements, blocking=True, logCallback=None, completedCallback=None):
    words = shlex.split(requirements) if isinstance(requirements, str) else requirements
    _fake.calls.append(("pip_uninstall", words))
