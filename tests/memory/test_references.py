"""References of messages."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.memory.references import ALPHABET, message_id_of, normalized, reference, shown
from foxing.renderer.readers import Reader, packaged_readers, reader_layout
from foxing.renderer.type_proof import type_proof

SAID_AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
SEEING = [reader for reader in packaged_readers().values() if reader.accepts_images]
ROWS = st.integers(1, (1 << 63) - 1)


@given(ROWS, st.datetimes(timezones=st.just(UTC)))
def test_a_reference_names_its_row(row: int, at: datetime) -> None:
    ref = reference(row, at)
    assert set(ref) <= set(ALPHABET)
    assert message_id_of(ref) == row
    assert normalized(f" {shown(ref).upper()} ") == ref


@given(st.lists(ROWS, unique=True, min_size=2, max_size=20))
def test_references_are_unique(rows: list[int]) -> None:
    assert len({reference(row, SAID_AT) for row in rows}) == len(rows)


def test_the_first_messages_have_two_or_three_characters() -> None:
    assert {len(reference(row, SAID_AT)) for row in range(1, 29)} == {2}
    assert {len(reference(row, SAID_AT)) for row in range(29, 841)} == {3}


def test_a_misread_character_gives_no_reference_of_a_message() -> None:
    """Among messages of one time always, among those of others in 28 of 29 cases."""
    same = {row: reference(row, SAID_AT) for row in range(1, 2000)}
    others = {row: reference(row, SAID_AT + timedelta(seconds=37 * row)) for row in range(1, 2000)}
    shares = []
    for refs in (same, others):
        given_back = misread = 0
        for ref in list(refs.values())[::7]:
            for place in range(len(ref)):
                for character in ALPHABET:
                    wrong = ref[:place] + character + ref[place + 1 :]
                    if wrong != ref:
                        misread += 1
                        row = message_id_of(wrong)
                        given_back += row in refs and refs[row] == wrong
        shares.append(given_back / misread)
    assert shares[0] == 0
    assert shares[1] < 1 / 25


@pytest.mark.parametrize(
    "reader",
    [reader for reader in packaged_readers().values() if reader.accepts_images],
    ids=lambda reader: reader.name,
)
def test_no_two_of_its_characters_look_alike_in_the_type_of_a_reader(reader: Reader) -> None:
    cells = np.array([[*map(ord, ALPHABET)]], dtype=np.uint32)
    proof = type_proof(cells, reader_layout(reader))
    assert not proof.missing | proof.clipped
    assert not [(one, alike) for one, alike in proof.similar.items() if set(one) | set(alike) <= set(ALPHABET)]


@pytest.mark.parametrize("given", ["", "k", "k0", "2k", "K7!", "k8", "kn", "kk7kk7kk7kk7kk7", "é7", "[]"])
def test_other_texts_are_no_references(given: str) -> None:
    assert message_id_of(normalized(given)) is None
