"""The main job from Python, stage by stage, on the shipped glasses.

python examples/stage_by_stage.py [FOLDER]
"""

import sys
from pathlib import Path

import qsdask


def main(folder: Path) -> None:
    data = Path(qsdask.__file__).parent / "data"
    run = qsdask.Run(cluster="threads", progress=False)
    for name in ("cu65_a", "cu65_b"):
        store = folder / f"{name}.zarr"
        qsdask.ingest(data / f"{name}.dump.gz", store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, run=run)
        qsdask.shells(store, cutoff=4.0, run=run)
        qsdask.features(store, set="interstice", run=run)
        qsdask.respond(store, cutoff=4.0, run=run)
    model = qsdask.train(folder / "cu65_a.zarr", model=folder / "cu65.qs", strain=0.04, threshold=5.0, run=run)
    qsdask.predict(folder / "cu65_b.zarr", model=model, run=run)
    scores = qsdask.evaluate(folder / "cu65_b.zarr", model=model, run=run)
    print(f"AUC-ROC on the held-out glass: {scores['auc_roc']:.3f}, recall {scores['recall']:.3f}")

    tree = qsdask.open_store(folder / "cu65_b.zarr")
    soft, hard = tree.qs.soft(0.7), tree.qs.hard(0.1)
    print(f"{soft.sizes['atom']} soft and {hard.sizes['atom']} hard atoms")
    activation = qsdask.activation(folder / "cu65_b.zarr", model=model, run=run)
    for strain, qs, auc in zip(*(activation[n].values for n in ("strain", "qs_mean_newly", "auc")), strict=True):
        print(f"strain {strain:.3f}: mean QS of the newly plastic atoms {qs:.3f}, AUC {auc:.3f}")


if __name__ == "__main__":
    # Worker processes import this file again; only the first process may start the work.
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "stage-by-stage"))
