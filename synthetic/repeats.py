"""What is played again: ACT-R's base-level activation as a walk through one's own past.

ACT-R (Anderson and Schooler 1991) gives a track played at ages t_1 .. t_n the weight sum t_i^-d, with d = 0.5. Choosing
a track by that weight is the same as choosing one past *play* with probability proportional to its age^-d and taking
its track: a track's chance is the sum over its plays. So no weight is ever summed: a repeat copies the play that lies a
power-law distributed lag back. Age is counted in plays of the listener.
"""

from __future__ import annotations

import numpy as np

from synthetic.draws import Floats, Ints, power_law_lag

DECAY = 0.5


def copied_from(rng: np.random.Generator, play_number: Ints, repeat_share: Floats) -> Ints:
    """For every play the row of the play that it copies; its own row where the listener plays something new.

    `play_number` counts from 0 within each listener, whose rows stand together in order; `repeat_share` is the listener's.
    """
    rows = np.arange(len(play_number), dtype=np.int64)
    is_repeat = (rng.random(len(rows)) < repeat_share) & (play_number > 0)
    source = rows.copy()
    source[is_repeat] -= power_law_lag(rng.random(int(is_repeat.sum())), play_number[is_repeat], DECAY)
    return np.asarray(source)


def first_of_chain(source: Ints) -> Ints:
    """The new play at the end of each chain of copies; every chain halves in each round, so rounds are log2 of the longest."""
    while True:
        further = np.asarray(source[source])
        if np.array_equal(further, source):
            return source
        source = further
