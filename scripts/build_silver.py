"""Build silver, with what it needs of bronze."""

from stage import run_stage

if __name__ == "__main__":
    run_stage("silver")
