"""How well each structural signature predicts plasticity, in short range and with medium range.

python examples/auc_per_feature_set.py [FOLDER] [SET,SET,...] [FACET_FRACTION]

soft_shell wants all facets: python examples/auc_per_feature_set.py auc-soft soft_shell 0

Learns from one shipped glass, scores the other: AUC-ROC of the mean probability at 4 % strain. The glasses are small
and quenched 400 times faster than those of Wang & Jain (doi:10.1038/s41467-019-13511-9): differences below 0.02 mean
nothing here.
"""

import sys
from pathlib import Path

import qsdask
from qsdask.stages.features import set_names


def main(folder: Path, sets: list[str], facet_fraction: float) -> None:
    data = Path(qsdask.__file__).parent / "data"
    run = qsdask.Run(cluster="threads", progress=False)
    stores = {name: folder / f"{name}.zarr" for name in ("cu65_a", "cu65_b")}
    for name, store in stores.items():
        qsdask.ingest(data / f"{name}.dump.gz", store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, run=run)
        qsdask.shells(store, cutoff=4.0, facet_fraction=facet_fraction, run=run)
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


def scored(folder: Path, stores: dict[str, Path], name: str, columns: str, way: str, run: qsdask.Run) -> float:
    """AUC-ROC on the held-out glass."""
    learned, tested = (stores[f"cu65_{letter}"] for letter in way.split(" -> "))
    model = qsdask.train(
        learned, model=folder / f"{name}_{columns}_{way[0]}.qs", set=name, columns=columns, draws=1, run=run
    )
    qsdask.predict(tested, model=model, run=run)
    return qsdask.evaluate(tested, model=model, run=run)["auc_roc"]


if __name__ == "__main__":
    place, chosen, fraction = [*sys.argv[1:], *("auc-per-set", "all", "0.05")[len(sys.argv) - 1 :]]
    main(Path(place), set_names(chosen, {"facet_fraction": float(fraction)}), float(fraction))
