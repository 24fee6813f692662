"""Start the app: `python -m app [--host HOST] [--port PORT] [--no-browser]`."""

import argparse
import logging
import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

import uvicorn

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_PORT = 8501
# Seconds for which open pages may hold up the end of the server.
GRACE = 2


def port(text: str) -> int:
    """A port number; raises ValueError outside 1..65535."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError(f"a port lies in 1..65535, got {number}")
    return number


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


def announce(server: uvicorn.Server, url: str, opens_browser: bool) -> None:
    """Print the address, and open it, once the server answers."""
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    if server.started:
        print(f"The laboratory is open at {url}  (stop it with Ctrl+C)", flush=True)
        if opens_browser:
            webbrowser.open(url)


def main(arguments: list[str] | None = None) -> int:
    wanted = options(arguments)
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
    name = "localhost" if wanted.host in ("0.0.0.0", "::", "") else wanted.host
    url = f"http://{f'[{name}]' if ':' in name else name}:{wanted.port}"
    print("Warming up …", flush=True)
    threading.Thread(target=announce, args=(server, url, not wanted.no_browser), daemon=True).start()
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
