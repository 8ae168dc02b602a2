"""Makes a virtual environment: python make_environment.py ENVIRONMENT REQUIREMENTS.txt NO_DEPS.txt FOLDER...

The packages of NO_DEPS.txt are installed without those that they ask for. The folders are put on the environment's path.
An environment that is there is made anew.
"""

import subprocess
import sys
import venv
from pathlib import Path


def main(environment, requirements, no_deps, *folders):
    try:
        venv.create(environment, clear=True, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit(
            "Python cannot make a virtual environment with pip in it. Install its venv package (Debian, Ubuntu: python3-venv) and try again."
        )
    python = Path(environment, "Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run([python, "-m", "pip", "install", "-r", requirements], check=True)
    subprocess.run([python, "-m", "pip", "install", "--no-deps", "-r", no_deps], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run(
        [python, "-c", ask], check=True, capture_output=True, text=True
    ).stdout.strip()
    Path(packages, "mrisuperres.pth").write_text("\n".join(folders) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
