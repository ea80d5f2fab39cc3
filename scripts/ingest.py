"""Read new landing files into bronze: every table that landing files go to."""

from stage import landing_tables, run_stage

if __name__ == "__main__":
    run_stage(*landing_tables())
