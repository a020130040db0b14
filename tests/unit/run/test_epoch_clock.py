"""The time that a run still takes."""

from mlkd_brain.run.epoch_clock import time_left


def test_the_time_left_is_the_mean_times_the_epochs_to_come():
    assert time_left(36.0, done=1, left=200) == "2:00:00"
    # at once after a resume there is no epoch to go by yet
    assert time_left(36.0, done=0, left=200) == "2:00:00"
