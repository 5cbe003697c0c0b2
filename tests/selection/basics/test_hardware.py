"""Whether a processor multiplies in bfloat16, and how to say otherwise."""

import pytest
import torch

from selection.basics.hardware import BFLOAT16_VARIABLE, has_bfloat16


@pytest.mark.parametrize("capable", [True, False])
@pytest.mark.parametrize("said", ["no", "yes", "auto", None])
def test_the_variable_answers_and_without_it_the_hardware(said, capable, monkeypatch):
    found = {"avx2": True, "avx512_bf16": capable, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    monkeypatch.delenv(BFLOAT16_VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(BFLOAT16_VARIABLE, said)
    assert has_bfloat16("cpu") == {"no": False, "yes": True}.get(said, capable)


@pytest.mark.parametrize("said", ["", "0", "No", "off"])
def test_any_other_value_is_an_error_that_names_the_three(said, monkeypatch):
    monkeypatch.setenv(BFLOAT16_VARIABLE, said)
    with pytest.raises(ValueError, match=rf"{BFLOAT16_VARIABLE} is '{said}'.* no, yes or auto"):
        has_bfloat16("cpu")
