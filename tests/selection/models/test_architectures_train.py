"""Every kind of model whose cost is known is trained on conversations, kept apart, and reloaded."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chats import real_chats, tokenizer_like
from small_architectures import CONFIGS, TOKENS

from selection.models.base import load_model, new_model, save_checkpoint
from selection.models.chat_tokens import chat_tokens
from selection.models.checkpoints import weights_digest
from selection.models.packing import fill_rows, pack
from selection.models.recipe import Recipe
from selection.models.training import train

TOKENIZER = tokenizer_like("chatml")
CHATS = [chat_tokens(chat, TOKENIZER, row="r") for chat in real_chats(8)]
DECODERS = sorted(CONFIGS.keys() - {"bert"})


def small_decoder(name: str) -> Any:
    config = CONFIGS[name]()
    config.vocab_size = len(TOKENIZER)
    return new_model(config, seed=0)


@pytest.mark.parametrize("name", DECODERS)
def test_rows_of_a_block_do_not_see_each_other(name):
    blocks = pack([c.ids[:20] for c in CHATS], block_size=TOKENS, eos_id=0, pad_id=0, apart=True)
    assert blocks.places is not None
    ids, places = (torch.tensor(each[:1]) for each in (blocks.ids, blocks.places))
    first, second = np.flatnonzero(blocks.places[0] == 0)[[1, 2]]
    model = small_decoder(name).eval()
    with torch.no_grad():
        within = model(input_ids=ids, position_ids=places, use_cache=False).logits[0, first:second]
        alone = model(input_ids=ids[:, first:second], use_cache=False).logits[0]
    torch.testing.assert_close(within, alone, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("lora_rank", [None, 2])
@pytest.mark.parametrize("name", DECODERS)
def test_it_learns_from_conversations_and_reloads_to_the_weights_that_were_trained(
    tmp_path: Path, name, lora_rank
):
    data = [(chat.ids[:TOKENS], chat.loss_mask("assistant")[:TOKENS]) for chat in CHATS]
    data = [(ids, mask) for ids, mask in data if sum(mask)]
    rows = fill_rows(None, data, longest=TOKENS, pad_id=0)
    model = small_decoder(name)
    recipe = Recipe(batch_size=8, lora_rank=lora_rank, learning_rate=1e-2, epochs=6)
    trained = train(model, rows, recipe, work_dir=tmp_path / "training", pad_id=0, device="cpu")
    assert trained.final_loss < trained.losses[0][1]
    save_checkpoint(model, TOKENIZER, tmp_path / "model")
    assert weights_digest(load_model(tmp_path / "model")) == weights_digest(model)
