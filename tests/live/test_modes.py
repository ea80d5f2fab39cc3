"""Which test shows each failure mode of live sources, and that there is one for each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT_ROOT

# What goes wrong -> tests that show what is done then, as FILE::FUNCTION below tests/.
MODES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("a pause of hours", ("live/test_retry_after.py::test_mode_1_a_pause_of_80000_s_is_stored_and_all_others_go_on",)),
    2: ("a quota is used up", ("polling/test_spotify.py::test_mode_2_a_quota_is_left_alone_for_a_day",)),
    3: ("a server fault that looks like a rate limit", ("polling/test_spotify.py::test_mode_3_a_server_fault_is_no_rate_limit",)),
    4: ("consent ends", ("polling/test_tokens.py::test_mode_4_the_end_of_consent_is_announced_30_days_before",)),
    5: (
        "invalid_grant",
        (
            "polling/test_tokens.py::test_mode_5_a_withdrawn_consent_stops_and_is_tried_once_more_the_next_day",
            "polling/test_tokens.py::test_mode_5_one_listener_s_consent_stops_no_other",
        ),
    ),
    6: (
        "the token endpoint fails",
        ("polling/test_tokens.py::test_mode_6_a_failing_token_endpoint_asks_nobody_for_consent",),
    ),
    7: ("401", ("polling/test_spotify.py::test_mode_7_a_token_that_is_refused_is_renewed_once",)),
    8: ("403", ("polling/test_spotify.py::test_mode_8_a_person_who_is_no_user_of_the_app_is_told_what_to_do",)),
    9: (
        "404",
        (
            "polling/test_spotify.py::test_mode_9_an_account_that_is_gone_stops",
            "polling/test_lastfm.py::test_an_account_that_is_gone_is_refused",
        ),
    ),
    10: ("recently played stalls", ("live/test_whole_way.py::test_mode_10_an_account_that_stalls_is_no_failure",)),
    11: (
        "plays fill in late",
        (
            "polling/test_spotify.py::test_mode_11_late_plays_are_asked_for_without_a_cursor",
            "live/test_whole_way.py::test_mode_11_what_fills_in_late_is_received_from_every_service",
        ),
    ),
    12: ("none of 50 is known", ("live/test_whole_way.py::test_mode_12_a_full_answer_without_a_known_play_is_a_gap",)),
    13: ("a time is a start or an end", ("end_to_end/test_poll_files.py::test_no_play_twice_beside_an_export_in_any_order",)),
    14: (
        "a play is private",
        ("end_to_end/test_poll_files.py::test_what_only_a_poll_has_stays_and_what_an_answer_repeats_does_not_count",),
    ),
    15: ("track is null", ("live/test_whole_way.py::test_modes_15_to_18_odd_plays_go_where_they_belong",)),
    16: ("a local track", ("live/test_whole_way.py::test_modes_15_to_18_odd_plays_go_where_they_belong",)),
    17: ("an episode", ("live/test_whole_way.py::test_modes_15_to_18_odd_plays_go_where_they_belong",)),
    18: ("no ISRC", ("live/test_whole_way.py::test_modes_15_to_18_odd_plays_go_where_they_belong",)),
    19: ("no usable answer", ("polling/test_spotify.py::test_an_answer_that_cannot_be_used_fails_this_poll_only",)),
    20: ("killed between two steps", ("polling/test_poll.py::test_killed_between_any_two_steps_nothing_is_lost_or_doubled",)),
    21: (
        "a page border",
        (
            "polling/test_lastfm.py::test_mode_21_no_scrobble_of_a_page_border_comes_twice",
            "polling/test_listenbrainz.py::test_mode_21_no_listen_of_a_page_border_comes_twice_and_none_is_lost",
        ),
    ),
    22: ("pages shift", ("polling/test_lastfm.py::test_mode_22_scrobbles_that_come_or_go_meanwhile_move_no_other",)),
    23: (
        "a page fails",
        ("polling/test_lastfm.py::test_mode_23_a_page_that_fails_is_tried_again_then_halved_and_what_was_read_stays",),
    ),
    24: ("a long history", ("polling/test_lastfm.py::test_mode_24_a_backfill_by_windows_can_be_broken_off_anywhere",)),
    25: ("what is playing now", ("live/test_whole_way.py::test_modes_25_26_and_35_no_time_and_wrong_times",)),
    26: ("a scrobble of 1970", ("live/test_whole_way.py::test_modes_25_26_and_35_no_time_and_wrong_times",)),
    27: ("hidden listening", ("polling/test_lastfm.py::test_mode_27_hidden_listening_names_the_switch",)),
    28: ("the rate limit", ("polling/test_lastfm.py::test_mode_28_the_rate_limit_is_a_minute_and_then_a_time_to_come_back",)),
    29: ("an error with status 200", ("polling/test_lastfm.py::test_mode_29_a_passing_error_counts_with_any_status",)),
    30: ("two plays of one second", ("live/test_whole_way.py::test_mode_30_plays_of_one_second_are_all_kept",)),
    31: (
        "a second fills a page",
        ("polling/test_lastfm.py::test_mode_31_a_second_that_fills_a_page_is_asked_for_in_a_larger_one",),
    ),
    32: ("a listen is deleted", ("live/test_whole_way.py::test_modes_32_and_33_what_is_deleted_or_edited_stays",)),
    33: ("a scrobble is edited", ("live/test_whole_way.py::test_modes_32_and_33_what_is_deleted_or_edited_stays",)),
    34: ("the local clock is wrong", ("live/test_whole_way.py::test_mode_34_the_date_is_the_servers",)),
    35: ("a time in the future", ("live/test_whole_way.py::test_modes_25_26_and_35_no_time_and_wrong_times",)),
    36: ("a cut answer", ("live/test_whole_way.py::test_modes_36_to_40_each_fault_passes_or_fails_without_loss",)),
    37: ("cut gzip", ("live/test_whole_way.py::test_modes_36_to_40_each_fault_passes_or_fails_without_loss",)),
    38: ("HTML with 200", ("live/test_whole_way.py::test_modes_36_to_40_each_fault_passes_or_fails_without_loss",)),
    39: ("a gzip bomb", ("live/test_whole_way.py::test_modes_36_to_40_each_fault_passes_or_fails_without_loss",)),
    40: ("a drip", ("live/test_whole_way.py::test_modes_36_to_40_each_fault_passes_or_fails_without_loss",)),
    41: (
        "a redirect",
        (
            "polling/test_spotify.py::test_mode_41_no_token_follows_a_redirect",
            "polling/test_http.py::test_mode_41_redirects_are_refused",
        ),
    ),
    42: (
        "a certificate that nobody signed",
        (
            "polling/test_spotify.py::test_mode_42_a_certificate_that_cannot_be_verified_is_a_failure",
            "polling/test_http.py::test_mode_42_a_certificate_that_nobody_signed_is_refused",
        ),
    ),
    43: ("two pollers", ("live/test_whole_way.py::test_mode_43_two_polls_at_once_receive_each_play_once",)),
    44: (
        "the disk is full",
        (
            "live/test_submissions.py::test_mode_44_on_a_full_disk_the_player_is_told_to_send_it_again",
            "service/submissions/test_journals.py::test_mode_44_on_a_full_disk_nothing_is_acknowledged_and_nothing_half_written",
            "polling/test_poll.py::test_a_full_disk_keeps_the_cursor",
        ),
    ),
    45: (
        "a listen is sent again",
        ("live/test_submissions.py::test_mode_45_what_is_sent_again_is_no_second_play",),
    ),
    46: (
        "a batch with a bad listen",
        ("live/test_submissions.py::test_mode_46_of_a_batch_with_bad_listens_the_rest_is_kept_and_the_bad_ones_are_quarantined",),
    ),
    47: ("a key in an address", ("live/test_secrets.py::test_mode_47_no_secret_is_said_written_or_seen",)),
}


def functions(path: Path) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_mode_has_a_row() -> None:
    assert sorted(MODES) == [*range(1, 48)]


@pytest.mark.parametrize("mode", MODES)
def test_the_tests_of_each_mode_are_there(mode: int) -> None:
    _, tests = MODES[mode]
    assert tests
    for test in tests:
        file, name = test.split("::")
        assert name in functions(PROJECT_ROOT / "tests" / file), test
