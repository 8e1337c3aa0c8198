"""The command that shows and tries a cluster."""

from __future__ import annotations

from collections.abc import Mapping

import click

from qsdask.cli.group import CONTEXT, cli

__all__ = []


@cli.command(context_settings=CONTEXT)
@click.argument("cluster")
@click.option("--workers", type=click.IntRange(1), help="Processes, threads or jobs, instead of those of the file.")
@click.option("--dry-run", is_flag=True, help="Print the script of a job of the batch system; start nothing.")
def cluster(cluster, workers, dry_run) -> None:
    """Try a cluster: start it, show its workers, end it. CLUSTER is what --cluster of other commands takes.

    \b
    qsdask cluster hpc.toml --dry-run                        # the script of a job
    qsdask cluster hpc.toml --workers 2                      # does it start, and how long is the queue?
    qsdask run pipelines/quickstart.toml --cluster hpc.toml

    A file for a batch system, such as hpc.toml; 'qsdask run --settings' prints all that may stand in it:

    \b
    [cluster]
    kind = "slurm"           # local threads address file, slurm pbs sge lsf htcondor, gateway kubernetes coiled, runner, python
    workers = 40             # jobs
    [cluster.options]        # of the class, here dask_jobqueue.SLURMCluster
    queue = "normal"
    account = "glass"
    cores = 32               # processes, with one task each
    memory = "120GB"
    walltime = "04:00:00"
    interface = "ib0"        # network that all machines share
    """
    from qsdask.engine.trial import script_of, tried

    if dry_run:
        click.echo(script_of(cluster, workers), nl=False)
        return
    _print(tried(cluster, workers))


def _print(found: Mapping) -> None:
    """Print what `qsdask.engine.trial.tried` found."""
    from qsdask.cli.tables import print_table, size

    rows = [
        (
            one["address"],
            one["host"],
            one["threads"],
            one["cores"],
            size(one["memory"]) if one["memory"] else "no limit",
        )
        for one in found["workers"]
    ]
    title = f"{found['kind']}: scheduler {found['scheduler']}, first worker after {found['seconds']:.1f} s"
    print_table(title, ("worker", "machine", "tasks at a time", "cores it may use", "memory"), rows)
