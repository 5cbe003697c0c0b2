"""Do a decoder's weights have the shapes that its configuration asks for?"""

from __future__ import annotations

from pathlib import Path

from selection.models.library_errors import named_after


def check_shapes(folder: Path) -> None:
    """Hold the headers of a folder's safetensors against its configuration; no weight is read.

    Raises
    ------
    ValueError
        Naming a tensor of another shape, or the folder when nothing can be built after its
        configuration.
    """
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig, AutoModelForCausalLM

    with named_after(folder), torch.device("meta"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                found = file.get_slice(name).get_shape()
                if name in wanted and found != wanted[name]:
                    raise ValueError(
                        f"{path} has {name} of shape {found}, and its config.json asks for"
                        f" {wanted[name]}: they are of two models; save the model again"
                    )
