"""What reading a configuration says."""

from pathlib import Path

from selection.config.files import ConfigurationError, load_yaml


def message_of(model: type, path: Path, text: str | bytes) -> str | None:
    """What reading a text says; None where it is valid. Any other error is the test's."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        load_yaml(model, path)
    except ConfigurationError as error:
        return str(error)
    return None
