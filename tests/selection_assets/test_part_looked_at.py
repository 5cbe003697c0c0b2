"""A pool that looks at prompts: methods see these, training whole rows, caches tell them apart."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import selection
from containers import save_to_disk
from small_project import Project, docstring_lines, enter
from smallest_study import NAME, ROWS, SOURCES

from selection.chats.conversation import Conversation

FIRST, *_ = SOURCES


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Iterator[Project]:
    """The smallest study on a pool of conversations, one source of it a saved data set."""
    root = Path(shutil.copytree(fresh, tmp_path / "project"))
    study = root / f"studies/{NAME}.yaml"
    study.write_text(study.read_text().replace("sequence_length: 16", "sequence_length: 256"))
    for source in SOURCES:
        texts = [json.loads(line)["text"] for line in docstring_lines(source).splitlines()[:ROWS]]
        chats = [{"prompt": f"Say more:\n{text[:30]}", "response": text} for text in texts]
        (root / f"drop/{source}.jsonl").unlink()
        if source == FIRST:
            save_to_disk(root / f"drop/{source}", [], train=chats, test=chats[:2])
        else:
            lines = "".join(json.dumps(chat) + "\n" for chat in chats)
            (root / f"drop/{source}.jsonl").write_text(lines)
    yield from enter(Project(root))


def look_at(project: Project, part: str) -> None:
    path = project.root / "studies/pools/shelf.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("look_at")]
    path.write_text("\n".join([*lines, f"look_at: {part}", ""]))


def run(*asked: str) -> str:
    result = selection("run", NAME, *asked)
    assert result.exit_code == 0, result.output
    return result.stdout


def vectors(project: Project) -> np.ndarray:
    found = project.ledger.current("shelf/mean/corpus_embeddings", FIRST)
    assert found is not None
    return np.array(found.array("vectors.npy"))


def test_methods_see_the_part_and_training_the_whole_and_no_vector_is_of_another_part(project):
    look_at(project, "prompt")
    said = run("--dry-run")
    assert "train/data-00000-of-00001.arrow  first 32  prompt-response  prompt, response" in said
    assert "Say more: " in said and " -> " in said
    assert "split test (ignored): a split of a saved data set that no source names" in said

    run("--up-to", "selected_subset")
    conversations = {}
    for source in SOURCES:
        corpus = project.ledger.current("shelf/raw_corpus", source)
        assert corpus is not None
        for row in corpus.table("rows.parquet").to_pylist():
            conversations[row["row_id"]] = Conversation.from_json(row["turns"])
            assert row["text"] == conversations[row["row_id"]].prompt
    for subset in project.ledger.current_versions(f"{NAME}/selected_subset").values():
        table = subset.table("subset.parquet")
        assert table.num_rows
        for row in table.to_pylist():
            assert row["text"] == conversations[row["row_id"]].text
    prompts = vectors(project)

    look_at(project, "response")
    run("--up-to", "corpus_embeddings")
    responses = vectors(project)
    assert responses.shape == prompts.shape
    assert not (responses == prompts).all(axis=1).any()
