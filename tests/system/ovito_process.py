"""OVITO in a process of its own: requests come as lines of JSON, arrays go back as files.

Its libraries and those of LAMMPS and other peers disturb each other in one process.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from ovito.io import import_file

from qsdask.errors import QSDaskError
from qsdask.ovito import QuenchInSoftness


def prepared(request):
    """A function modifier that changes the data as a request asks: type names, boundary, lost ids."""

    def modify(frame, data):
        if request.get("drop_particles"):
            data.objects.remove(data.particles)
            return
        particles = data.particles_
        for number, name in enumerate(request.get("type_names", ()), start=1):
            particles.particle_types_.type_by_id_(number).name = name
        if "pbc" in request:
            data.cell_.pbc = request["pbc"]
        if request.get("drop_ids"):
            del particles["Particle Identifier"]
        if request.get("drop_cell"):
            data.cell = None

    return modify


def answer(request):
    """Run a pipeline; see the keys that are used."""
    pipeline = import_file(request["file"])
    pipeline.modifiers.append(prepared(request))
    pipeline.modifiers.append(QuenchInSoftness(**request["modifier"]))
    try:
        data = pipeline.compute(request.get("frame", 0))
    except (QSDaskError, RuntimeError) as error:
        return {"error": str(error)}
    particles, table = data.particles, data.tables["quench-in-softness"]
    ids = particles.identifiers
    np.savez(
        request["out"],
        id=np.arange(1, particles.count + 1) if ids is None else ids[...],
        qs=particles["Quench-in Softness"][...],
        qs_std=particles["QS Spread"][...],
        outside=particles["QS Outside"][...],
        selection=particles.selection[...],
        histogram=table.xy(),
    )
    attributes = {name: value for name, value in data.attributes.items() if name.startswith("QuenchInSoftness.")}
    return {"frames": pipeline.num_frames, "attributes": attributes}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
