# SPDX-License-Identifier: Apache-2.0
"""The host's bookkeeping of a transfer, without a line."""

import pytest

from host_tools.link.bulk import SMALLEST_CHUNK, Bulk, Pace, Timing, Vigil


def flying(count=10, window=8, chunk=20):
    """A transfer whose first chunks are on their way, after one that was answered."""
    bulk = Bulk(1, chunk, 0, count * chunk, window, answered=True)
    for number in bulk.due():
        bulk.sent(number)
    return bulk


def test_only_a_few_chunks_try_an_unknown_line():
    bulk = Bulk(1, 20, 0, 200, 8)
    assert bulk.due() == [0, 1, 2]
    bulk.acknowledged(0, 1, [])
    assert bulk.due() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_was_sent_before_an_answer_and_is_not_there_is_due_again():
    bulk = flying()
    assert bulk.acknowledged(3, 1, [2, 3])
    assert (bulk.due(), bulk.lost_count) == ([1, 8], 1)


def test_what_was_sent_after_the_answered_chunk_is_still_on_its_way():
    bulk = flying()
    bulk.acknowledged(0, 1, [])
    assert bulk.due() == [8] and list(bulk.flying) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("upto", [11, 2**32 - 1])
def test_an_absurd_answer_is_ignored(upto):
    bulk = flying()
    assert not bulk.acknowledged(0, upto, [])
    assert bulk.next == 0 and len(bulk.flying) == 8


def test_a_read_is_taken_in_order():
    bulk = Bulk(1, 2, 3, 8, 8)
    assert bulk.count == 3
    assert not bulk.arrived(2, b"ee") and not bulk.arrived(3, b"")  # the last chunk has one byte
    assert bulk.arrived(2, b"e") and bulk.take() == b""
    assert bulk.arrived(0, b"aa") and bulk.take() == b"aa"
    assert bulk.arrived(1, b"cc") and bulk.take() == b"cce" and bulk.done()


@pytest.mark.parametrize(("chunk", "lost", "sent", "shrink"), [
    (21, 3, 8, True), (21, 3, 9, False), (21, 2, 2, False), (SMALLEST_CHUNK, 9, 9, False)])
def test_chunks_shrink_when_more_than_a_third_is_lost(chunk, lost, sent, shrink):
    bulk = Bulk(1, chunk, 0, 1000, 8, sent_count=sent, lost_count=lost)
    assert bulk.should_shrink() == shrink


def test_the_wait_grows_with_silence_and_follows_the_answers():
    pace = Pace(Timing(), 0.0)
    waits = []
    for _ in range(3):
        waits.append(pace.pause)
        pace.quiet()
    assert waits == [0.25, 0.5, 0.5]
    pace.answered(1.0)
    assert pace.pause == 0.5  # it may be the answer to any of them
    for moment in range(1, 50):
        pace.answered(1.0 + moment / 50)
    assert pace.pause == pytest.approx(4 / 50, rel=0.01)


def test_the_wait_includes_the_way_of_a_chunk_sent_once():
    pace = Pace(Timing(), 0.0)
    for moment in range(100):
        pace.sent(moment, moment / 50)
        pace.answered(moment / 50 + 0.1, moment)
    assert pace.pause == pytest.approx(4 / 50 + 0.1, rel=0.01)
    for moment in range(100, 200):
        pace.sent(moment, moment / 50)
        pace.sent(moment, moment / 50)
        pace.answered(moment / 50 + 0.3, moment)
    assert pace.pause == pytest.approx(4 / 50 + 0.1, rel=0.01)


def test_on_a_lossy_line_the_few_that_are_missing_are_sent_more_than_once():
    bulk = flying()
    assert bulk.spare() == []
    bulk.acknowledged(7, 0, [1, 2, 3, 5, 6, 7])  # 0 and 4 are lost
    for number in bulk.due():
        bulk.sent(number)
    assert len(bulk.flying) == 2
    assert bulk.spare() == [0, 4] * 5
    bulk.acknowledged(4, 10, [])
    assert bulk.spare() == []


def test_silence_of_a_line_that_carried_all_sends_the_last_chunk_once_more():
    bulk = flying()
    bulk.unanswered()
    assert (bulk.take_again(), bulk.take_again(), bulk.due()) == ([7], [], [])
    bulk.sent(7)
    bulk.acknowledged(0, 1, [])  # it was only busy: nothing is lost
    assert (bulk.due(), bulk.lost_count) == ([8], 0)


def test_the_answer_to_that_chunk_tells_what_is_lost():
    bulk = flying()
    bulk.unanswered()
    bulk.sent(*bulk.take_again())
    bulk.acknowledged(7, 0, [7])
    assert (bulk.due(), bulk.lost_count) == ([0, 1, 2, 3, 4, 5, 6], 7)


def test_silence_of_a_line_that_loses_chunks_has_lost_all():
    bulk = flying()
    bulk.lost_count = 1
    bulk.unanswered()
    assert (bulk.take_again(), len(bulk.due()), bulk.lost_count) == ([], 8, 9)


def test_long_silence_asks_for_shorter_chunks():
    bulk = flying(chunk=21)
    for _ in range(8):
        assert not bulk.should_shrink()
        bulk.unanswered()
    assert bulk.should_shrink()
    bulk.acknowledged(0, 1, [])
    assert not bulk.should_shrink()


def test_only_waiting_counts_as_silence_and_only_news_as_progress():
    vigil = Vigil(Timing(silence=10))
    for _ in range(5):
        vigil.quiet(9.0)
        assert not vigil.silent
        vigil.heard(news=False)
    assert not vigil.pointless
    vigil.quiet(10.0)
    assert vigil.silent
    vigil.heard(news=False)
    vigil.quiet(90.0)
    assert vigil.pointless  # answers came for 120 s and led nowhere
    vigil.heard(news=True)
    assert not vigil.pointless and not vigil.silent
