"""``python -m qsdask.simulation FOLDER``: one specimen; see `qsdask.simulation.launch`."""

import sys

from qsdask.simulation.launch import child

if __name__ == "__main__":
    sys.exit(child(sys.argv[1:]))
