"""What a project's own file, `project.yaml`, may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from selection.config.addresses import BUCKETS, remote_address
from selection.config.names import Strict


class LocalProcesses(Strict):
    """Processes of this machine."""

    kind: Literal["local"] = "local"
    workers: int | None = Field(
        default=None, ge=1, le=1_024, description="How many; as many as processors unless said."
    )


class RayCluster(Strict):
    """Workers of a Ray cluster."""

    kind: Literal["ray"]
    address: str | None = Field(
        default=None,
        min_length=1,
        description="Of a cluster that is there, as Ray writes it: `10.0.0.1:6379`,"
        " `ray://10.0.0.1:10001` or `auto`. Without one it is started on this machine.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="Processors of a cluster that is started; all of this machine unless said.",
    )

    @model_validator(mode="after")
    def _of_its_own(self) -> RayCluster:
        if self.address is not None and self.workers is not None:
            raise ValueError(
                "`workers` is of a cluster that is started here; one at an `address` has its own"
            )
        return self


class TrainingProcesses(Strict):
    """Processes of this machine that train a model together."""

    processes: int = Field(
        default=1, ge=1, le=64, description="How many; on a machine with GPUs one for each."
    )
    sharded: bool = Field(
        default=False,
        description="Whether each GPU holds a part of the model only (FSDP), for one that does not"
        " fit on any.",
    )

    @model_validator(mode="after")
    def _over_several(self) -> TrainingProcesses:
        if self.sharded and self.processes == 1:
            raise ValueError("a model is `sharded` over several `processes`: give their number")
        return self


class ProjectFile(Strict):
    """The file beside `studies/`; without it, everything that a study reads is in the project."""

    engine: Annotated[LocalProcesses | RayCluster, Field(discriminator="kind")] = Field(
        default_factory=LocalProcesses,
        description="Where work is done that needs no device, such as counting words.",
    )
    training: TrainingProcesses = Field(
        default_factory=TrainingProcesses,
        description="Who trains the models of the arms.",
    )
    store: str | None = Field(
        default=None,
        min_length=1,
        description="Where what is published is shared with other machines: `s3://bucket/prefix`,"
        " another bucket, or a folder. The folder `store` is then a cache of it. Who may use a"
        " bucket is said by the environment alone.",
    )
    roots: list[str] = Field(
        default_factory=list,
        description="Folders outside the project that its configuration may name paths under;"
        " relative ones start at the project's folder.",
    )

    @field_validator("store")
    @classmethod
    def _names_a_bucket_and_nobody(cls, store: str | None) -> str | None:
        if store is None or (":/" not in store and not store.startswith("~")):
            return store
        return remote_address(store, BUCKETS)
