"""Azurite on a free port, which it prints, with a container that everybody may read. It ends with whoever
holds its stdin."""

import base64
import hashlib
import hmac
import re
import subprocess
import sys
import urllib.request
from email.utils import formatdate

# Of the account that Azurite comes with, as its documentation has it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def create(port: int, container: str) -> None:
    """Creates a container; Azure wants that signed."""
    headers = {
        "x-ms-blob-public-access": "container",
        "x-ms-date": formatdate(usegmt=True),
        "x-ms-version": "2021-08-06",
    }
    named = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "PUT" + "\n" * 12 + named + f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    address = f"http://127.0.0.1:{port}/{ACCOUNT}/{container}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(address, method="PUT", headers=headers)) as answer:
        assert answer.status == 201, answer.status


arguments = ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
server = subprocess.Popen([sys.argv[1], *arguments], stdout=subprocess.PIPE, text=True)
try:
    said = next(line for line in server.stdout if "listens on" in line or "listening" in line.lower())
    port = int(re.findall(r":(\d+)", said)[-1])
    create(port, "container")
    print(port, flush=True)
    sys.stdin.read()
finally:
    server.terminate()
