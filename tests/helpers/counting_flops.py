"""What a step takes by torch's counter, and what it takes for the counter to see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from selection.embedding.embedder import DESCRIPTION_FILE


class Spent:
    """A meter that adds up."""

    def __init__(self) -> None:
        self.flops = 0.0

    def affords(self, flops: float) -> bool:
        return True

    def charge(self, flops: float) -> None:
        self.flops += flops


def counted(run: Callable[[], Any]) -> tuple[Any, float]:
    """Give what a step gives, and what torch counts meanwhile."""
    with FlopCounterMode(display=False) as counter:
        result = run()
    return result, float(counter.get_total_flops())


class Inline:
    """Runs where it is asked: the counter sees one thread."""

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*arguments))
        return done


@contextmanager
def inline_lane() -> Iterator[tuple[Any, int]]:
    yield Inline(), 1


def write_encoder(folder: Path, *, pooling: str = "mean", prompt: str = "") -> Path:
    """A BERT of two layers with MiniLM's tokenizer, as an embedder of the pipeline."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import AutoTokenizer, BertConfig, BertModel

    from selection.embedding.build import minilm_folder

    words = AutoTokenizer.from_pretrained(minilm_folder())
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(words), hidden_size=64, **sizes)).save_pretrained(
        folder / "parts"
    )
    words.save_pretrained(folder / "parts")
    made = SentenceTransformer(
        modules=[Transformer(str(folder / "parts")), Pooling(64, pooling_mode=pooling)],
        prompts={"say": prompt},
        default_prompt_name="say" if prompt else None,
        device="cpu",
    )
    made.save_pretrained(str(folder / "made/model"), create_model_card=False)
    facts = {"family": "transformer", "max_tokens": 256}
    (folder / "made" / DESCRIPTION_FILE).write_text(json.dumps(facts))
    return folder / "made"


def write_task(folder: Path, kind: str, texts: list[str], choices: list[str]) -> None:
    """Write a task of the harness, of the name of its kind, with its rows."""
    rows = [{"q": text[:200], "c": choices, "gold": n % 4} for n, text in enumerate(texts)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": kind,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
        "test_split": "test",
        "output_type": kind,
        "doc_to_text": "{{q}}",
    } | {
        "multiple_choice": {"doc_to_choice": "c", "doc_to_target": "gold"},
        "loglikelihood_rolling": {
            "doc_to_text": "",
            "doc_to_target": "{{q}}",
            "metric_list": [{"metric": "bits_per_byte"}],
        },
        "generate_until": {
            "doc_to_target": "{{c[gold]}}",
            "generation_kwargs": {"until": ["\n\n\n"], "max_gen_toks": 4},
            "metric_list": [{"metric": "exact_match"}],
        },
    }[kind]
    (folder / "task.yaml").write_text(yaml.safe_dump(task))
