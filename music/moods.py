"""Mood categories: quadrants of valence and energy with a neutral middle."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

MOODS = ("Happy_Energetic", "Happy_Calm", "Sad_Energetic", "Sad_Calm", "Neutral")


def mood_category(valence: Column, energy: Column) -> Column:
    """The mood of a track from valence and energy (0-1); null when either is null."""
    happy, sad = valence >= 0.6, valence < 0.4
    energetic, calm = energy >= 0.6, energy < 0.4
    return (
        F.when(valence.isNull() | energy.isNull(), F.lit(None).cast("string"))
        .when(happy & energetic, "Happy_Energetic")
        .when(happy & calm, "Happy_Calm")
        .when(sad & energetic, "Sad_Energetic")
        .when(sad & calm, "Sad_Calm")
        .otherwise("Neutral")
    )
