"""Where does the project share what it publishes, and how does what is missing come from there?"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from resources.store.contents import flush
from resources.store.held_folder import stage_folder
from resources.store.manifest import MANIFEST
from resources.store.shared_store import SharedStore, SharedStoreFailed


def shared_store() -> SharedStore | None:
    """The one that the project names in `project.yaml`, if it does."""
    # Most who read an artifact never ask, and do without what reads a configuration.
    from resources.paths import project_settings
    from resources.project import project_root

    address = project_settings().store
    if address is None:
        return None
    if find_spec("obstore") is None:
        raise SharedStoreFailed(
            f"{address}: the package obstore is missing: `pip install 'selection-assets[s3]'`"
        )
    return _at(address if "://" in address else str(project_root() / address))


@cache
def _at(address: str) -> SharedStore:
    return SharedStore(address)  # with its connections


def fetch_missing(folder: Path, root: Path) -> None:
    """Fetch what a version's folder lacks, if the project shares what it publishes.

    Files are fetched into a private folder and renamed from there, the manifest last: whoever is
    killed meanwhile leaves nothing beside the version's files.

    Parameters
    ----------
    folder : `<root>/<asset>/<partition>/<version>`.

    Raises
    ------
    CorruptArtifact, SharedStoreFailed
        As `SharedStore.fetch`.
    """
    shared = shared_store()
    if shared is None:
        return
    stage = stage_folder(root)
    try:
        where = folder.relative_to(root).as_posix()
        lacks = shared.fetch(where, stage.path, wanted=lambda name: not (folder / name).is_file())
        for name in [*lacks, MANIFEST]:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (stage.path / name).replace(target)
            flush(target.parent)
    finally:
        stage.remove()
