"""May a folder of sentence-transformers be loaded, and does its tokenizer know words?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selection.models.library_errors import named_after
from selection.models.quiet import quiet_transformers
from selection.models.safetensors_files import check_weights
from selection.models.self_contained import check_self_contained, module_folders

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def check_encoder_folder(folder: Path, *, weights: bool = True) -> Path:
    """Check that a folder holds a whole embedding model and nothing that leads out of it.

    Parameters
    ----------
    weights : whether they must be there, and be safetensors.

    Returns
    -------
    Path
        The folder of its first module, the Transformer.

    Raises
    ------
    ValueError
        When another module comes first, when a file is missing or no safetensors, or when something
        leads out of the folder (`check_self_contained`).
    """
    check_self_contained(folder)
    [(kind, encoder), *_] = module_folders(folder) or [("nothing", folder)]
    if kind != "Transformer":
        raise ValueError(f"{folder}: its first module is {kind}; only a Transformer is supported")
    if not (encoder / "config.json").is_file():
        raise ValueError(f"{encoder} is not a model folder: it has no config.json")
    if weights:
        check_weights(encoder)
    return encoder


def load_encoder(source: str, revision: str | None = None) -> SentenceTransformer:
    """Load an embedding model onto the processor, from a folder that was checked or from the hub.

    Raises
    ------
    ValueError
        Naming the source, when its files are not those of a model that knows words.
    """
    from sentence_transformers import SentenceTransformer

    with named_after(source), quiet_transformers():
        model = SentenceTransformer(
            source,
            revision=revision,
            device="cpu",
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    require_words(model.tokenizer, Path(source))
    return model


def require_words(tokenizer: Any, folder: Path) -> None:
    """Check that a tokenizer has tokens beside the special ones.

    Where transformers finds no file of a tokenizer, it makes one that knows nothing.

    Raises
    ------
    ValueError
        When it has none.
    """
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ValueError(
            f"{folder} has no tokenizer, so that every word is unknown: save the model with its"
            " tokenizer (tokenizer.json)"
        )


def texts_unknown(tokenizer: Any, texts: Sequence[str]) -> int:
    """Count texts of which a tokenizer of transformers knows no part."""
    if not texts:
        return 0
    # Not verbose: it would warn of texts that are longer than the model reads.
    ids = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return sum(set(row) <= {tokenizer.unk_token_id} for row in ids)


def texts_unknown_to(file: Path, texts: Sequence[str]) -> int:
    """Count texts of which the tokenizer of a file, with BERT's tokens, knows no part.

    Transformers, which takes seconds to import, is not needed for that.
    """
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    unknown = {tokenizer.token_to_id("[UNK]")}
    return sum(
        set(found.ids) <= unknown
        for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    )
