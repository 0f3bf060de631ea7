"""Statements that replace each other, and questions about the past, in several languages."""

import pytest

from foxing.memory.text.statements import CODES, SentencePairs, Speakers, asks_for_the_past, sentences, wording

REPLACED = [
    ("Our Mutual Friend was written by Ada Holm.", "Our Mutual Friend was written by Mark Xu."),
    ("The director of Who Framed Roger is Ada Holm.", "The director of Who Framed Roger is Will Xu."),
    ("The head coach of Warner Bros. is Ada Holm.", "The head coach of Warner Bros. is Mark Xu."),
    ("Second Coupe was created in the country of Belland.", "Second Coupe was created in the country of Karovia."),
    ("I prefer tea.", "I prefer coffee now."),
    ("The meeting is on 14 March.", "The meeting is on 21 March."),
    ("We ship Titan on 14 March.", "Actually, Titan moved to 21 March."),
    ("We're going on a camping trip in June with the kids!", "Change of plans: the camping trip is in August now."),
    ("We booked the pottery course for Monday.", "You remember the pottery course? It moved to Friday."),
    ("I live in Boston.", "I moved to Denver."),
    ("I live in Boston.", "Great news. I live in Denver, not Boston!"),
    ("My favourite band is Muse.", "My favourite band is Blur now."),
    ("My flight leaves at 9 am.", "It turns out my flight leaves at 11 am, not 9 am."),
    ("I'm reading “Glass Orchard” these days.", "Correction: I'm reading “North of Here”."),
    ("Our order has two desks.", "Instead of two desks, our order has five desks."),
    ("Ich trinke am liebsten Tee.", "Ich trinke jetzt am liebsten Kaffee."),
    ("Das Treffen ist am 14. März.", "Das Treffen wurde auf den 21. März verschoben."),
    ("La réunion est le 14 mars.", "La réunion a été déplacée au 21 mars."),
    ("Je préfère le thé.", "Maintenant je préfère le café."),
    ("회의는 3월 14일이야.", "회의가 3월 21일로 바뀌었어."),
    ("나는 홍차를 좋아해.", "나는 이제 커피를 좋아해."),
    ("나는 홍차를 좋아해.", "나는 홍차 말고 커피를 좋아해."),
    ("会議は3月14日です。", "会議は3月21日に変更になりました。"),
    ("私は紅茶が好きです。", "今はコーヒーが好きです。"),
    ("我喜欢喝茶。", "我现在喜欢喝咖啡了。"),
    ("会议在3月14日。", "会议从3月14日改到3月21日了。"),
    ("Sprint 3 has 3 goals.", "Sprint 3 has 4 goals."),
    ("We run Postgres 15.", "We run Postgres 16."),
    ("Case 4471 is pending.", "Case 4471 is approved."),
    ("Kim is the on-call engineer.", "Ravi is the on-call engineer now."),
    ("Unser Vermieter heißt Herr Krug.", "Unser Vermieter heißt jetzt Frau Noll."),
    ("Tante Inge wohnt in Ulm.", "Tante Inge wohnt in Jena."),
    ("J'habite 4 rue des Tanneurs.", "J'ai déménagé, j'habite maintenant 27 quai Perrache."),
    ("家賃は7万円です。", "家賃は7万4千円に上がりました。"),
    ("申請55は審査中です。", "申請55は承認されました。"),
    ("월세는 70만원이에요.", "월세가 74만원으로 올랐어요."),
    ("와이파이 비밀번호는 otter22예요.", "와이파이 비밀번호는 heron31이에요."),
    # words before the statement, and what it resumes
    ("The plumber is coming at 2 pm.", "The plumber rang, he is coming at 4 pm."),
    ("Nora plays the oboe.", "Nora gave up the oboe and plays the cello."),
    ("Maria is our accountant.", "Maria left, Jonas is our accountant."),
    ("Die Wohnung hat 68 Quadratmeter.", "Nachgemessen: Die Wohnung hat 64 Quadratmeter."),
    ("Mon fils joue de la flûte.", "Mon fils a arrêté la flûte, il joue de la batterie."),
    ("결혼식은 4월이에요.", "사정이 생겨서 결혼식은 10월이에요."),
    # since when it holds
    ("主治医は大塚先生です。", "4月から主治医は平野先生です。"),
    ("피아노 레슨은 수요일이에요.", "피아노 레슨은 다음 달부터 금요일이에요."),
    ("Unser Vermieter heißt Herr Krug.", "Unsere Vermieterin heißt seit Januar Frau Noll."),
    # states, addresses and titles
    ("The contract with Nordfisk is under review.", "The contract with Nordfisk is signed."),
    ("Alice's email is alice@oldmill.example.", "Alice's email is alice@brightmill.example."),
    ("Das Seminar leitet Dr. Engel.", "Das Seminar leitet Dr. Bahadir."),
    ("送料は500円です。", "送料は無料になりました。"),
    ("L'hôtel est complet.", "L'hôtel est fermé."),
    # one subject and relation, another name at the end
    ("12. The author of The Silent River is Anna Becker.", "345. The author of The Silent River is Boris Holm."),
    ("Norrovers was founded in the city of Belburg.", "Norrovers was founded in the city of Torford."),
    ("Anna Becker's child is Hugo Abbot.", "Anna Becker's child is Hugo Keller."),
    ("The currency of Belania is the krone.", "The currency of Belania is the peso."),
]
KEPT = [
    ("The author of Meet the Press is Ada Holm.", "The author of Now and Then is Ada Holm."),
    ("The head coach of Warner Bros. is Ada Holm.", "The head coach of Apple Inc. is Mark Xu."),
    ("My sister lives in Boston.", "My brother lives in Denver."),
    ("My sister lives in Boston.", "Actually, my brother lives in Denver."),
    ("My dog Luna loves the beach.", "My dog Max loves the park."),
    ("The pottery class is on 5 May.", "The yoga class is on 9 May."),
    ("I went to Paris in May.", "I went to Rome in June."),
    ("I visited the market on Monday.", "Actually, I also visited the market on Friday."),
    ("I live in Denver.", "I used to live in Boston."),
    ("The meeting is on 14 March.", "Is the meeting now on 21 March?"),
    ("The meeting is on 14 March.", "As I said, the meeting is on 14 March."),
    ("My favourite colour is red.", "My favourite food is pizza now."),
    ("Luna's birthday is on 5 May.", "My birthday is on 6 May."),
    ("I love my new job. It's great.", "The weather is nice. It's bad now."),
    ("Meine Schwester wohnt in Kiel.", "Mein Bruder wohnt in Bonn."),
    ("Ma sœur habite à Lyon.", "Mon frère habite à Nice."),
    ("나는 홍차를 좋아해.", "동생은 커피를 좋아해."),
    ("회의는 3월 14일이야.", "회의가 3월 14일로 잡혔어."),
    ("姉は紅茶が好きです。", "妹はコーヒーが好きです。"),
    ("我妈妈喜欢喝茶。", "我爸爸喜欢喝咖啡。"),
    ("Chapter 4 takes 20 minutes to read.", "Chapter 5 takes 35 minutes to read."),
    ("Room 204 seats twelve people.", "Room 207 seats twelve people."),
    ("We closed 31 points in sprint 8.", "We closed 27 points in sprint 9."),
    ("The capital of Belania is Norburg.", "The capital of Corland is Torford."),
    ("Leo is allergic to peanuts.", "Leo is allergic to cats."),
    ("Maria plays the piano.", "Maria plays the violin."),
    ("2. Etappe ist bei Regen schön.", "3. Etappe ist bei Sonne schön."),
    ("The gym opens at 6 on Mondays.", "The gym opens at 8 on Saturdays."),
    ("On day 2, we meet at the lake.", "On day 3, we meet at the hut."),
    ("Invoice 2026-01 is due on 3 May.", "Invoice 2026-02 was moved to 17 May."),
    ("Apartment 3B costs 700 a month.", "Apartment 4C costs 850 a month now."),
    ("Am Montag kocht Lea.", "Am Dienstag kocht Tom."),
    ("Modul A kostet 300 Euro.", "Modul B kostet 450 Euro."),
    ("Sur le vol TO3412, le repas est végétarien.", "Sur le vol TO3415, le repas est sans gluten."),
    ("シーズン2は10話あります。", "シーズン3は8話あります。"),
    ("5월에는 경주에 가요.", "6월에는 제주에 가요."),
    ("My dog and I walk to the harbour every Friday.", "So my parrot and I walk to the harbour every Monday now."),
    ("My editor wants chapter 11 cut to ten pages.", "My editor wants chapter 12 cut to six pages."),
    ("兄は大阪で働いています。", "兄は今ホンダに乗っています。"),
    ("누나는 부산에 살아요.", "누나는 은행에서 일해요."),
    ("", "Now."),
    ("word " * 1000, "Now word " * 1000),
]
PAST = [
    "When was the launch originally?",
    "What did I prefer before?",
    "Where did Mina use to live? I mean where she used to live.",
    "Where was the office then?",
    "Wo war das Treffen ursprünglich?",
    "Où habitait-elle autrefois ?",
    "원래 회의가 언제였지?",
    "会議は元々いつでしたか？",
    "会议原来是什么时候？",
]
PRESENT = [
    "When is the launch?",
    "What did she do before going to work?",
    "Wann ist das Treffen?",
    "Où est la réunion ?",
    "회의가 언제야?",
    "会議はいつですか？",
    "会议是什么时候？",
]


