"""Nobody wins by being wrong: every contender's vectors against strata's in float32."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Lowest cosine that a row of any layer may have. Of int8 the worst of thousands of rows is a little below 0.999.
LOWEST = {"float32": 0.999999, "bfloat16": 0.999, "int8": 0.998}
# Peers in int8 do not promise as much: this tells only whether they are at work on the same rows.
LOWEST_OF_INT8_PEERS = 0.9


def read(files: list) -> dict[str, np.ndarray]:
    """Column name to `[rows, hidden]`, in the order of `id`."""
    table = pa.concat_tables(pq.read_table(file) for file in files).sort_by("id")
    vectors = {}
    for name in (name for name in table.column_names if name.startswith("layer_")):
        column = table.column(name).combine_chunks()
        vectors[name] = column.flatten().to_numpy().reshape(len(column), -1).astype(np.float64)
    return vectors


def compare(own: dict, theirs: dict) -> dict:
    """Lowest cosine and largest difference over the layers that both have, which must be the last."""
    shared = [name for name in own if name in theirs]
    last = max(own, key=lambda name: int(name.split("_")[1]))
    if last not in shared or own[last].shape != theirs[last].shape:
        return {"layers": 0, "lowest_cosine": float("nan"), "largest_difference": float("nan")}
    return {
        "layers": len(shared),
        "lowest_cosine": float(min(cosines(own[name], theirs[name]).min() for name in shared)),
        "largest_difference": float(max(np.abs(own[name] - theirs[name]).max() for name in shared)),
    }


def nearest(own: dict, rows: int = 300) -> float:
    """The highest cosine between two different rows of any layer: what a mixed-up row would show."""
    highest = -1.0
    for column in own.values():
        unit = column[:rows] / np.linalg.norm(column[:rows], axis=1, keepdims=True)
        products = unit @ unit.T
        np.fill_diagonal(products, -1.0)
        highest = max(highest, float(products.max()))
    return highest


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
