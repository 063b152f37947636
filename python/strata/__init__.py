"""Columns of text to columns of BERT layer vectors.

>>> import strata
>>> encoder = strata.Encoder("tests/fixtures/tiny-bert", layers=[0, -1], pooling=["mean"])
>>> vectors = encoder.encode(["a text", "another, longer text"])
>>> {name: vector.shape for name, vector in vectors.items()}
{'layer_0_mean': (2, 20), 'layer_4_mean': (2, 20)}

`Encoder` works in this process, on the processor. The program `strata`, which is installed with this package, does the same
to whole folders of files, safe to kill at any moment.
"""

from strata._version import __version__
from strata.encoder import Encoder
from strata.errors import (
    Bug,
    ConfigurationError,
    DataError,
    Error,
    NotFound,
    SystemFailure,
    TryAgain,
    UsageError,
)

__all__ = [
    "Bug",
    "ConfigurationError",
    "DataError",
    "Encoder",
    "Error",
    "NotFound",
    "SystemFailure",
    "TryAgain",
    "UsageError",
    "__version__",
]
