"""Matrix products on one thread, so that training sums in the same order whatever else runs."""

from __future__ import annotations


def multiply_on_one_thread() -> None:
    """Limit the BLAS libraries of this process to one thread, for good.

    How many threads share a product decides in which order it is summed. The limit is one of the whole process, and several
    models train at once: were it lifted where one training ends, the others would go on with a number of threads that depends
    on when. The engine has the other cores.
    """
    # A library that is not loaded yet would keep its threads.
    import numpy as np  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")
