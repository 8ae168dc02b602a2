"""Build a virtual environment: make_environment.py ENVIRONMENT PROJECT REQUIREMENTS [NO_DEPS].

The packages of NO_DEPS are installed without their dependencies. The project itself is installed
in editable mode, so its commands and libraries are available. An existing environment is replaced.
"""

import subprocess
import sys
import venv
from pathlib import Path


def main(environment: str, project: str, requirements: str, *no_deps: str) -> None:
    try:
        venv.create(environment, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit(
            "Python cannot create a virtual environment with pip. Install its venv package "
            "(Debian, Ubuntu: python3-venv) and try again."
        )
    python = Path(environment, "Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    for words in (
        ["-r", requirements],
        *(["--no-deps", "-r", file] for file in no_deps),
        ["--no-deps", "--no-build-isolation", "--editable", project],
    ):
        subprocess.run([python, "-m", "pip", "install", *words], check=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
