"""What has a method learnt?"""

from resources.store.artifacts import Artifact
from selection.methods.contract.protocol import Fitted


def read_fitted(artifact: Artifact) -> Fitted:
    """Return what a fit asset published."""
    return Fitted(artifact.arrays("fitted.safetensors"), artifact.json("facts.json"))
