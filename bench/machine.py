"""The machine and the moment of a benchmark, in the words a table needs."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

WIDE = ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "sve", "bf16"]
#: Any of which a precision takes.
NEEDED = {"bfloat16": {"avx512_bf16", "amx_bf16", "bf16"}, "int8": {"avx512_vnni", "avx_vnni"}}
#: What takes AVX-512 and all that is built on it away from a program that asks its environment.
AVX2_ONLY = {
    "STRATA_CPU": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OV_CPU_MAX_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def describe(repository: Path) -> dict:
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", cpu, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpu, re.MULTILINE)
    present = set(flags[1].split()) if flags else set()
    return {
        "cpu": model[1].strip() if model else platform.processor() or platform.machine(),
        "cores": cores(),
        "instructions": [flag for flag in WIDE if flag in present],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": commit(repository),
    }


def only_avx2(described: dict) -> bool:
    """Whether AVX2 is the widest that this processor has."""
    return "avx2" in described["instructions"] and "avx512f" not in described["instructions"]


def lacks(described: dict, precision: str, avx2: bool) -> str | None:
    """Why a precision would be computed by other instructions than its own, or not by everyone."""
    needed = NEEDED.get(precision)
    if needed and environment(described, avx2):
        return f"everyone is held to AVX2, which has no instructions for {precision}"
    if needed and not needed & set(described["instructions"]):
        return f"this processor has no instructions for {precision}"
    return None


def environment(described: dict, avx2: bool) -> dict[str, str]:
    """Variables that hold a process to AVX2, where that is wanted and the processor has more."""
    return AVX2_ONLY if avx2 and not only_avx2(described) else {}


def begin(repository: Path, threads: int) -> dict:
    """What every file of results begins with."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": describe(repository),
        "threads": threads,
        "load_before": load_average(),
    }


def results(folder: Path, figures: dict, name: str) -> Path:
    """Where results go, in a folder that is made; the suffix is for whoever writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{figures['date']}-{slug(figures['machine'])}-{name}"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit(repository: Path) -> str:
    command = ["git", "-C", str(repository), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def load_average() -> float:
    """Processes that want a core, over the last minute: above 1 before a race, others disturb it."""
    return round(os.getloadavg()[0], 2)


def slug(machine: dict) -> str:
    """A file name's part: `amd-epyc-2-cores`."""
    words = re.sub(r"\(R\)|\(TM\)|CPU|Processor|@.*", " ", machine["cpu"], flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", f"{words} {machine['cores']} cores".lower()).strip("-")
