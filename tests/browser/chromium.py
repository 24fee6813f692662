"""Where the Chromium for the browser tests is: KWTA_CHROMIUM, or one of its usual places. `make test` runs this too."""

import os
import shutil
import sys

PLACES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

# Headless in a container, and silent: a test's browser talks to nobody but the app.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)


def find() -> str | None:
    """The path of a Chromium, or None. Raises ValueError if KWTA_CHROMIUM names none."""
    if named := os.environ.get("KWTA_CHROMIUM"):
        if not shutil.which(named):
            raise ValueError(f"KWTA_CHROMIUM must name an executable, got {named!r}")
        return shutil.which(named)
    return next((path for path in map(shutil.which, PLACES) if path), None)


def main() -> None:
    try:
        path = find()
    except ValueError as error:
        sys.exit(str(error))
    print(path or "none")
    sys.exit(path is None)


if __name__ == "__main__":
    main()
