"""Start the app: `python -m app [--host HOST] [--port PORT] [--no-browser]`."""

import argparse
import errno
import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_PORT, MOST_PORT = 8501, 65535
# Seconds for which open pages may hold up the end of the server.
GRACE = 2


def port(text: str) -> int:
    """A port number; raises ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_PORT):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_PORT}, got {text!r}")
    return int(text)


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app", description="Serve the k-WTA laboratory to browsers.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other computers in (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get("KWTA_PORT", str(DEFAULT_PORT)),
        help=f"default: the variable KWTA_PORT, or {DEFAULT_PORT}",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args(arguments)


def obstacle(host: str, port: int) -> str:
    """Why nothing can be served at this address, in a sentence that names the option to change; "" if nothing is."""
    try:
        places = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return f"There is no address called {host!r} here; name another with --host, such as --host 127.0.0.1."
    errors = [_binding(*place[:3], place[4]) for place in places]
    if None in errors:  # one is enough: "localhost" may have an address of each family, and the computer but one
        errors = [error for error in errors if error and error.errno == errno.EADDRINUSE]
    return _refused(host, port, errors[0]) if errors and errors[0] else ""


def _binding(family: int, kind: int, protocol: int, place: tuple) -> OSError | None:
    """What binding a socket to this place raises."""
    try:
        with socket.socket(family, kind, protocol) as trial:
            if os.name == "posix":  # as the server does: a port that was just closed is free
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind(place)
    except OSError as error:
        return error
    return None


def _refused(host: str, port: int, error: OSError) -> str:
    other = port + 1 if port < MOST_PORT else DEFAULT_PORT
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} is in use, perhaps by this laboratory started before; take another with --port {other}."
            )
        case errno.EACCES:
            return f"Port {port} may not be used by this account; take another with --port {DEFAULT_PORT}."
        case errno.EADDRNOTAVAIL:
            return f"This computer has no address {host}; name another with --host, such as --host 127.0.0.1."
    return f"Nothing can be served at {host}, port {port}: {error.strerror}; try others with --host and --port."


def announce(server: uvicorn.Server, url: str, everybody: bool, opens_browser: bool) -> None:
    """Print the address, and open it, once the server answers."""
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    if server.started:
        print(f"The laboratory is open at {url}  (stop it with Ctrl+C)", flush=True)
        if everybody:
            name = f"http://NAME:{urlsplit(url).port}"
            print(f"Others in your network open {name}, where NAME is this computer's name or address.", flush=True)
        if opens_browser:
            webbrowser.open(url)


def main(arguments: list[str] | None = None) -> int:
    wanted = options(arguments)
    if problem := obstacle(wanted.host, wanted.port):
        print(problem, file=sys.stderr)
        return 1
    os.chdir(ROOT)  # where .streamlit/config.toml lies
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    config = uvicorn.Config(
        "app.server:app",
        host=wanted.host,
        port=wanted.port,
        log_level="warning",
        ws_per_message_deflate=False,  # frames of bytes do not compress
        timeout_graceful_shutdown=GRACE,
    )
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(lambda record: record.levelno > logging.INFO)  # Streamlit makes them chatty
    server = uvicorn.Server(config)
    everybody = wanted.host in ("0.0.0.0", "::", "")
    name = "localhost" if everybody else wanted.host
    url = f"http://{f'[{name}]' if ':' in name else name}:{wanted.port}"
    print("Warming up …", flush=True)
    threading.Thread(target=announce, args=(server, url, everybody, not wanted.no_browser), daemon=True).start()
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
