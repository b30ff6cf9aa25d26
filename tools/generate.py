"""Regenerate `client/gesso/v1` from the contract in `proto/`.

    python tools/generate.py            write the generated code, remove what is stale
    python tools/generate.py --check    write nothing; exit 1 naming the files that would change

The generators live in a virtual environment of their own, `.venv-codegen`, made on first use and
again whenever `tools/codegen-requirements.txt` changes: they need an older protobuf than the one
Gesso runs on. The standard library is all this script needs, and Node is not needed.

The proto path equals the Python package path (`proto/gesso/v1/x.proto` becomes `gesso.v1.x_pb2`),
so the imports that protoc writes are right as they are.
"""

from __future__ import annotations

import argparse
import fcntl
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = Path("gesso", "v1")
CLIENT = ROOT / "client"
REQUIREMENTS = ROOT / "tools" / "codegen-requirements.txt"
ENVIRONMENT = ROOT / ".venv-codegen"

INIT = '"""The contract of `proto/gesso/v1`, generated: change the .proto files and run `make proto`."""\n'


def main() -> int:
    """Generate or check, and return the exit code."""
    parser = argparse.ArgumentParser(description="Regenerate client/gesso/v1 from proto/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything differs")
    check: bool = parser.parse_args().check

    _ensure_environment()
    with tempfile.TemporaryDirectory(prefix="gesso-generate-") as scratch:
        _generate(Path(scratch))
        fresh, current = Path(scratch) / PACKAGE, CLIENT / PACKAGE
        differing = _differing(fresh, current)
        if not check:
            _replace(fresh, current, differing)
    for name in differing:
        done = "differs" if check else "written" if (current / name).is_file() else "removed"
        print(f"{done}: {(current / name).relative_to(ROOT)}")
    if check and differing:
        print("The generated code is out of date: run `make proto`.", file=sys.stderr)
        return 1
    return 0


def _ensure_environment() -> None:
    """Make `.venv-codegen` hold what the requirements say; processes that want it at once take turns."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}\n{REQUIREMENTS.read_text()}"
    stamp = ENVIRONMENT / "requirements.stamp"
    with (ROOT / ".venv-codegen.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        print(f"Preparing {ENVIRONMENT.name} ...", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        _run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS))
        stamp.write_text(wanted)


def _generate(out: Path) -> None:
    """Write the generated package below `out`; gRPC stubs only for files that define a service."""
    protos = sorted((PROTO / PACKAGE).glob("*.proto"))
    if not protos:
        sys.exit(f"no .proto files in {(PROTO / PACKAGE).relative_to(ROOT)}")
    services = [path for path in protos if re.search(r"^service\s", path.read_text(), re.MULTILINE)]
    _protoc(protos, f"--python_out={out}", f"--pyi_out={out}")
    if services:
        _protoc(services, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}")
    (out / PACKAGE / "__init__.py").write_text(INIT)


def _protoc(files: list[Path], *outputs: str) -> None:
    names = [path.relative_to(PROTO).as_posix() for path in files]
    _run("-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *outputs, *names)


def _run(*arguments: str) -> None:
    """Run the environment's Python, with its plugins on the PATH; leave with its code if it fails."""
    scripts = ENVIRONMENT / "bin"
    variables = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run([scripts / "python", *arguments], env=variables, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _differing(fresh: Path, current: Path) -> list[str]:
    """Return the names that are missing, stale or different in `current`, sorted."""
    names = _names(fresh) | _names(current)
    _, different, missing = filecmp.cmpfiles(fresh, current, names, shallow=False)
    return sorted([*different, *missing])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py*") if path.is_file()}


def _replace(fresh: Path, current: Path, differing: list[str]) -> None:
    """Bring the files named by `differing` over, and remove those no longer generated."""
    current.mkdir(parents=True, exist_ok=True)
    for name in differing:
        if (fresh / name).is_file():
            shutil.copyfile(fresh / name, current / name)
        else:
            (current / name).unlink()


if __name__ == "__main__":
    sys.exit(main())
