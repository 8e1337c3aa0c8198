"""How softness learned from one kind of glass predicts plasticity in another: a table over an ensemble.

python examples/transfer_between_glasses.py FOLDER [FOLDER ...]

FOLDER is what `qsdask simulate` filled, such as glasses-cu-zr. Specimens of one composition and quench rate are a
group; the last replica of each is held out, the others are learned from. Each cell is the AUC-ROC on the glass of the
column for the model of the row: on its diagonal a glass of the same kind, elsewhere one of another composition or rate.
Stores and models go to "stores" in the first folder; called again, only what is missing is made.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import qsdask


def main(folders: list[Path]) -> None:
    run = qsdask.Run(cluster="threads", progress=False)
    home = folders[0] / "stores"
    groups = defaultdict(list)
    for place in sorted(file.parent for folder in folders for file in folder.glob("*/specimen.json")):
        facts = json.loads((place / "specimen.json").read_bytes())
        group = place.name.rpartition("-r")[0]
        groups[group].append(prepared(place / facts["deformations"][0]["dump"], home, run))
    kinds = {group: stores for group, stores in groups.items() if len(stores) > 1}
    if not kinds:
        sys.exit("no two finished replicas of one kind here; make them with: qsdask simulate RECIPE")
    print(f"{'learned from':<22}" + "".join(f"{kind:>20}" for kind in kinds))
    for kind, (*learned, _) in kinds.items():
        model = qsdask.train(learned, model=home / f"{kind}.qs", strain=0.04, threshold=5.0, run=run)
        cells = [scored(stores[-1], model, run) for stores in kinds.values()]
        print(f"{kind:<22}" + "".join(f"{auc:>20.3f}" for auc in cells), flush=True)


def prepared(dump: Path, home: Path, run: qsdask.Run) -> Path:
    """Store of one deformation, with features and response."""
    store = home / f"{dump.parent.name}.zarr"
    qsdask.ingest(dump, store, run=run)
    qsdask.shells(store, cutoff=4.0, run=run)
    qsdask.features(store, set="interstice", run=run)
    qsdask.respond(store, cutoff=4.0, run=run)
    return store


def scored(store: Path, model: Path, run: qsdask.Run) -> float:
    """AUC-ROC of a model on a glass that it has not seen."""
    qsdask.predict(store, model=model, run=run)
    return qsdask.evaluate(store, model=model, run=run)["auc_roc"]


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [Path("glasses-cu-zr")])
