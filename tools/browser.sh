#!/bin/sh
# Makes sure that there is a Chromium for the browser tests, where this can be done without asking; quick when there is.
set -eu

if [ -n "${KWTA_CHROMIUM:-}" ]; then
  exec .venv/bin/python tests/browser/chromium.py >/dev/null # says so if that is none
fi
if .venv/bin/python tests/browser/chromium.py >/dev/null; then
  exit 0
fi

# Root needs no sudo; anybody else only one that asks no password.
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root=sudo
else
  as_root=none
fi

if command -v apt-get >/dev/null 2>&1 && [ "$as_root" != none ]; then
  echo "== Installing Chromium for the browser tests (apt-get install chromium)"
  # DejaVu has the Greek letters and the signs of mathematics, which a bare machine lacks.
  # shellcheck disable=SC2086  # an empty $as_root must vanish
  { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } </dev/null >/dev/null ||
    echo "== apt-get could not install Chromium" >&2
fi

if ! .venv/bin/python tests/browser/chromium.py >/dev/null; then
  echo "== No Chromium found, so the browser tests will be skipped. Install Chromium or Chrome, or name one:" >&2
  echo "   KWTA_CHROMIUM=/path/to/chromium make test" >&2
fi
