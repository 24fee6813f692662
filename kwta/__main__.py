"""`python -m kwta`."""

import sys

from kwta.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
