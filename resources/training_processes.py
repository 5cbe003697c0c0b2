"""Processes that train an arm's model together, and report to the run in Dagster that waits."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import dagster as dg

from resources.paths import project_settings


@dataclass(frozen=True)
class PipedProcesses:
    """Child processes that write into a run's log through Dagster Pipes.

    Attributes
    ----------
    context : of the step that waits for them.
    n, sharded, module : as `selection.models.parallel.together.Processes` has them.
    """

    context: dg.AssetExecutionContext
    n: int
    sharded: bool
    module: str = "resources.piped_training"

    @contextmanager
    def environment(self) -> Iterator[Mapping[str, str]]:
        """Where they report to."""
        pipes = dg.open_pipes_session(
            context=self.context,
            context_injector=dg.PipesEnvContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        )
        with ExitStack() as opened:
            # Dagster's own reader asks how many write, which is news there and none for us.
            with warnings.catch_warnings(action="ignore", category=dg.PreviewWarning):
                session = opened.enter_context(pipes)
            yield session.get_bootstrap_env_vars()


def processes_of(context: dg.AssetExecutionContext) -> PipedProcesses | None:
    """Give the processes that the project's file asks for; None where this one is to train."""
    asked = project_settings().training
    if asked.processes == 1:
        return None
    return PipedProcesses(context, asked.processes, asked.sharded)
