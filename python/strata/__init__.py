"""Columns of text to columns of BERT layer vectors.

>>> import strata
>>> encoder = strata.Encoder("tests/fixtures/tiny-bert", layers=[0, -1], pooling=["mean"])
>>> vectors = encoder.encode(["a text", "another, longer text"])
>>> {name: vector.shape for name, vector in vectors.items()}
{'layer_0_mean': (2, 20), 'layer_4_mean': (2, 20)}

`Encoder` works in this process, on the processor. The program `strata`, which is installed with this package, does the same
to whole folders of files, safe to kill at any moment.
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from strata._version import __version__
    from strata.encoder import Encoder

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


def __getattr__(name: str) -> object:
    """Imports what brings numpy and pyarrow along when it is first asked for: the program never does."""
    if name == "Encoder":
        from strata.encoder import Encoder

        return Encoder
    if name == "__version__":
        from strata._version import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
