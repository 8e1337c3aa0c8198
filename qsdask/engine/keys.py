"""The key of one run, for workers on other machines: files in a folder of a shared file system that nobody else reads."""

from __future__ import annotations

from pathlib import Path

from distributed.security import Security

from qsdask.files.durable import write_durable

__all__ = ["KEY_FILES", "new_keys", "security_of", "write_keys"]

#: Names of the files, the last to be written last.
KEY_FILES = ("ca.pem", "cert.pem", "key.pem")


def new_keys() -> tuple[str, str, str]:
    """A new authority, certificate and key, as PEM texts, good for one run alone."""
    made = Security.temporary()
    return str(made.tls_ca_file), str(made.tls_scheduler_cert), str(made.tls_scheduler_key)


def write_keys(folder: Path) -> None:
    """Make a new key and certificate, good for this run alone.

    Parameters
    ----------
    folder : Path
        See `qsdask.files.private.private_folder`.
    """
    for name, text in zip(KEY_FILES, new_keys(), strict=True):
        write_durable(folder / name, text.encode())


def security_of(folder: Path) -> Security:
    """All connections encrypted, and open to those only who can read the key in this folder."""
    authority, certificate, key = (str(folder / name) for name in KEY_FILES)
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=authority,
        **{f"tls_{role}_cert": certificate for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )
