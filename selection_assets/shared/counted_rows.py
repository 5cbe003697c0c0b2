"""What reading each row of the pool takes of a decoder, and which rows it cannot train on."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.brevity import some_of
from selection.basics.tables import places_of
from selection.models.chat_lengths import ChatLengths, chat_faults, chat_lengths
from selection.models.chat_tokens import TrainOn
from selection.models.tokenizer import count_tokens
from selection.subset.lengths import LengthLimit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OF_CHATS = ("n_cut", "n_answers", "n_last_answers")
"""Columns that texts have no number in."""


def counted_rows(rows: pa.Table, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> pa.Table:
    """Count the tokens of rows, by their `row_id`; those with `turns` as they are trained on.

    Returns
    -------
    pa.Table
        Columns row_id and n_tokens, and where the rows have a column `turns` also n_cut, n_answers,
        n_last_answers (null for texts) and refused ("" unless the template refuses the row). A
        refused row has no tokens.
    """
    texts = rows["text"].to_pylist()
    if "turns" not in rows.column_names:
        n_tokens = count_tokens(tokenizer, texts)
        return pa.table({"row_id": rows["row_id"], "n_tokens": n_tokens})
    turns = rows["turns"].to_pylist()
    chats = [place for place, said in enumerate(turns) if said is not None]
    plain = [place for place, said in enumerate(turns) if said is None]
    n_tokens = np.zeros(len(texts), dtype=np.int64)
    n_tokens[plain] = count_tokens(tokenizer, [texts[place] for place in plain])
    refused = np.full(len(texts), "", dtype=object)
    of_chats = np.zeros((len(texts), len(OF_CHATS)), dtype=np.int64)
    if chats:
        ids = rows["row_id"].take(pa.array(chats)).to_pylist()
        found = chat_lengths(ids, [turns[place] for place in chats], tokenizer, max_length)
        n_tokens[chats], refused[chats] = found.computed, found.refused
        of_chats[chats] = np.stack([found.cut, found.answers, found.last_answers], axis=1)
    no_number = np.isin(np.arange(len(texts)), plain)
    numbers = {
        name: pa.array(of_chats[:, column], pa.int64(), mask=no_number)
        for column, name in enumerate(OF_CHATS)
    }
    return pa.table(
        {"row_id": rows["row_id"], "n_tokens": n_tokens, **numbers, "refused": refused.tolist()},
        schema=pa.schema(
            [
                rows.schema.field("row_id"),
                pa.field("n_tokens", pa.int64(), nullable=False),
                *(pa.field(name, pa.int64()) for name in OF_CHATS),
                pa.field("refused", pa.string(), nullable=False),
            ]
        ),
    )


def chat_facts(counted: pa.Table) -> dict[str, Any]:
    """What to say of the conversations among counted rows; nothing where there is none."""
    if "refused" not in counted.column_names:
        return {}
    chats = counted.filter(counted["n_answers"].is_valid())
    if not chats.num_rows:
        return {}
    cut, answers = (chats[name].to_numpy() for name in ("n_cut", "n_answers"))
    refused = [why for why in chats["refused"].to_pylist() if why]
    reasons = [f"{why} ({n:,})" for why, n in Counter(refused).most_common()]
    return {
        "conversations": chats.num_rows,
        "answer_tokens": answers.sum(),
        "conversations_cut": (cut > 0).sum(),
        "conversations_without_an_answer": ((answers == 0) & (cut > 0)).sum(),
        "conversations_refused": len(refused),
        "refused_because": some_of(reasons, longest=2_000),
    }


def read_counted(row_id: pa.ChunkedArray | pa.Array, tokens: Artifact) -> pa.Table:
    """Read what `counted_rows` has counted of rows of one source, in their order.

    Parameters
    ----------
    row_id : of the rows, of shape (n,).
    tokens : the source's tokens.

    Raises
    ------
    ValueError
        When a row is not counted, because the rows have changed since.
    """
    counted = tokens.table("tokens.parquet")
    if counted["row_id"].equals(row_id):
        return counted
    place = places_of(row_id, counted["row_id"])
    if (place < 0).any():
        raise ValueError(
            f"{tokens.folder} lacks {int((place < 0).sum())} of the rows: materialize"
            f" {tokens.asset}[{tokens.partition}] again"
        )
    return counted.take(pa.array(place))


def beyond_limit(counted: pa.Table, limit: LengthLimit) -> np.ndarray:
    """Which counted rows have more tokens than may be selected, of shape (n,), bool."""
    lengths, is_chat = counted["n_tokens"].to_numpy(), np.zeros(counted.num_rows, dtype=bool)
    if "n_cut" in counted.column_names:
        is_chat = counted["n_cut"].is_valid().to_numpy()
        lengths = lengths + counted["n_cut"].fill_null(0).to_numpy()
    return limit.is_beyond(lengths, is_chat)


def faults_of(counted: pa.Table, train_on: TrainOn) -> np.ndarray:
    """Why each counted row cannot be trained on, of shape (n,), object: "" for one that can."""
    faults = np.full(counted.num_rows, "", dtype=object)
    if "refused" not in counted.column_names:  # of a study that trains nothing
        return faults
    chats = np.flatnonzero(counted["n_answers"].is_valid().to_numpy())
    of_chats = counted.take(pa.array(chats))
    computed, *numbers = (of_chats[name].to_numpy() for name in ("n_tokens", *OF_CHATS))
    lengths = ChatLengths(computed, *numbers, refused=of_chats["refused"].to_pylist())
    faults[chats] = chat_faults(lengths, train_on)
    return faults
