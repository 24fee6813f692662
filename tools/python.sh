#!/bin/sh
# Prints the command of a Python that kwta runs on: $PYTHON if it is set, else the first on PATH that fits.
set -eu

fits() { # the version kwta supports, with the modules that a virtual environment needs
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
  candidates=$PYTHON
else
  candidates="python3 python python3.13 python3.12 python3.11"
fi

unusable=
for python in $candidates; do
  if fits "$python"; then
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$python"
      exit 0
    fi
    unusable="$unusable $python"
  fi
done

if [ -n "$unusable" ]; then
  echo "kwta needs Python's venv module, which$unusable lacks. On Debian and Ubuntu: apt-get install python3-venv" >&2
else
  echo "kwta needs Python 3.11, 3.12 or 3.13; none of these is one: $candidates" >&2
  for python in $candidates; do
    version=$("$python" --version 2>/dev/null) && echo "  $python is $version" >&2
  done
  echo "Install one (https://www.python.org/downloads) or name it: PYTHON=/path/to/python3.12 make ..." >&2
fi
exit 1
