"""Conversations are trained on as TRL does: the same tokens, the same mask, the same loss."""

import pytest
import torch
from chats import NAMES, messages_of, real_chats, template, tokenizer_like

from selection.models.base import new_model, tiny_config
from selection.models.chat_tokens import chat_tokens
from selection.models.packing import IGNORED_LABEL
from selection.models.recipe import Recipe
from selection.models.training import train

trl = pytest.importorskip("trl", reason="TRL, which the extra `trl` installs, is not there")

CHATS = real_chats(6)
LONGEST = 512


def small_model(tokenizer):
    config = tiny_config(
        "llama",
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=len(tokenizer),
        sequence_length=LONGEST,
    )
    return new_model(config, seed=0)


def batch_of_trl(name, model, folder, **options):
    """One batch of all conversations, as TRL's trainer makes it, and its loss."""
    from datasets import Dataset

    tokenizer = tokenizer_like(name, written=f"{name}_marked")
    config = trl.SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=len(CHATS),
        max_length=LONGEST,
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        gradient_checkpointing=False,
        **options,
    )
    trainer = trl.SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list([{"messages": messages_of(chat)} for chat in CHATS]),
        processing_class=tokenizer,
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(CHATS))])
    with torch.no_grad():
        loss = trainer.compute_loss(model.eval(), dict(batch))
    return batch, float(loss)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("train_on", "assistant_only"), [("assistant", True), ("all", False)])
def test_tokens_masks_and_loss_are_those_of_trl(tmp_path, name, train_on, assistant_only):
    """TRL needs marks in a template, which ours does not: it gets the same template with them."""
    assert "{% generation %}" not in template(name)
    tokenizer = tokenizer_like(name)
    batch, loss = batch_of_trl(
        name, small_model(tokenizer), tmp_path / "trl", assistant_only_loss=assistant_only
    )
    tokens = [chat_tokens(chat, tokenizer, row="r") for chat in CHATS]
    assert any(len(each.ids) > LONGEST for each in tokens) or name == "mistral"
    dataset = [(each.ids[:LONGEST], each.loss_mask(train_on)[:LONGEST]) for each in tokens]
    for row, (ids, mask) in enumerate(dataset):
        read = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][read].tolist() == ids
        # the first token is never predicted, whatever its label
        assert (batch["labels"][row][read] != IGNORED_LABEL).int().tolist()[1:] == mask[1:]
    trained = train(
        small_model(tokenizer),
        dataset,
        Recipe(batch_size=len(CHATS)),
        work_dir=tmp_path / "ours",
        pad_id=tokenizer.pad_token_id,
        device="cpu",
    )
    assert trained.losses[0][1] == pytest.approx(loss, abs=1e-5)
