"""Matrix factorisation by Spark's MLlib: the one module here that needs Spark with a JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recommenders.als import AlsSettings
from recommenders.interactions import Matrix
from recommenders.models import Factorise

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PAIRS_PER_BLOCK = 500_000


def factoriser(session: SparkSession) -> Factorise:
    """The factorisation by MLlib's ALS on that session; the same matrix and seed give the same factors."""

    def factorise(matrix: Matrix, settings: AlsSettings) -> tuple[np.ndarray, np.ndarray]:
        # MLlib names the package only where there is a JVM.
        from pyspark.ml.recommendation import ALS  # noqa: PLC0415

        pairs = matrix.tocoo()
        blocks = max(2, pairs.nnz // PAIRS_PER_BLOCK)
        rows = pd.DataFrame({"user": pairs.row, "item": pairs.col, "rating": pairs.data.astype(np.float32)})
        ratings = session.createDataFrame(rows).coalesce(blocks)
        fitted = ALS(
            userCol="user",
            itemCol="item",
            ratingCol="rating",
            implicitPrefs=True,
            rank=settings.rank,
            regParam=settings.regularisation,
            alpha=settings.alpha,
            maxIter=settings.iterations,
            seed=settings.seed,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
        ).fit(ratings)
        users = _dense(fitted.userFactors, matrix.shape[0], settings.rank)
        return users, _dense(fitted.itemFactors, matrix.shape[1], settings.rank)

    return factorise


def _dense(factors: DataFrame, rows: int, rank: int) -> np.ndarray:
    dense = np.zeros((rows, rank))
    found = factors.toPandas()
    if len(found):
        dense[found["id"].to_numpy()] = np.array(found["features"].tolist())
    return dense
