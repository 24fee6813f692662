#!/bin/sh
# Makes sure that .venv holds what the given requirements file lists; quick when it does already.
set -eu
requirements=$1
venv=.venv

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# An environment of another Python than the one asked for, or one whose Python is gone or too old, is made anew.
if [ -d "$venv" ]; then
  found=$(version "$venv/bin/python") || found="that does not start"
  wanted=$found
  case $found in 3.11 | 3.12 | 3.13) ;; *) wanted=another ;; esac
  if [ -n "${PYTHON:-}" ]; then
    python=$(sh tools/python.sh)
    wanted=$(version "$python")
  fi
  if [ "$found" != "$wanted" ]; then
    echo "== $venv has a Python $found: making it anew"
    rm -rf "$venv"
  fi
fi

if [ ! -d "$venv" ]; then
  python=$(sh tools/python.sh)
  echo "== Making $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi

# A stamp is a copy of the pins that were installed, so that any change of them is seen.
stamp=$venv/.stamp-$requirements
pins() { cat requirements.txt "$1" | sort -u; }
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(pins "$requirements")" ]; then
  exit 0
fi

echo "== Installing $requirements into $venv (the first time this takes some minutes)"
if [ "$(uname -s)" = Linux ] && [ ! -f "$venv/.stamp-requirements.txt" ] && [ -z "${PIP_EXTRA_INDEX_URL:-}" ] &&
  ! command -v nvidia-smi >/dev/null 2>&1; then
  echo "   There is no NVIDIA GPU here, and PyTorch without CUDA is gigabytes smaller. To take it, stop this and set"
  echo "   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu"
fi
PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet -r "$requirements"
for done in requirements.txt "$requirements"; do # the development list includes the other
  pins "$done" >"$venv/.stamp-$done"
done