def replaced(older: str, newer: str, *, same_speaker: bool = True, to_each_other: bool = False) -> bool:
    after, before = sentences(newer), sentences(older)
    pairs, speakers = SentencePairs([*after, *before]), Speakers(same_speaker, to_each_other)
    return any(
        pairs.replaces(new, len(after) + old, speakers) for new in range(len(after)) for old in range(len(before))
    )


@pytest.mark.parametrize(("older", "newer"), REPLACED)
def test_a_statement_with_another_value_replaces(older: str, newer: str) -> None:
    assert replaced(older, newer)


@pytest.mark.parametrize(("older", "newer"), KEPT)
def test_lookalikes_do_not_replace(older: str, newer: str) -> None:
    assert not replaced(older, newer)


def test_statements_of_speakers_about_themselves_do_not_replace_each_other() -> None:
    mine, yours = "I live in Boston.", "I live in Denver now."
    assert not replaced(mine, yours, same_speaker=False)
    assert not replaced(mine, yours, same_speaker=False, to_each_other=True)
    assert replaced(mine, "Noted, you live in Denver now.", same_speaker=False, to_each_other=True)
    assert replaced("The trip is in June.", "The trip moved to August.", same_speaker=False)


@pytest.mark.parametrize("question", PAST)
def test_questions_about_the_past(question: str) -> None:
    assert asks_for_the_past(question)


@pytest.mark.parametrize("question", PRESENT)
def test_questions_about_the_present(question: str) -> None:
    assert not asks_for_the_past(question)


@pytest.mark.parametrize("code", CODES)
def test_each_language_has_all_lists(code: str) -> None:
    words = wording(code)
    assert words.phrases
    assert words.past.pattern
    assert words.kinds


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Zebra number 5 crossed the ridge.", "Zebra number 6 crossed the ridge.", False),
        (
            "Zebra number 5 crossed the road, seen by ranger 1.",
            "Zebra number 6 crossed the road, seen by ranger 2.",
            False,
        ),
        ("Zebra 5 crossed the road, seen by ranger 1.", "Zebra 6 crossed the road, seen by ranger 2.", False),
        ("The access number is 5.", "The access number is 6.", True),
        ("The winner is number 5.", "The winner is number 6.", True),
    ],
)
def test_the_number_after_a_noun_is_part_of_the_subject(before: str, after: str, *, expected: bool) -> None:
    assert replaced(before, after) is expected
