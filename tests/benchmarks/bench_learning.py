"""AUC on the held-out glass, both ways and over seeds, against scikit-learn with the authors' settings.

    python -m tests.benchmarks.bench_learning [--seeds 5] [--draws 1 3]

Both learn from the same rows: for every seed, draw and fold scikit-learn's GradientBoostingClassifier (300 trees of
depth 2, learning rate 0.1, square root of the features a split, leaves and splits of at least 0.1 % of the rows) is
fitted to the rows of the fold models, and scored like QS, by the mean probability.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import qsdask
from qsdask.engine.cluster import connect
from qsdask.engine.where import Run
from qsdask.learn import Specimen, Table, quench_in_softness, stratified, train, undersample
from qsdask.learn.score import auc_roc
from qsdask.learn.tally import Tally
from qsdask.settings import TrainSettings
from qsdask.store import ledger
from tests.learn.peer import authors_trees

DATA = Path(qsdask.__file__).parent / "data"


def table_of(name: str, folder: Path, run: Run) -> Table:
    """Features and labels at 4 % strain of a shipped glass."""
    store = folder / f"{name}.zarr"
    qsdask.ingest(DATA / f"{name}.dump.gz", store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, run=run)
    qsdask.shells(store, run=run)
    qsdask.features(store, run=run)
    qsdask.respond(store, run=run)
    tree = qsdask.open_store(store)
    features = tree["features/interstice"].ds
    y = tree["response/d2min"].ds["d2min"].values[8] > 5.0
    specimen = Specimen(ledger.require(store, "ingest").facts["specimen"], name, len(y))
    ids = tree["atoms"].ds["id"].values
    columns = tuple(str(c) for c in features["feature"].values)
    return Table((specimen,), np.zeros(len(y), dtype=np.int64), ids, features["value"].values, y, columns)


def peer(source: Table, test: Table, seed: int, draws: int) -> float:
    """AUC of scikit-learn's mean probability on the rows that our models learn from."""
    probability = []
    for draw in range(draws):
        rows = undersample(source.y, source.hashes(seed, "undersample", draw), tie=source.specimen)
        chosen = source.take(rows)
        fold = stratified(chosen.y, chosen.specimen, chosen.hashes(seed, "fold", draw), 5)
        for k in range(5):
            model = authors_trees(seed * 100 + draw * 10 + k)
            model.fit(chosen.X[fold != k], chosen.y[fold != k])
            probability.append(model.predict_proba(test.X)[:, 1])
    return auc_roc(Tally.of(test.y, np.mean(probability, axis=0)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 3])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qsdask-learning-") as folder, connect("threads", 2) as client:
        run = Run(client, 2, False, False)
        glass = {name: table_of(f"cu65_{name}", Path(folder), run) for name in "ab"}
        print("AUC-ROC on the held-out glass, mean ± standard deviation over seeds")
        for draws in options.draws:
            for source, test in (("a", "b"), ("b", "a")):
                ours, theirs = [], []
                for seed in range(options.seeds):
                    made = train(
                        glass[source],
                        definition={},
                        label={},
                        settings=TrainSettings(draws=draws, seed=seed),
                        threads=2,
                    )
                    ours.append(auc_roc(Tally.of(glass[test].y, quench_in_softness(made, glass[test].X)[0])))
                    theirs.append(peer(glass[source], glass[test], seed, draws))
                print(
                    f"{source} -> {test}, {draws} draws: qsdask {np.mean(ours):.4f} ± {np.std(ours):.4f}   "
                    f"scikit-learn {np.mean(theirs):.4f} ± {np.std(theirs):.4f}   "
                    f"difference {np.mean(ours) - np.mean(theirs):+.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
