"""Read new landing files into bronze."""

from stage import run_stage

if __name__ == "__main__":
    run_stage("bronze.listening_history", "bronze.kaggle_tracks", "bronze.track_features", "bronze.dislike_rows")
