"""Recognition of clauses that state what holds, in five languages."""

import pytest

from foxing.memory.text.facts import clauses_of, marks_of, other_subject, place_of

STATED = [
    ("en", "Morning! I've joined the parish council, so wish me luck.", "state", "I've joined the parish council"),
    (
        "en",
        "My brother is allergic to penicillin. What is in it?",
        "constraint",
        "My brother is allergic to penicillin.",
    ),
    ("en", "I promise I'll water the plants every Friday.", "promise", "I promise I'll water the plants every Friday."),
    ("en", "I want to learn Welsh by next summer. How?", "goal", "I want to learn Welsh by next summer."),
    ("en", "I'd rather wait a year than buy it on credit.", "value", "I'd rather wait a year than buy it on credit."),
    ("de", "Ich wohne inzwischen in Bremen. Was lohnt sich?", "state", "Ich wohne inzwischen in Bremen."),
    ("de", "Mein Sohn darf keine Nüsse essen.", "constraint", "Mein Sohn darf keine Nüsse essen."),
    ("de", "Ich verspreche dir, dass ich pünktlich bin.", "promise", "Ich verspreche dir, dass ich pünktlich bin."),
    ("de", "Mir ist Ehrlichkeit wichtiger als Höflichkeit.", "value", "Mir ist Ehrlichkeit wichtiger als Höflichkeit."),
    ("fr", "Je suis infirmière à Brest. Et toi ?", "state", "Je suis infirmière à Brest."),
    ("fr", "Je n'ai pas le droit de courir.", "constraint", "Je n'ai pas le droit de courir."),
    ("fr", "Je voudrais finir mon roman d'ici Noël.", "goal", "Je voudrais finir mon roman d'ici Noël."),
    ("zh", "我女儿对花生过敏,蛋糕怎么做?", "constraint", "我女儿对花生过敏"),
    ("zh", "我打算明年考驾照。", "goal", "我打算明年考驾照。"),
    ("zh", "我宁可走路,也不打车。", "value", "我宁可走路,也不打车。"),
    ("ko", "저는 이번 달부터 대구에서 근무해요.", "state", "저는 이번 달부터 대구에서 근무해요."),
    ("ko", "내년에는 책을 한 권 쓰고 싶어.", "goal", "내년에는 책을 한 권 쓰고 싶어."),
    ("ko", "우리 아들은 우유 알레르기가 있어.", "constraint", "우리 아들은 우유 알레르기가 있어."),
]
NOTHING = [
    "Oh sure, I always love to wait in the rain for an hour.",  # sarcasm
    "Na klar, ich wohne ja am liebsten auf einer Baustelle.",
    'In my novel the thief says: "I never steal from the poor."',  # quotations and fiction
    "„Ich esse kein Fleisch mehr“, steht da.",
    "If I were vegan I would live on chips. What would you cook?",  # hypotheses
    "Wenn ich reich wäre, würde ich nie wieder arbeiten.",
    "Si j'étais riche, je vivrais à Rome toute l'année.",
    "要是我有钱,我就不上班了。",
    "만약에 내가 부자라면 매일 여행만 다닐 거야.",
    "Did you hear, apparently Tom is vegan now.",  # what others say
    "My neighbour says he never eats bread.",
    "Mein Schwager behauptet, er trinke keinen Alkohol mehr.",
    "Let's play: you're a pirate and I've sworn never to go ashore again.",  # roleplay
    "On joue : tu es le roi, et moi je suis un voleur qui ne ment jamais.",
    "I used to live in Leeds.",  # the past
    "Früher habe ich in Bonn gewohnt.",
    "Why do I always have to reboot?",  # questions
    "def f():\n    # I always retry three times\n    return 1",  # code
    "> I live in Rome now.",
    "",
    "…",
]


@pytest.mark.parametrize(("language", "text", "kind", "clause"), STATED)
def test_a_clause_that_states_what_holds(language: str, text: str, kind: str, clause: str) -> None:
    found = [(text[each.start : each.stop], each.kind) for each in clauses_of(text, "user") if each.kind]
    assert [what for words, what in found if words == clause] == [kind], found


@pytest.mark.parametrize("text", NOTHING)
def test_what_states_nothing_that_holds(text: str) -> None:
    assert not [each for each in clauses_of(text, "user") if each.kind]


def test_the_role_decides() -> None:
    text = "From now on I'll answer in Welsh. I live in a data centre."
    [promise] = clauses_of(text, "assistant")
    assert (promise.kind, text[promise.start : promise.stop]) == ("promise", "From now on I'll answer in Welsh.")
    for role in ("tool", "system", "developer"):
        assert clauses_of("I live in Rome now.", role) == []


def test_who_a_clause_is_about() -> None:
    for clause, name in (("My daughter is allergic.", "daughter"), ("Frida darf keine Nüsse.", "Frida")):
        place = other_subject(clause)
        assert place is not None
        assert clause[slice(*place)] == name
    assert other_subject("I live in Rome.") is None
    assert other_subject("This is new.") is None


def test_what_is_left_of_a_clause() -> None:
    clause = "My daughter is badly allergic to hazel nuts"
    marks = marks_of(clause)
    text = f"Hello. {clause}. What else is there?"
    assert place_of(marks, text, []) == (7, 7 + len(clause))
    faded = "⋯ daughter ⋯ allergic to hazel nuts⋯ else"
    gaps = [place for place, character in enumerate(faded) if character == "⋯"]
    place = place_of(marks, faded, gaps)
    assert place is not None
    assert faded[slice(*place)] == "daughter ⋯ allergic to hazel nuts"
    assert place_of(marks, "⋯ daughter ⋯ else", [0, 11]) is None
    assert place_of(marks, "", []) is None


def test_long_and_odd_texts() -> None:
    for unit in ("I ", "我", "\n", "I live in Rome now, ", '"', "```", "\ud800", "a:", "'"):
        text = unit * 20_000
        assert all(0 <= each.start < each.stop <= len(text) for each in clauses_of(text, "user"))
