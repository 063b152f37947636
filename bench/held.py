"""Holds libraries to AVX2 that have no switch for it: they are told of a processor with nothing wider.

OpenVINO (its copy of MLAS) and ONNX Runtime ask `cpuid` themselves. In copies of them every such instruction is replaced by one
that no processor has, and `held.c`, preloaded, answers in its place. Of their own code nothing else is changed.
"""

import importlib.util
import re
import shutil
import struct
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ["openvino", "onnxruntime"]
CPUID, MARK = b"\x0f\xa2", b"\x0f\xff"


def environment(folder: Path) -> dict[str, str]:
    """Variables for a process that shall see such a processor; what they name is made in `folder` on first use."""
    folder = folder.resolve()
    answering = folder / "held.so"
    if not answering.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", answering, source], check=True)
    copies = [copy_held(package, folder / f"{package}-{version(package)}") for package in PACKAGES]
    return {"LD_PRELOAD": str(answering), "PYTHONPATH": ":".join(map(str, copies))}


def copy_held(package: str, folder: Path) -> Path:
    """A folder with a copy of an installed package whose libraries do not ask the processor."""
    source = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    if (folder / package).is_dir():
        return folder
    partial = folder / f"{package}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, symlinks=True)
    places = {library: replace(library) for library in partial.rglob("*.so*") if not library.is_symlink()}
    if not any(places.values()):
        raise SystemExit(f"error: no library of {source} asks cpuid; expected one that does")
    partial.rename(folder / package)
    return folder


def replace(library: Path) -> int:
    """Puts the mark in place of every `cpuid` of a library, and says how many there were."""
    image = bytearray(library.read_bytes())
    if CPUID not in image:
        return 0
    # The two bytes are in other instructions as well, so the code has to be read as code.
    with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", library], stdout=subprocess.PIPE) as code:
        found = subprocess.run(["grep", "-w", "cpuid"], stdin=code.stdout, capture_output=True, text=True).stdout
    addresses = [int(address, 16) for address in re.findall(r"^\s*([0-9a-f]+):\s+cpuid\s*$", found, re.MULTILINE)]
    for address in addresses:
        place = offset(image, address)
        if image[place : place + 2] != CPUID:
            raise SystemExit(f"error: there is no cpuid at {address:#x} of {library}")
        image[place : place + 2] = MARK
    library.write_bytes(image)
    return len(addresses)


def offset(image: bytes, address: int) -> int:
    """Where in an ELF file of 64 bits lies what is loaded at an address."""
    (table,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for header in range(table, table + size * count, size):
        kind, _, begin, loaded, _, length = struct.unpack_from("<IIQQQQ", image, header)
        if kind == 1 and loaded <= address < loaded + length:
            return begin + address - loaded
    raise SystemExit(f"error: nothing is loaded at {address:#x}")
