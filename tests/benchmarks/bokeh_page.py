"""What the page of `explore` is measured against: a slider and the slice as discs, by Bokeh, as a user would write it.

python tests/benchmarks/bokeh_page.py STORE      # prints the port that it listens on
"""

from __future__ import annotations

import sys

from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Slider
from bokeh.plotting import figure
from bokeh.server.server import Server
from bokeh.transform import linear_cmap

import qsdask


def main(store: str) -> None:
    """Serve until the process ends."""
    tree = qsdask.open_store(store)
    radius = tree.atoms.radius.values

    def page(document) -> None:
        def atoms(frame: int) -> dict:
            found = tree.qs.slab("y", frame=frame).compute()
            size = 0.85 * radius[found.species.values]
            return {
                "u": found.position.values[:, 2],
                "v": found.position.values[:, 0],
                "qs": found.qs.values,
                "size": size,
            }

        source = ColumnDataSource(atoms(0), name="atoms")
        plot = figure(width=860, height=520, match_aspect=True)
        plot.circle("u", "v", radius="size", color=linear_cmap("qs", "Viridis256", 0, 1), source=source)
        slider = Slider(start=0, end=tree.frames.sizes["step"] - 1, value=0, step=1, name="frame")
        slider.on_change("value", lambda name, old, new: source.data.update(atoms(new)))
        document.add_root(column(slider, plot))

    server = Server({"/": page}, port=0)
    server.start()
    print(server.port, flush=True)
    server.io_loop.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
