"""What a person is told while an embedding model is loaded."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from selection.embedding.build import minilm_folder
from selection.embedding.encoder_folder import load_encoder
from selection.models.quiet import REPORTS_LOADING


def loading_says(folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What transformers, which hands nothing on to the root's handlers, reports of a folder."""
    from transformers.utils import logging

    logging.get_logger(REPORTS_LOADING).addHandler(caplog.handler)
    try:
        load_encoder(str(folder))
    finally:
        logging.get_logger(REPORTS_LOADING).removeHandler(caplog.handler)
    return caplog.text


def test_weights_that_are_merely_left_over_are_no_news(caplog):
    assert loading_says(minilm_folder(), caplog) == ""


def test_weights_that_are_not_there_are_reported(tmp_path, caplog):
    folder = Path(shutil.copytree(minilm_folder(), tmp_path / "model"))
    file = next(folder.rglob("model.safetensors"))
    tensors = load_file(file)
    lost = tensors.pop("encoder.layer.0.output.dense.bias")
    save_file(tensors, file, metadata={"format": "pt"})
    assert lost.numel() > 0
    assert "encoder.layer.0.output.dense.bias" in loading_says(folder, caplog)
