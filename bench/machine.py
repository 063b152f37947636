"""The machine and the moment of a benchmark, in the words a table needs."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

WIDE = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16"]


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
