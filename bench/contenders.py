"""Who runs, behind one shape: `start`, `run` as often as wanted, `stop`."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Failed(Exception):
    """A contender did not do its part; the race goes on without it."""


class Peer:
    """A peer in its own process, loaded once; see worker.py."""

    def __init__(self, name: str, settings: dict, folder: Path, environment: dict[str, str]):
        self.name, self.settings, self.output = name, settings, folder / f"{name}.parquet"
        self.batch_size, self.environment = settings["batch_size"], environment
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self) -> dict:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "worker.py"), self.name, json.dumps(self.settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True,
            env={**os.environ, **self.environment, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"},
        )
        return self.answer()

    def run(self, corpus: Path, warm: bool = False) -> dict:
        order = {"corpus": str(corpus), "output": str(self.output), "warm": warm, "batch_size": self.batch_size}
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer, or its absence, tells why
        return self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            last = self.log.read_text().strip().splitlines()[-1:]
            raise Failed(f"{self.name} ended: {''.join(last)} (all of it in {self.log})")
        return json.loads(line)

    def stop(self) -> None:
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def files(self) -> list[Path]:
        return [self.output]


class Strata:
    """strata as a user calls it: every run is a process from start to exit, model load and all."""

    def __init__(self, name: str, binary: Path, settings: dict, folder: Path, compute: str, environment: dict[str, str]):
        self.name, self.binary, self.compute, self.settings = name, binary, compute, settings
        self.environment = {**os.environ, **environment}
        self.output, self.report = folder / name, folder / f"{name}.json"
        self.log = folder / f"{name}.log"

    def start(self) -> dict:
        if not self.binary.is_file():
            raise Failed(f"there is no {self.binary}; build it with `make build`")
        version = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True)
        if self.compute != "float32" and "--compute" not in self.help():
            raise Failed(f"this {version.stdout.strip()} has no --compute {self.compute}")
        return {"versions": ", ".join(version.stdout.split("\n")[:2]), "load": None}

    def run(self, corpus: Path, warm: bool = False) -> dict:
        shutil.rmtree(self.output, ignore_errors=True)
        command = [
            *(self.binary, "run", "--input", corpus, "--model", self.settings["model"], "--keep", "id"),
            *("--layers", ",".join(map(str, self.settings["layers"])), "--threads", self.settings["threads"]),
            *("--output", self.output, "--report", self.report, "--progress", "never"),
        ]
        if self.compute != "float32":
            command += ["--compute", self.compute]
        start = time.perf_counter()
        with self.log.open("w") as log:
            words = [str(word) for word in command]
            code = subprocess.run(words, stdout=log, stderr=log, env=self.environment).returncode
        seconds = time.perf_counter() - start
        if code != 0:
            raise Failed(f"{self.name} exited with {code}: {self.log.read_text().strip()}")
        report = json.loads(self.report.read_text())
        stages = report["stages"]
        return {
            "tokenize": stages["tokenize"]["busy_seconds"],
            "loop": stages["encode"]["busy_seconds"],
            "write": stages["write"]["busy_seconds"],
            "whole": seconds,
            "tokens": report["tokens"],
            "padded_tokens": report["tokens"],
            "repeated_tokens": report.get("repeated_tokens", 0),
            "peak_memory_bytes": report["peak_memory_bytes"],
            "stages": stages,
        }

    def help(self) -> str:
        command = [self.binary, "run", "--help"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        pass

    def files(self) -> list[Path]:
        return sorted(self.output.glob("data/*.parquet"))
