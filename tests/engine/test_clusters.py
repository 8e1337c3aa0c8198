"""Clusters that are named: settings, options checked against the class, the script of a job. Nothing is submitted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster

import qsdask.engine.batch as batch_module
from qsdask.cli import main
from qsdask.engine.batch import walltime_seconds
from qsdask.engine.capacity import expect, threads_of
from qsdask.engine.classes import refuse_unknown
from qsdask.engine.cluster import connect
from qsdask.engine.keys import security_of, write_keys
from qsdask.engine.named import cluster_of
from qsdask.engine.runner import runner
from qsdask.engine.tasks import run_tasks
from qsdask.engine.where import Run
from qsdask.errors import BadDataError, NoInputError, QSDaskError, UsageError
from qsdask.files.private import private_folder
from qsdask.jobs.recipe import load_recipe, settings_text
from qsdask.settings import ClusterSettings, SimulateRecipe

ROOT = Path(__file__).resolve().parents[2]

TABLE = """
[cluster]
kind = "slurm"
workers = 40
[cluster.options]
queue = "normal"
account = "glass"
cores = 32
memory = "120GB"
walltime = "04:00:00"
interface = "ib0"
"""


@pytest.fixture
def hpc(tmp_path, monkeypatch) -> Path:
    """A file with a table, alone in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpc.toml").write_text(TABLE)
    return tmp_path / "hpc.toml"


@pytest.fixture
def jobqueue():
    """Commands of batch systems are not needed here, their classes are."""
    return pytest.importorskip("dask_jobqueue", reason="needs the extra hpc: pip install 'qsdask[hpc]'")


def test_a_name_an_address_a_file_and_a_table_are_told_apart(hpc, tmp_path):
    (tmp_path / "scheduler.json").write_text("{}")
    assert cluster_of(None) == cluster_of("local") == ClusterSettings()
    assert cluster_of("runner").kind == "runner"
    assert cluster_of("tls://node7:8786").address == "tls://node7:8786"
    assert cluster_of("scheduler.json").file == "scheduler.json"
    assert cluster_of(hpc).options["interface"] == "ib0"
    assert cluster_of("hpc.toml", 3).workers == 3
    # Options of the command line that were passed over before stay so.
    assert cluster_of("tcp://node7:8786", None, "1GB").memory_limit is None


