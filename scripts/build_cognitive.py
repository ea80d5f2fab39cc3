"""Build the cognitive gold tables, with what they need."""

from stage import run_stage

if __name__ == "__main__":
    run_stage("gold.cognitive")
