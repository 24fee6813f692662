"""The app as a process of its own on a free port, as a person starts it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Importing torch and Streamlit takes seconds on a busy machine, and the first start compiles the Numba kernels.
START_SECONDS = 120
STOP_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A running app: its address and the file with everything it printed."""

    url: str
    log: Path

    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port on this machine that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def own_server(port: int) -> list[str]:
    """The command behind `make run`."""
    return [sys.executable, "-m", "app", "--host", "127.0.0.1", "--port", str(port), "--no-browser"]


def plain_streamlit(port: int) -> list[str]:
    """The command that works without this project's own server."""
    server = {"address": "127.0.0.1", "port": port, "headless": "true", "fileWatcherType": "none"}
    options = [part for name, value in server.items() for part in (f"--server.{name}", str(value))]
    return [sys.executable, "-m", "streamlit", "run", "app/main.py", *options]


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _wait_until_healthy(process: subprocess.Popen, server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(server.url):
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with status {process.returncode} before it served:\n{server.printed()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the app did not answer within {START_SECONDS} s:\n{server.printed()}")
        time.sleep(0.1)


@contextmanager
def serve(command: Sequence[str], port: int, log: Path) -> Iterator[Server]:
    """Run the command from the repository's root until the block ends; raises RuntimeError if it does not serve."""
    server = Server(f"http://127.0.0.1:{port}", log)
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}
    with (
        log.open("ab") as out,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            _wait_until_healthy(process, server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
