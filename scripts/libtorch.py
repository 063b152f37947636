#!/usr/bin/env python3
"""Puts libtorch into a folder, from the PyTorch wheel on PyPI.

    libtorch.py cpu|cuda|any FOLDER

`any` is content with whichever flavour is there, and fetches the CPU's otherwise. A folder that already holds what is asked for is left alone. Anything else is built beside it and
moved into place at the end, so an interrupted call leaves nothing that could be mistaken for a
finished one. A libtorch named by the environment variable LIBTORCH is checked and used as it is.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import wheels

VERSION = "2.9.0"
CUDA_RUNTIME = "12.8.90"
STAMP = "strata-libtorch"

# The interpreter the wheel was made for does not matter to the libraries inside it.
PYTHON = ["--python-version=3.12", "--implementation=cp", "--abi=cp312"]
LINUX = ["--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64"]


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ("cpu", "cuda", "any"):
        sys.exit(__doc__)
    flavour, folder = sys.argv[1], Path(sys.argv[2]).absolute()

    named = os.environ.get("LIBTORCH")
    if named and Path(named).absolute() != folder:
        return check_named(Path(named))

    wanted = [f"{VERSION} {each}\n" for each in ("cpu", "cuda") if flavour in (each, "any")]
    if read(folder / STAMP) in wanted:
        return None
    stamp = wanted[0]
    flavour = stamp.split()[1]

    for dead in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(dead, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        build = {"cpu": cpu, "cuda": cuda}[flavour]
        build(partial)
        (partial / "build-version").write_text(VERSION)
        (partial / STAMP).write_text(stamp)
        partial.chmod(0o755)
        replaced = folder.exists()
        if replaced:
            shutil.rmtree(folder)
        partial.rename(folder)
        if replaced:
            # Cargo sees the same path and would keep what was linked against the other flavour.
            subprocess.run(["cargo", "clean", "--release", "-p", "torch-sys", "-p", "strata-bert"], check=False)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"libtorch {VERSION} ({flavour}) is in {folder}", file=sys.stderr)


def check_named(folder: Path) -> None:
    """Accepts a libtorch of the user's own if it is whole and of the version we build against."""
    header = next(
        (h for h in ("include/torch/csrc/api/include/torch/version.h", "include/torch/headeronly/version.h")
         if re.search(r"TORCH_VERSION_MAJOR \d", read(folder / h))),
        None,
    )
    if header is None:
        sys.exit(
            f"error: LIBTORCH={folder} holds no libtorch: expected include/torch/version.h and lib/\n"
            "hint: point LIBTORCH at a libtorch folder, or unset it to let `make setup` fetch one"
        )
    found = ".".join(re.findall(r"TORCH_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", read(folder / header)))
    if found != VERSION and "LIBTORCH_BYPASS_VERSION_CHECK" not in os.environ:
        sys.exit(
            f"error: LIBTORCH={folder} is version {found}; strata is built against {VERSION}\n"
            "hint: unset LIBTORCH to let `make setup` fetch the right one, or set "
            "LIBTORCH_BYPASS_VERSION_CHECK=1 to try this one"
        )
    print(f"using libtorch {found} from LIBTORCH={folder}", file=sys.stderr)


def read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def cpu(target: Path) -> None:
    """Only what a program without a GPU needs: about 450 MB instead of 7 GB."""
    system, machine = platform.system(), platform.machine()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}-") as scratch:
        downloads = Path(scratch)
        if (system, machine) == ("Linux", "x86_64"):
            cpu_from_cuda_wheel(target, downloads)
        elif (system, machine) == ("Linux", "aarch64"):
            unpack_cpu_wheel(target, downloads, "--platform=manylinux_2_28_aarch64")
        elif (system, machine) == ("Darwin", "arm64"):
            unpack_cpu_wheel(target, downloads, "--platform=macosx_11_0_arm64")
        else:
            sys.exit(
                f"error: PyPI has no libtorch {VERSION} for {system} on {machine}\n"
                "hint: install one and name its folder in the environment variable LIBTORCH"
            )


def unpack_cpu_wheel(target: Path, downloads: Path, platform_option: str) -> None:
    """Where PyPI's wheel is a CPU build, its libraries serve as they are."""
    wheel = wheels.download(f"torch=={VERSION}", downloads, *PYTHON, platform_option)
    wheels.extract(wheel, target, "torch/", lambda n: n.startswith(("include/", "lib/")))
    # Libraries vendored into the wheel are looked up in ../../torch.libs, seen from lib/.
    wheels.extract(wheel, target / "lib", "torch.libs/")


def cpu_from_cuda_wheel(target: Path, downloads: Path) -> None:
    """PyPI's x86-64 wheel is a CUDA build: take its CPU half and stand in for the rest."""
    torch = wheels.download(f"torch=={VERSION}", downloads, *PYTHON, *LINUX)
    libraries = {f"lib/{name}" for name in ("libc10.so", "libtorch_cpu.so", "libgomp.so.1")}
    wheels.extract(torch, target, "torch/", lambda n: n.startswith("include/") or n in libraries)
    # libtorch_cpu.so links these two although it never calls them without a GPU.
    for package, library in (("runtime", "libcudart.so.12"), ("cupti", "libcupti.so.12")):
        wheel = wheels.download(f"nvidia-cuda-{package}-cu12=={CUDA_RUNTIME}", downloads, *PYTHON, *LINUX)
        wheels.extract(wheel, target / "lib", f"nvidia/cuda_{package}/lib/", lambda n: n == library)
    # The wheel's own libtorch.so pulls in libtorch_cuda.so; an empty one pulls in the CPU half alone.
    lib = target / "lib"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-shared", "-x", "c", "/dev/null", "-o", str(lib / "libtorch.so"), f"-L{lib}",
         "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10", "-Wl,-rpath,$ORIGIN",
         "-Wl,--allow-shlib-undefined"],
        check=True,
    )


def cuda(target: Path) -> None:
    """The whole wheel beside the nvidia packages it loads, laid out as pip installs them."""
    packages = target / "packages"
    print(f"installing torch=={VERSION} with CUDA from PyPI (about 7 GB)", file=sys.stderr)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--only-binary=:all:", "--target", str(packages), *PYTHON, *LINUX, f"torch=={VERSION}"],
        check=True,
    )
    for name in ("include", "lib"):
        (target / name).symlink_to(Path("packages/torch") / name)


if __name__ == "__main__":
    main()
