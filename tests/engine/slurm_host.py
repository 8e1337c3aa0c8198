"""A real SLURM on this machine for tests, all of it in one folder and on loopback: munged, slurmctld, slurmd.

Debian and Ubuntu bring the programs: ``apt-get install --no-install-recommends slurmctld slurmd slurm-client munge iproute2``.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "ss")

#: Jobs share cores: a test wants several of them on any machine.
CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
KillWait=5
MessageTimeout=60
SlurmdTimeout=300
InactiveLimit=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
NodeName={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
"""


def missing() -> list[str]:
    """Programs that are not on this machine."""
    return [name for name in PROGRAMS if not _where(name)]


def needs_slurm() -> list[pytest.MarkDecorator]:
    """Marks of tests that need it."""
    lacking = ", ".join(missing())
    return [
        pytest.mark.cluster,
        pytest.mark.skipif(bool(lacking), reason=f"SLURM is not installed here: {lacking} missing"),
    ]


def _where(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Host:
    """The running SLURM."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """For commands that talk to it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *words: str) -> str:
        """Output of one of its commands."""
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=True, timeout=120
        ).stdout.strip()

    def running(self) -> list[str]:
        """Numbers of the jobs that run."""
        return self.ask("squeue", "--noheader", "--states=R", "--format=%i").split()

    def ended(self) -> dict[str, str]:
        """How each job that is over has ended."""
        file = self.folder / "jobs.txt"
        rows = [dict(word.partition("=")[::2] for word in line.split()) for line in file.read_text().splitlines()]
        return {row["JobId"]: row["JobState"] for row in rows}


@contextmanager
def slurm_host(folder: Path) -> Iterator[Host]:
    """SLURM, as long as the ``with`` lasts."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [s.getsockname()[1] for s in (one, other)]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    text = CONF.format(
        host=socket.gethostname().partition(".")[0],
        ports=ports,
        user=getpass.getuser(),
        folder=folder,
        cores=len(os.sched_getaffinity(0)),
        memory=memory * 9 // 10,
    )
    (folder / "slurm.conf").write_text(text)
    names = {name: f"{folder}/{name}" for name in ("key", "munge.sock", "munged.pid", "munged.log", "seed")}
    munged = [
        "--foreground",
        "--force",
        "--num-threads=2",
        f"--key-file={names['key']}",
        f"--socket={names['munge.sock']}",
    ]
    munged += [f"--pid-file={names['munged.pid']}", f"--log-file={names['munged.log']}", f"--seed-file={names['seed']}"]
    started: list[subprocess.Popen] = []
    try:
        for name, words in (
            ("munged", munged),
            ("slurmctld", ["-D", "-f", f"{folder}/slurm.conf"]),
            ("slurmd", ["-D", "-f", f"{folder}/slurm.conf"]),
        ):
            with (folder / f"{name}.out").open("wb") as out:
                started.append(
                    subprocess.Popen(
                        [str(_where(name)), *words],
                        stdout=out,
                        stderr=out,
                        env={**os.environ, "SLURM_CONF": f"{folder}/slurm.conf"},
                    )
                )
            time.sleep(0.5)
        host = Host(folder)
        deadline = time.monotonic() + 120
        while "idle" not in host.ask("sinfo", "--noheader", "--format=%T"):
            assert time.monotonic() < deadline, (folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.5)
        yield host
        subprocess.run(["scancel", "--user", getpass.getuser()], env=host.environment, timeout=60, check=False)
    finally:
        for one in reversed(started):
            one.terminate()
            try:
                one.wait(timeout=30)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
