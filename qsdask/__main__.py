"""``python -m qsdask``: the command line.."""

import sys

from qsdask.cli import main

if __name__ == "__main__":
    sys.exit(main())
