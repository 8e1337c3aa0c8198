"""Where stores lie, and how a bucket is reached: the table ``[storage]`` of a recipe."""

from __future__ import annotations

from pydantic import Field

from qsdask.settings.base import Settings

__all__ = ["StorageSettings"]


class StorageSettings(Settings):
    """Where the stores of a recipe lie, and how buckets are reached. No secret stands here."""

    stores: str | None = Field(
        default=None,
        pattern=r"^(s3|gs|az)://[^/\s]+(/[^\s]*)?$",
        description="prefix of a bucket that stores go into, such as s3://lab/cuzr; left out: the folder of the job, where "
        "model and report go in any case",
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="of s3: address of a server other than Amazon's; AWS_ENDPOINT_URL goes before it",
    )
    region: str | None = Field(default=None, description="of s3: the region; AWS_REGION goes before it")
    allow_http: bool = Field(
        default=False, description="of s3: accept an endpoint that is not encrypted, as on this machine"
    )
    credentials: str = Field(
        default="AWS",
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="of s3: beginning of the names of the variables that hold the credentials: LAB for LAB_ACCESS_KEY_ID, "
        "LAB_SECRET_ACCESS_KEY and, if there is one, LAB_SESSION_TOKEN",
    )
