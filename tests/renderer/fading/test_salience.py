"""Salience of text alone: what tells most is worth most, in several languages."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import Entry
from foxing.renderer.fading import MessageWords, plain, text_salience, words_of
from foxing.renderer.fading.languages import LANGUAGES, languages_of
from foxing.renderer.fading.salience import CONTENT, FACT, FUNCTION_WORD, PUNCTUATION

AT = datetime(2026, 3, 2, tzinfo=UTC)


def written(*contents: str, role: str = "user") -> list[MessageWords]:
    return [
        MessageWords(Entry(str(n), role, content, AT), words_of(content), np.ones(len(words_of(content))))
        for n, content in enumerate(contents)
    ]


def ranks(text: str) -> dict[str, int]:
    """The rank of each word of a message."""
    (message,) = written(text)
    (salience,) = text_salience([message])
    return {text[word.start : word.stop]: int(rank) for word, rank in zip(message.words, salience, strict=True)}


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("We met Ann in Rome on Monday, and it was not bad.", "Ann Rome Monday not"),
        ("I think I'm late; I can't come at 10:30 am on may 7th.", "can't 10:30am may7th"),
        ("A not-so-great book by George R. R. Martin, of Dr. Who?", "not-so-great George Martin Who"),
        ("It may cost $5.20 in march, or 3 km more.", "$5.20 3km"),
        ("Set $HOME with -A or --all.", "$HOME -A --all"),
        ("See /etc/hosts, a_b, fooBar, http://a.b/c, me@x.org.", "/etc/hosts a_b fooBar http://a.b/c me@x.org"),
        ("Wir haben das Auto nicht am 3. Mai gekauft.", "nicht 3 Mai"),
        ("On n'a jamais vu Paris en juillet.", "n'a jamais Paris juillet"),
        ("Мы не видели его в мае, но 5 мая в Москве.", "не 5мая Москве"),
        ("No lo vi en enero con Marta.", "No enero Marta"),
        ("Nie było go w maju u Anny.", "Nie Anny"),
        ("Він не прийшов 5 травня до Києва.", "не 5травня Києва"),
        ("Toplantı bugün değil, yarın Ankara'da.", "bugün değil yarın Ankara'da"),
        ("Δεν πήγα στην Αθήνα.", "Δεν Αθήνα"),
        ("어제 민수는 서울에 안 갔어요. GPT를 3 개 몰라요.", "어제 안 3개"),
        ("昨日は田中さんと行きません。GPTを5月に買った。", "昨日 GPT 5月"),
        ("他没去北京，2023年买了GPU。", "他没 2023年 GPU"),
        ("并非如此，非常好", "并非"),
    ],
)  # fmt: skip
def test_facts(text: str, facts: str) -> None:
    found = {word.replace(" ", "") for word, rank in ranks(text).items() if rank == FACT}
    assert set(facts.split()) <= found


def test_ranks() -> None:
    found = ranks("The painter walked to the old harbour. Then he slept!")
    assert {found[word] for word in ("painter", "walked", "harbour", "slept")} == {CONTENT}
    assert {found[word] for word in ("The", "to", "the", "he")} == {FUNCTION_WORD}
    assert {found[word] for word in (".", "!")} == {PUNCTUATION}


def test_negations_of_scripts_without_blanks() -> None:
    assert [word for word, rank in ranks("それはよくないです").items() if rank == FACT] != []
    assert [word for word, rank in ranks("それはよいです").items() if rank == FACT] == []
    assert [word for word, rank in ranks("그건 없어요 그건 있어요").items() if rank == FACT] == ["없어요"]


def test_a_name_at_the_beginning_of_a_sentence_is_known_from_elsewhere() -> None:
    messages = written("Yesterday I saw Carla. Carla laughed.", "Painting is fun, and painting helps.")
    first, second = text_salience(messages)
    assert first[[word.start for word in messages[0].words].index(23)] >= FACT
    assert (second < FACT).all()


def test_capitals_tell_no_names_where_they_are_grammar_or_shouting() -> None:
    german = "Der Hund und die Katze und der Vogel sahen am Abend das Haus mit dem Garten und der Mauer."
    shouted = "PLEASE STOP SENDING ME THESE MESSAGES ALL DAY LONG"
    for text in (german, shouted):
        assert all(rank < FACT for rank in ranks(text).values()), text


def test_rare_words_are_worth_more() -> None:
    messages = written("a kestrel and a window need the time")
    salience = dict(zip((1, 4, 5, 7), text_salience(messages)[0][[1, 4, 5, 7]], strict=True))
    kestrel, window, need, time = salience.values()
    assert FACT > kestrel > window > max(need, time) > CONTENT


def test_without_a_list_the_bits_or_the_length_say_how_rare_a_word_is() -> None:
    messages = written("el cernícalo de la ventana")
    rare, frequent = (text_salience(messages, lambda _: {"cernícalo": 22.0, "ventana": 9.0})[0][n] for n in (1, 4))
    assert FACT > rare > frequent > CONTENT
    longer, shorter = (text_salience(messages)[0][n] for n in (1, 4))
    assert FACT > longer > shorter > CONTENT


def test_what_is_counted_or_negated_stays_with_it() -> None:
    counted, negated, other = (text_salience(written(f"the {before} time"))[0][2] for before in ("3", "not", "nice"))
    assert counted == negated >= FACT > other
    (japanese,) = text_salience(written("ご飯を食べない。食の話です"))
    assert japanese[3] > japanese[6]


def test_a_function_word_with_a_capital_is_a_name_only_in_a_title() -> None:
    found = ranks("We heard Let Her Go, and This was it")
    assert found["Her"] == FACT
    assert found["This"] == FUNCTION_WORD


def test_a_sentence_without_a_blank_before_it_is_no_identifier() -> None:
    found = ranks("so I wish.This is numpy.array")
    assert found["wish.This"] < FACT <= found["numpy.array"]


def test_what_a_tool_prints_again_is_worth_less_than_what_is_new() -> None:
    first, second = text_salience(written("item 4579334072", "item 4579334072 or 574297338433", role="tool"))
    assert FACT <= second[1] < min(first[1], second[3])
    (_, said) = text_salience(written("item 4579334072", "item 4579334072"))
    assert said[1] >= FACT


def test_a_value_is_a_fact_with_its_key() -> None:
    (salience,) = text_salience(written('{"user_id": "mia_garcia_4516", "item_id": 7602931732}', role="tool"))
    words = [word for word in ("user_id", "mia_garcia_4516", "item_id", "7602931732")]
    facts = [value >= FACT for value in salience if value >= 1]
    assert dict(zip(words, facts, strict=True)) == dict.fromkeys(words, True)


def test_any_fact_that_a_user_said_stays_before_those_that_are_printed() -> None:
    bits = 150.0  # of a long number, beside 5 of a short one
    (said,) = text_salience(written("It costs 38000000 won."))
    (answered,) = text_salience(written("It costs 7 won.", role="assistant"))
    (printed,) = text_salience(written('{"cost": 7}', role="assistant"))
    number = [salience[salience >= FACT][0] - FACT for salience in (said, answered, printed)]
    assert number[0] / bits > number[2] / 5
    assert number[0] > number[1] > number[2]


def test_users_before_tools_and_facts_before_small_talk() -> None:
    (said,), (printed,) = (text_salience(written("kestrel over 7 roofs", role=role)) for role in ("user", "tool"))
    assert (said[[0, 2, 3]] > printed[[0, 2, 3]]).all()
    assert printed[2] >= FACT
    (salience,) = text_salience(written("Hello. We saw kestrels. Bob saw 3 kestrels."))
    assert salience[9] > salience[4]


def test_plain_words() -> None:
    assert [plain(word) for word in ("--Flag", "Don’t", "(A)", "__init__", "…")] == ["flag", "don't", "a", "init", ""]


def test_word_lists_are_short() -> None:
    for code, language in LANGUAGES.items():
        assert len(language.function_words) <= 60, code
        assert len(language.negations) <= 30, code
        assert not language.function_words & language.negations, code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("the cat is on the mat", "en"),
        ("der Hund ist nicht im Haus", "de"),
        ("le chat est sur la table", "fr"),
        ("он не был в школе", "ru"),
        ("він не був у школі та вдома", "uk"),
        ("それは 東京 です", "ja"),
        ("他 去 北京", "zh"),
        ("안녕하세요 여러분", "ko"),
    ],
)
def test_languages(text: str, code: str) -> None:
    assert next(iter(languages_of(text.lower().split()))) == code


def test_a_language_without_lists_works() -> None:
    assert languages_of(["sawubona", "unjani"]) == {}
    assert set(ranks("Sawubona, unjani namhlanje?").values()) == {PUNCTUATION, CONTENT}


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("I ran a charity race two weeks ago with three old friends.", "two weeks ago three old friends"),
        ("We went camping last weekend, it was fun.", "last weekend"),
        ("He has never been to the sea, though it was warm.", "has never been to the sea"),
        ("We ran 8.1 km this morning, pulse 146 on average.", "8.1 km this morning pulse 146"),
        ("A stranger passed me this morning and said 화이팅.", "this morning"),
        ("Look at chapter 3, it is short.", "chapter 3"),
        ("Do you have any plans for the weekend?", "for the weekend"),
        ("She paid $40 for the blue lamp.", "paid $40 for the blue lamp"),
        ("The refund of the price difference, which is $9.89, came.", "refund of the price which is $9.89"),
        ("Here:\n- **Desk Lamp** (black, tall) - $40.50\n- nothing else", "Desk Lamp black tall $40.50"),
        ("Error: the card should be the original one", "Error the card should be the original one"),
        ("Removed src/lamp.py from the list\nand then it was quiet", "Removed src/lamp.py from the list"),
        ("It looks like the upload succeeded and so it ends.", "the upload succeeded"),
        ("Use it if the python version >= 3.10 is there.", "version 3.10"),
        ("Er hat vor drei Wochen zwei Hunde gekauft.", "vor dreiWochen zwei Hunde"),
        ("지난 주말에 두 명이 왔어요.", "지난 주말에 두 명이"),
        ("先週の土曜日に三人で行きました。", "先週 土曜 日 三人"),
        ("上周他买了两本书。", "上周 两本"),
        ("Press ` once, then call `open_door()`.`lock()` fails.", "lock"),
        ("Write it in *one* paragraph of prose.", "one paragraph"),
        ("Das regelt das Bundesamt für Verkehr\nund Bau (BGBl. I S. 17).", "Bundesamt Verkehr Bau BGBl 17"),
        ("Wir fragten die Deutsche Bahn und die Nordlicht Reederei GmbH.", "Deutsche Bahn Nordlicht GmbH"),
        ("Nach den Artikeln 4, 5 und 9 gilt das.", "Artikeln 4 5 und 9"),
        ("거기서 김서연을 봤고 제니퍼스톤도 왔다", "김서연을 제니퍼스톤도"),
        ("작년에 부산에서 본 영화가 좋았다", "부산에서"),
        ("あそこで佐藤ひろみさんに会いました。", "佐藤 ひろみ"),
        ("りんごは青森から届きます。", "青森"),
        ("你去过翠微园吗？门票二楼展厅12元", "翠微 二楼 12元"),
        ("那座塔是明代的。", "明代"),
    ],
)  # fmt: skip
def test_phrases_are_facts_as_a_whole(text: str, facts: str) -> None:
    found = "".join(word.replace(" ", "") for word, rank in ranks(text).items() if rank == FACT)
    assert all(fact in found for fact in facts.split()), found


def test_a_negation_that_denies_nothing_and_a_name_that_only_greets_are_no_facts() -> None:
    for text in ("No problem, take care!", "Can't wait to hear more about the trip!", "Hey Carla! How was it?"):
        assert all(rank < FACT for rank in ranks(text).values()), text
    assert ranks("I met Carla there.")["Carla"] == FACT


def test_names_that_are_often_written_in_lower_case_are_facts() -> None:
    found = ranks("i put ubuntu on it, windows and the other thing stay")
    assert found["ubuntu"] == found["windows"] == FACT
    assert found["thing"] < FACT


def test_korean_words_that_only_begin_like_a_name_are_no_facts() -> None:
    for text in ("여자의 마음을 몰랐다", "드라마 스토리가 좋았다", "배우의 노력이 좋았다"):
        assert all(rank < FACT for rank in ranks(text).values()), text


def test_a_short_answer_to_a_question_is_a_fact() -> None:
    asked, answered = text_salience(written("Do you still play the violin?", "Yes, mostly jazz."))
    assert (asked < FACT).all()
    assert (answered[[0, 2, 3]] >= FACT).all()


def test_statements_before_questions_and_compliments() -> None:
    said, asked, praised = (
        text_salience(written(text))[0][-2] % 1
        for text in ("I painted a kestrel.", "Who saw a kestrel?", "Great to see a kestrel.")
    )
    assert said > asked > praised


def test_what_a_tool_repeats_as_a_whole_is_left_as_a_reference() -> None:
    printed = '{"order": "W2378156", "items": [{"name": "desk lamp", "price": 150.01, "colour": "black"}]}'
    first, second = text_salience(written(printed, printed, role="tool"))
    assert (first >= FACT).sum() > 5
    assert (second >= FACT).sum() == 1