@pytest.mark.parametrize(
    ("table", "error", "code", "words"),
    [
        ("[cluster]\nkind = 'slrum'", UsageError, "E-SETTING", "kind"),
        ("[cluster]\nworker = 3", UsageError, "E-SETTING", "did you mean workers?"),
        ("[cluster]\nkind = 'address'", UsageError, "E-SETTING", "address is needed"),
        ("[cluster]\naddress = 'tcp://a:1'", UsageError, "E-SETTING", "only for kind = 'address'"),
        ("[cluster]\nkind = 'address'\naddress = 'a:1'", UsageError, "E-SETTING", "expected tcp://HOST:PORT"),
        ("[cluster]\nkind = 'python'", UsageError, "E-SETTING", "class is needed"),
        ("[cluster]\nkind = 'python'\nclass = 'os.system'", UsageError, "E-SETTING", "class"),
        ("[cluster]\nworkers = 0", UsageError, "E-SETTING", "workers"),
        ("[cluster.options]\ncores = 2", UsageError, "E-SETTING", "options are not for kind = 'local'"),
        ("[cluster]\nkind = 'slurm'\nmemory_limit = '1GB'", UsageError, "E-SETTING", "options.memory"),
        ("[clutser]\nkind = 'slurm'", UsageError, "E-SETTING", "no table [cluster]"),
        ("[cluster", BadDataError, "E-RECIPE", "not TOML"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_with_its_file(tmp_path, table, error, code, words):
    file = tmp_path / "bad.toml"
    file.write_text(table)
    with pytest.raises(error) as refusal:
        cluster_of(file)
    assert refusal.value.code == code
    assert words in refusal.value.message
    assert refusal.value.file == str(file)


def test_files_that_are_not_there_and_words_that_mean_nothing():
    with pytest.raises(NoInputError, match="E-CLUSTER-FILE"):
        cluster_of("none.toml")
    with pytest.raises(UsageError, match=r"(?s)E-CLUSTER.*slurm"):
        cluster_of("slrum")


def test_a_recipe_names_its_cluster_and_the_command_line_another(hpc):
    recipe = ROOT / "pipelines" / "quickstart.toml"
    plain, _ = load_recipe(recipe)
    assert Run().otherwise(plain.cluster).cluster is None
    hpc.write_text(recipe.read_text() + TABLE)
    plan, _ = load_recipe(hpc, ["cluster.workers=7"])
    assert plan.cluster.workers == 7
    assert Run().otherwise(plan.cluster).cluster == plan.cluster
    assert Run("threads").otherwise(plan.cluster).cluster == "threads"
    assert "[cluster]" in settings_text("run")
    assert "[cluster]" in settings_text("simulate")


def test_where_glasses_are_made_is_not_written_down_with_them():
    recipe = ROOT / "pipelines" / "glasses_cu_zr.toml"
    plain, _ = load_recipe(recipe, kind=SimulateRecipe)
    there, _ = load_recipe(recipe, ["cluster.kind=threads"], kind=SimulateRecipe)
    assert there.cluster.kind == "threads"
    assert plain.model_dump_json() == there.model_dump_json()


def test_the_script_of_a_job_has_what_is_set_by_us(hpc, jobqueue, capsys):
    assert main(["cluster", "hpc.toml", "--dry-run"]) == 0
    script = capsys.readouterr().out
    for words in (
        "#SBATCH -p normal\n",
        "#SBATCH -A glass\n",
        "#SBATCH --cpus-per-task=32\n",
        "#SBATCH -t 04:00:00\n",
        f"#SBATCH -o {hpc.parent}/qsdask-jobs/qsdask-%J.out\n",
        "export OMP_NUM_THREADS=1\n",
        "export DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=False\n",
        'mktemp -d "${TMPDIR:-/tmp}/qsdask-',
        # Four hours less five minutes, each up to two minutes earlier or later.
        "--lifetime 14100s --lifetime-stagger 120s",
        # One process a core, one task a process.
        "--nthreads 1 ",
        "--nworkers 32",
        "--interface ib0",
        "--dashboard-address 127.0.0.1:0",
        "--protocol tls://",
        f"--tls-key {hpc.parent}/.qsdask-XXXXXXXX/key.pem",
        f"{sys.executable} -m distributed.cli.dask_worker",
    ):
        assert words in script
    assert [path.name for path in hpc.parent.iterdir()] == ["hpc.toml"], "a dry run leaves nothing behind"
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_what_the_user_sets_stands(hpc, jobqueue, capsys):
    given = """
processes = 4
job_name = "glass7"
local_directory = "/scratch/me"
worker_extra_args = ["--lifetime", "1h", "--no-dashboard"]
job_script_prologue = ["module load python", "export OMP_NUM_THREADS=8"]
security = false
"""
    hpc.write_text(TABLE + given)
    assert main(["cluster", "hpc.toml", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "--nworkers 4" in told.out
    assert "--nthreads 8" in told.out
    assert "#SBATCH -J glass7" in told.out
    assert "--lifetime 1h --no-dashboard" in told.out
    assert told.out.count("OMP_NUM_THREADS") == 1
    assert told.out.index("module load python") < told.out.index("MALLOC_TOP_PAD_")
    assert "--local-directory /scratch/me" in told.out
    assert "mktemp" not in told.out
    assert "tls" not in told.out
    assert "no TLS: whoever reaches" in told.err


def test_what_a_site_prepared_in_dasks_configuration_counts(jobqueue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"cores": 8, "memory": "30GB", "interface": "eth1", "walltime": "01:00:00", "queue": "short"}
    with dask.config.set({f"jobqueue.slurm.{name}": value for name, value in names.items()}):
        script = batch_module.job_script(cluster_of("slurm"))
        assert Run("slurm", 5).threads() == 40
    assert "--nworkers 8" in script
    assert "--interface eth1" in script
    assert "--lifetime 3300s" in script


@pytest.mark.parametrize("kind", ["pbs", "sge", "lsf", "htcondor"])
def test_every_batch_system_has_a_script(kind, jobqueue, hpc, monkeypatch, capsys):
    walltime = {"htcondor": "", "lsf": 'walltime = "04:00"', "sge": 'walltime = "04:00:00"'}.get(
        kind, 'walltime = "04:00:00"'
    )
    more = 'disk = "10GB"' if kind == "htcondor" else ""
    hpc.write_text(
        f'[cluster]\nkind = "{kind}"\n[cluster.options]\ncores = 2\nmemory = "8GB"\ninterface = "ib0"\n{walltime}\n{more}\n'
    )
    if kind == "lsf":  # whose class asks the system for its units
        monkeypatch.setattr("dask_jobqueue.lsf.lsf_detect_units", lambda: "kb")
    assert main(["cluster", "hpc.toml", "--dry-run"]) == 0
    script = capsys.readouterr().out
    assert "--protocol tls://" in script
    assert ("--lifetime 14100s" in script) == (kind != "htcondor")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("coers = 3", "did you mean cores"),
        ("n_workers = 3", "n_workers is not for [cluster.options]"),
        ('walltime = "soon"', "walltime is 'soon'"),
        ('interface = ""', "options.interface says on which network"),
        ('log_directory = "/tmp/my logs"', "blanks"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_submitted(hpc, jobqueue, line, words, capsys):
    name = line.partition(" ")[0]
    hpc.write_text("\n".join(row for row in TABLE.splitlines() if not row.startswith(name)) + f"\n{line}\n")
    for more in (["--dry-run"], []):
        assert main(["cluster", "hpc.toml", *more]) == 64
        told = capsys.readouterr().err
        assert "E-CLUSTER-OPTIONS" in told
        assert words in told


def test_an_extra_that_is_missing_is_named(hpc, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    assert main(["cluster", "hpc.toml", "--dry-run"]) == 64
    told = capsys.readouterr().err
    assert "E-EXTRA" in told
    assert "qsdask[hpc]" in told


def test_the_interrupt_stays_ours_when_the_package_of_batch_systems_is_imported(jobqueue):
    code = """
import signal
from qsdask.engine.classes import class_of
from qsdask.settings import ClusterSettings
before = signal.getsignal(signal.SIGINT)
class_of(ClusterSettings(kind="slurm"))
assert signal.getsignal(signal.SIGINT) is before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("kind", "text", "seconds"),
    [
        ("slurm", "90", 5400),
        ("slurm", "90:30", 5430),
        ("slurm", "1:30:00", 5400),
        ("slurm", "2-00", 172800),
        ("slurm", "1-01:30", 91800),
        ("pbs", "04:00:00", 14400),
        ("sge", "3600", 3600),
        ("lsf", "04:30", 16200),
        ("lsf", "30", 1800),
    ],
)
def test_walltimes_as_their_systems_mean_them(kind, text, seconds):
    assert walltime_seconds(kind, text) == seconds


def test_a_short_walltime_leaves_time_to_work(hpc, jobqueue, capsys):
    hpc.write_text(TABLE.replace("04:00:00", "00:04:00"))
    assert main(["cluster", "hpc.toml", "--dry-run"]) == 0
    assert "--lifetime 180s --lifetime-stagger 24s" in capsys.readouterr().out


def loopback(**change: object) -> ClusterSettings:
    """Any class, by its name: here that of Dask itself."""
    place = {"host": "127.0.0.1", "protocol": "tcp://", "dashboard_address": "127.0.0.1:0"}
    options = {**place, "threads_per_worker": 1, "processes": False}
    given = {"kind": "python", "class_name": "distributed:LocalCluster", "workers": 2, "options": options, **change}
    return ClusterSettings(**given)


def test_any_class_can_be_named(monkeypatch):
    # Servers of Dask within this process leave folders there that they import from.
    monkeypatch.setattr(sys, "path", [*sys.path])
    with connect(loopback()) as client:
        client.wait_for_workers(2, timeout=60)
        assert client.submit(sum, [1, 2]).result() == 3
        assert threads_of(client) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"class_name": "distributed:NoCluster"}, "E-CLUSTER-CLASS"),
        ({"class_name": "no_package:Cluster"}, "E-EXTRA"),
        ({"options": {"host": "127.0.0.1", "processes": 7, "interface": "none0"}}, "E-CLUSTER-START"),
        ({"options": {"asynchronous": True}}, "E-CLUSTER-OPTIONS"),
    ],
)
def test_a_class_that_does_not_start_ends_in_one_message(change, code):
    with pytest.raises(QSDaskError) as refusal, connect(loopback(**change)):
        pass
    assert refusal.value.code == code


def test_options_are_those_of_the_signature():
    def made(address=None, *, image="x"): ...

    refuse_unknown("python", made, {"address", "image"})
    with pytest.raises(UsageError, match="did you mean image"):
        refuse_unknown("python", made, {"imgae"})
    refuse_unknown("python", LocalCluster, {"resources"})  # which has further ones


def test_a_scheduler_that_stands_is_reached_with_the_key_that_the_table_names(tmp_path):
    where = {"host": "127.0.0.1", "dashboard_address": None}
    with private_folder(tmp_path / "keys") as folder:
        write_keys(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        files = {"tls_ca_file": "ca.pem", "tls_client_cert": "cert.pem", "tls_client_key": "key.pem"}
        keys = {name: str(folder / file) for name, file in files.items()}
        with LocalCluster(1, threads_per_worker=1, security=security_of(folder), **where) as cluster:
            known, stranger, wrong = (
                ClusterSettings(kind="address", address=cluster.scheduler_address, options=options)
                for options in (keys, {}, {"tls_key": "x"})
            )
            with connect(known) as client:
                assert client.submit(sum, [1, 2]).result() == 3
            with pytest.raises(NoInputError, match="E-CLUSTER-CONNECT"), connect(stranger):
                pass
            with pytest.raises(UsageError, match="E-CLUSTER-OPTIONS"), connect(wrong):
                pass
    assert not (tmp_path / "keys").exists()


def test_a_runner_is_for_commands_that_srun_started(monkeypatch):
    settings = ClusterSettings(kind="runner")
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(UsageError, match="E-CLUSTER-RUNNER"), runner(settings):
        pass
    for name, value in {"PROCID": "1", "NTASKS": "2"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(UsageError, match="three tasks"), runner(settings):
        pass


def slow(number: int) -> int:
    return number


def test_a_cluster_that_adapts_is_given_work_for_all_the_workers_that_it_may_have():
    with connect("threads", 1) as client:
        expect(client, 10)
        asked = []
        sent = client.map
        client.map = lambda function, *columns, **more: asked.extend(columns[0]) or sent(function, *columns, **more)
        results = run_tasks(client, slow, [(n,) for n in range(100)], label="slow", progress=False)
        next(results)
        assert len(asked) >= 40
        assert sorted([0, *results])[-1] == 99
