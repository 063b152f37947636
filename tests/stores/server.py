"""A server of S3's protocol on a free port, which it prints. It ends with whoever holds its stdin. Some buckets refuse
what some stores refuse: the first word of a bucket's name says what."""

import sys
from collections import Counter

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

# How often each key of a bucket that is `conflicting` was refused.
CONFLICTS = Counter()


def refusal(bucket: str, key: str, has_condition: bool, has_version: bool) -> tuple[str, str] | None:
    """What a bucket answers to a file that is to be put there, if it does not take it."""
    match bucket.split("-")[0]:
        case "unconditional" if has_condition:
            return "501 Not Implemented", "NotImplemented"
        case "stubborn" if has_version:
            return "412 Precondition Failed", "PreconditionFailed"
        case "busy" if has_version:
            return "503 Slow Down", "SlowDown"
        case "opposed" if not has_condition and key.endswith("_SUCCESS"):
            return "412 Precondition Failed", "PreconditionFailed"
        case "conflicting" if not has_condition and key.endswith("_SUCCESS"):
            CONFLICTS[bucket, key] += 1
            if CONFLICTS[bucket, key] <= 3:
                return "409 Conflict", "OperationAborted"
    return None


class Application(DomainDispatcherApplication):
    def __call__(self, environ, start_response):
        _, bucket, key = (environ["PATH_INFO"] + "//").split("/", 2)
        has_version = "HTTP_IF_MATCH" in environ
        has_condition = has_version or "HTTP_IF_NONE_MATCH" in environ
        is_put = environ["REQUEST_METHOD"] == "PUT" and key.strip("/")
        refused = refusal(bucket, key.rstrip("/"), has_condition, has_version) if is_put else None
        if refused is None:
            return super().__call__(environ, start_response)
        # The next request of the connection comes after it.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, code = refused
        page = f"<Error><Code>{code}</Code><Message>as the test has it</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(page)))])
        return [page]


sys.modules["moto.moto_server.threaded_moto_server"].DomainDispatcherApplication = Application
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
