"""Which tasks of EleutherAI's harness to run, on data that cannot change unnoticed.

A task's rows come from files beside its own, or from a data set of the hub at a pinned commit; its
metrics are the harness's own, since those of the hub are code.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selection.basics.brevity import some_of
from selection.models.task_data import check_data, check_metrics, files_of, map_files
from selection.models.task_files import see_that_task_files_stay_in

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

_REMEDY = "install it with `pip install 'selection-assets[lm-eval]'`, or drop `evaluation.harness`"
FEWSHOT_SEED = 1234
"""The harness's own default; few-shot examples are drawn with it, in every run alike."""


@dataclass(frozen=True)
class HarnessTasks:
    """What to run.

    Parameters
    ----------
    names : tuple of str
        Tasks, groups or tags.
    folder : Path, optional
        Looked through for task files (`*.yaml`), which take the place of the harness's own of the
        same name.
    revisions : mapping of str to str
        Data set of the hub to the commit that is read.
    limit : int, optional
        Only the first so many examples of each task.
    num_fewshot : int, optional
        Solved examples before each question; by default what each task's file says, or none.
    """

    names: tuple[str, ...]
    folder: Path | None = None
    revisions: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    num_fewshot: int | None = None


def harness_version() -> str | None:
    """Version of the installed `lm_eval`, None without one."""
    try:
        return version("lm_eval")
    except PackageNotFoundError:
        return None


def require_harness() -> str:
    """Version of the installed `lm_eval`.

    Raises
    ------
    ValueError
        When it is not installed, with the command that installs it.
    """
    found = harness_version()
    if found is None:
        raise ValueError(f"evaluation on tasks needs EleutherAI's harness, `lm_eval`: {_REMEDY}")
    return found


def load_tasks(tasks: HarnessTasks) -> TaskManager:
    """Load the tasks with their rows; the manager's `load` gives them, and no others.

    Raises
    ------
    ValueError
        When the harness is not installed; for an unknown task or a missing folder; for rows that
        are neither in the folder nor in a data set at a pinned commit; for a task that runs code
        it calls unsafe; and where `num_fewshot` contradicts a task's file.
    """
    require_harness()
    if tasks.folder is not None and not tasks.folder.is_dir():
        raise ValueError(f"{tasks.folder} is no folder; `include_path` must lead to task files")
    if tasks.folder is not None:
        see_that_task_files_stay_in(tasks.folder)
    with _no_bytecode():
        manager = _manager(tasks)
        loaded = manager.load(list(tasks.names))
    for name, task in loaded["tasks"].items():
        # A group may define a task in place, which no file of its own has shown before.
        check_data(name, vars(task.config), tasks.folder)
        if getattr(task, "UNSAFE_CODE", False):
            raise ValueError(f"task {name} runs code that a model writes, which is never done here")
        own = task.config.num_fewshot
        if tasks.num_fewshot is not None and own == 0 and tasks.num_fewshot > 0:
            raise ValueError(
                f"task {name} says `num_fewshot: 0` in its file, and the harness keeps to that;"
                f" drop it there, or drop num_fewshot {tasks.num_fewshot}"
            )
        task.set_config(
            key="num_fewshot", value=own or 0 if tasks.num_fewshot is None else tasks.num_fewshot
        )
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
    return manager


def data_sets_of(tasks: HarnessTasks) -> tuple[str, ...]:
    """Data sets of the hub that the tasks would read; none of them is fetched.

    Raises
    ------
    ValueError
        As `load_tasks`, for what the tasks' files say.
    """
    require_harness()
    if tasks.folder is not None and not tasks.folder.is_dir():
        raise ValueError(f"{tasks.folder} is no folder; `include_path` must lead to task files")
    with _no_bytecode():
        manager = _manager(tasks)
        found = dict.fromkeys(
            str(config.get("dataset_path"))
            for name in tasks.names
            for config in manager.configs(name)
            if not files_of((config.get("dataset_kwargs") or {}).get("data_files"))
        )
    return tuple(found)


def _manager(tasks: HarnessTasks) -> Any:
    """Index of the tasks: those of the folder, and the harness's own where a name needs them."""
    found = _manager_class()(tasks, {})
    if not set(tasks.names) <= set(found.all_tasks):
        found = _manager_class()(tasks, _own_tasks())
    unknown = sorted(set(tasks.names) - set(found.all_tasks))
    if unknown:
        where = f" and in {tasks.folder}" if tasks.folder is not None else ""
        raise ValueError(
            f"no task {', '.join(some_of(unknown))} in lm_eval {harness_version()}{where};"
            " `lm-eval ls tasks` lists its own, `include_path` names a folder with others"
        )
    return found


@cache
def _own_tasks() -> Mapping[str, Any]:
    """Index of the harness's own tasks: thousands of files, which take many seconds to read."""
    from lm_eval.tasks import TaskManager

    return TaskManager().task_index


@cache
def _manager_class() -> Any:
    """The harness's task manager, with our say on where a task's rows come from."""
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._factory import TaskFactory

    class Factory(TaskFactory):
        def __init__(self, tasks: HarnessTasks) -> None:
            super().__init__()
            self.tasks = tasks

        def _load_full_config(self, entry: Any, overrides: Any = None) -> dict[str, Any]:
            config = super()._load_full_config(entry, overrides)
            if "group" in config:
                _check_members(config.get("task"), self.tasks)
                return config
            if "class" in config:
                raise ValueError(
                    f"task {entry.name} is a Python class, whose data nobody can see beforehand;"
                    " write it as a task file"
                )
            options = dict(config.get("dataset_kwargs") or {})
            if "data_files" in options and entry.yaml_path is not None:
                beside = Path(entry.yaml_path).parent
                options["data_files"] = map_files(options["data_files"], beside)
            revision = self.tasks.revisions.get(config.get("dataset_path", ""))
            if revision is not None:
                options["revision"] = revision
            config["dataset_kwargs"] = options
            check_metrics(entry.name, config)
            check_data(entry.name, config, self.tasks.folder)  # before anything is downloaded
            return config

    class Manager(TaskManager):
        def __init__(self, tasks: HarnessTasks, own: Mapping[str, Any]) -> None:
            super().__init__(include_path=tasks.folder, include_defaults=False)
            self._index = {**own, **self._index}
            self._all_tasks = sorted(self._index)
            self._factory = Factory(tasks)
            self._loaded: Any = None

        def configs(self, name: str) -> Iterator[dict[str, Any]]:
            """Give what the files of a task, or of a group's or tag's tasks, say; no rows."""
            entry = self._index[name]
            if entry.kind.name == "TAG":
                members = sorted(entry.tags)
            else:
                config = self._factory._load_full_config(entry)
                if "group" not in config:
                    yield config
                    return
                members = config.get("task") or []
            for member in members:
                inner = member.get("task") if isinstance(member, dict) else member
                if isinstance(inner, str) and inner in self._index:
                    yield from self.configs(inner)

        def load(self, task_list: Any) -> Any:
            """Load once: `simple_evaluate` asks again, for what has been checked by then."""
            if self._loaded is None:
                self._loaded = super().load(task_list)
            return self._loaded

    return Manager


def _check_members(members: Any, tasks: HarnessTasks) -> None:
    """Check what a group defines in place or changes in its tasks."""
    for member in members if isinstance(members, list) else []:
        if isinstance(member, dict):
            name = str(member.get("task", member.get("group")))
            check_metrics(name, member)
            if "dataset_path" in member or "dataset_kwargs" in member:
                check_data(name, member, tasks.folder)
            _check_members(member.get("task"), tasks)


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Task files may come with Python functions; a cache beside them would look like a change."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
