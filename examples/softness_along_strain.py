"""Softness that follows the strain: how QS of the atoms that yielded changed between 0 and 4 %.

python examples/softness_along_strain.py [FOLDER]

Learns from one shipped glass; then gives the atoms of the other their softness twice, from the structure they were
quenched with and from the one they have at 4 % strain. The model stays the same: it was learned from glasses at rest.
"""

import sys
from pathlib import Path

import numpy as np

import qsdask


def main(folder: Path) -> None:
    data = Path(qsdask.__file__).parent / "data"
    run = qsdask.Run(cluster="threads", progress=False)
    learned, glass = (folder / f"{name}.zarr" for name in ("cu65_a", "cu65_b"))
    for store in (learned, glass):
        dump = data / f"{store.stem}.dump.gz"
        qsdask.ingest(dump, store, species={1: "Cu", 2: "Zr"}, strain_step=0.005, run=run)
        qsdask.respond(store, cutoff=4.0, run=run)
    strain = qsdask.open_store(glass)["frames/strain"].values
    step = qsdask.open_store(glass).qs.frame(0.04)
    for store, steps in ((learned, 0), (glass, [0, step])):
        qsdask.shells(store, cutoff=4.0, step=steps, run=run)
        qsdask.features(store, set="interstice", step=steps, run=run)
    model = qsdask.train(learned, model=folder / "cu65.qs", strain=0.04, threshold=5.0, draws=1, run=run)
    qsdask.predict(glass, model=model, step=[0, step], run=run)

    tree = qsdask.open_store(glass)
    before, now = tree["softness/cu65/qs"].values, tree[f"steps/{step}/softness/cu65/qs"].values
    response = tree["response/d2min"].isel(step=step)
    yielded = response["valid"].values & (response["d2min"].values > 5.0)
    for name, chosen in (("yielded", yielded), ("others", ~yielded), ("all", np.isfinite(before))):
        change = (now - before)[chosen]
        print(
            f"{name:<8} {chosen.sum():5d} atoms: QS {before[chosen].mean():.3f} at rest, {now[chosen].mean():.3f} at strain "
            f"{strain[step]:.3f}; change {change.mean():+.3f} on average, {np.abs(change).mean():.3f} in size"
        )
    print(f"correlation of QS before and after: {np.corrcoef(before, now)[0, 1]:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "softness-along-strain"))
