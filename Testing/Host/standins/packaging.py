"""Stand-in of slicer.packaging (Slicer 5.12): records what it is asked and never installs anything.

A test says what is installed: `slicer.packaging._fake.installed = {"spandrel"}`, `_fake.failure = "no network"`, and reads `_fake.calls`.
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
    """The requirements of a file, without comments."""
    _fake.calls.append(("load_requirements", str(path)))
    lines = (
        line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines()
    )
    return [line for line in lines if line]


def pip_check(requirements):
    """Whether all requirements are installed."""
    _fake.calls.append(("pip_check", requirements))
    return all(map(_fake.has, _list(requirements)))


def pip_install(requirements, **kwargs):
    _fake.calls.append(("pip_install", requirements))
    if _fake.failure:
        raise RuntimeError(_fake.failure)
    _fake.installed.update(re.match(r"[\w.-]+", str(r)).group() for r in _list(requirements))


def pip_ensure(requirements, **kwargs):
    """Install what is missing."""
    _fake.calls.append(("pip_ensure", requirements))
    missing = [r for r in _list(requirements) if not _fake.has(r)]
    if missing:
        pip_install(missing)


def pip_uninstall(requirements, **kwargs):
    _fake.calls.append(("pip_uninstall", requirements))
