"""Stand-in for slicer.packaging (Slicer 5.12) that records calls and installs nothing.

A test sets the installed packages, `slicer.packaging._fake.installed = {"spandrel"}`, or a failure,
`_fake.failure = "no network"`, and reads the recorded calls from `_fake.calls`.
"""

import re
from pathlib import Path


class _Fake:
    def __init__(self):
        self.reset()

    def reset(self):
        self.installed, self.failure, self.calls = set(), None, []

    def has(self, requirement):
        return re.match(r"[\w.-]+", str(requirement)).group().lower() in {
            name.lower() for name in self.installed
        }


_fake = _Fake()


def _list(requirements):
    return requirements.split() if isinstance(requirements, str) else list(requirements)


def load_requirements(path):
    """Return the requirements of a file, without comments."""
    _fake.calls.append(("load_requirements", str(path)))
    lines = (
        line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines()
    )
    return [line for line in lines if line]


def pip_check(requirements):
    """Return True if all requirements are installed."""
    _fake.calls.append(("pip_check", requirements))
    return all(map(_fake.has, _list(requirements)))


def pip_install(requirements, **kwargs):
    _fake.calls.append(("pip_install", requirements))
    if _fake.failure:
        raise RuntimeError(_fake.failure)
    _fake.installed.update(re.match(r"[\w.-]+", str(r)).group() for r in _list(requirements))


def pip_ensure(requirements, **kwargs):
    """Install the missing requirements."""
    _fake.calls.append(("pip_ensure", requirements))
    missing = [r for r in _list(requirements) if not _fake.has(r)]
    if missing:
        pip_install(missing)


def pip_uninstall(requirements, **kwargs):
    _fake.calls.append(("pip_uninstall", requirements))
