"""How well each structural signature foretells plasticity, in short range and with medium range.

python examples/auc_per_feature_set.py [FOLDER] [SET,SET,...]

Learns from one shipped glass, scores the other: AUC-ROC of the mean probability at 4 % strain. The glasses are small
and quenched 400 times faster than those of Wang & Jain (doi:10.1038/s41467-019-13511-9): differences below 0.02 mean
nothing here.
"""

import sys
from pathlib import Path

import qsdask
from qsdask.stages.features import set_names

#: Facets below this share of the mean area are dropped; 0 for soft_shell.
FACET_FRACTION = 0.05


def main(folder: Path, sets: list[str]) -> None:
    data = Path(qsdask.__file__).parent / "data"
    run = qsdask.Run(cluster="threads", progress=False)
    stores = {name: folder / f"{name}.zarr" for name in ("cu65_a", "cu65_b")}
    for name, store in stores.items():
        qsdask.ingest(data / f"{name}.dump.gz", store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, run=run)
        qsdask.shells(store, cutoff=4.0, facet_fraction=FACET_FRACTION, run=run)
        qsdask.features(store, set=",".join(sets), run=run)
        qsdask.respond(store, cutoff=4.0, run=run)
    print(f"{'set':<22}{'short range':>24}{'with medium range':>24}")
    for name in sets:
        cells = []
        for columns in ("short_range", "all"):
            scores = {way: scored(folder, stores, name, columns, way, run) for way in ("a -> b", "b -> a")}
            cells.append("   ".join(f"{auc:.3f}" for auc in scores.values()))
        print(f"{name:<22}{cells[0]:>24}{cells[1]:>24}", flush=True)
    print("each cell: AUC of cu65_a -> cu65_b, and of cu65_b -> cu65_a")


def scored(
    folder: Path, stores: dict[str, Path], name: str, columns: str, way: str, run: qsdask.Run
) -> float:
    """AUC-ROC on the glass that was set aside."""
    learned, tested = (stores[f"cu65_{letter}"] for letter in way.split(" -> "))
    model = qsdask.train(
        learned, model=folder / f"{name}_{columns}_{way[0]}.qs", set=name, columns=columns, draws=1, run=run
    )
    qsdask.predict(tested, model=model, run=run)
    return qsdask.evaluate(tested, model=model, run=run)["auc_roc"]


if __name__ == "__main__":
    chosen = sys.argv[2] if len(sys.argv) > 2 else "all"
    names = set_names(chosen, {"facet_fraction": FACET_FRACTION})
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "auc-per-set"), names)
