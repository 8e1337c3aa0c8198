"""``python -m qsdask.cli``."""

import sys

from qsdask.cli import main

if __name__ == "__main__":
    sys.exit(main())
