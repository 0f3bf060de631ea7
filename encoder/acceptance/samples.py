"""Default texts in several languages: sentences that do not occur in the training data."""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from types import MappingProxyType

from foxing.encoder.bench import PageSet, texts_of
from foxing.encoder.conformance import SENTENCES
from foxing.encoder.contract import Codec

#: Sentences by language. On a page each sentence is followed by a number, so that none is repeated verbatim.
LANGUAGES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "en": SENTENCES,
        "de": (
            "Wir treffen uns am Dienstag um halb neun vor dem alten Rathaus und fahren dann gemeinsam zum See.",
            "Die Rechnung für die neuen Fenster ist bezahlt, der Schreiner kommt im Herbst noch einmal vorbei.",
            "Bitte gieß die Pflanzen auf dem Balkon, während ich weg bin; die kleine braucht nur wenig Wasser.",
            "Er fand den Fehler im zweiten Kapitel: Zwei Zeilen waren in falscher Reihenfolge gedruckt worden.",
        ),
        "fr": (
            "Le train part à sept heures et demie du quai neuf, retrouvons-nous devant la boulangerie à sept heures.",
            "Personne ne savait qui avait oublié le parapluie à la bibliothèque avant le retour du vieux professeur.",
            "Pour la soupe, il faut trois oignons, un peu de beurre et le reste du pain d'hier.",
            "L'hôtel près de la gare n'a plus de chambre lundi, mais il y en a une au port, petit déjeuner compris.",
        ),
        "es": (
            "El martes nos vemos a las ocho y media delante del ayuntamiento y luego vamos juntos al lago.",
            "Mi hermana preguntó si podíamos llevar la tienda azul y cuatro sillas el próximo fin de semana.",
            "Hacía bastante calor para sentarse en el jardín hasta que salieron las primeras estrellas.",
            "¿Podrías regar las plantas del balcón mientras estoy fuera? La pequeña necesita muy poca agua.",
        ),
        "ru": (
            "Во вторник мы встречаемся в половине девятого у старой ратуши и вместе едем к озеру.",
            "Счёт за новые окна оплачен, а столяр придёт ещё раз осенью, когда станет прохладнее.",
            "Никто не знал, кто забыл зонт в библиотеке, пока за ним не вернулся старый учитель.",
            "Для супа нужны три луковицы, немного масла и остатки вчерашнего хлеба.",
        ),
        "ja": (
            "火曜日の八時半に古い市役所の前で会って、それから一緒に湖へ行きましょう。",
            "新しい窓の代金は払いました。大工さんは秋にもう一度来てくれます。",
            "留守の間、ベランダの植木に水をやってください。小さいほうは少しで足ります。",
            "第二章に間違いが見つかりました。二つの行の順番が逆に印刷されていました。",
        ),
        "ko": (
            "화요일 여덟 시 반에 옛 시청 앞에서 만나서 함께 호수로 갑시다.",
            "새 창문 값은 이미 냈고, 목수는 가을에 한 번 더 오기로 했습니다.",
            "제가 없는 동안 베란다의 화분에 물을 주세요. 작은 화분은 조금이면 됩니다.",
            "둘째 장에서 틀린 곳을 찾았습니다. 두 줄의 순서가 바뀌어 인쇄되어 있었습니다.",
        ),
        "zh": (
            "我们星期二八点半在旧市政厅门口见面，然后一起去湖边。",
            "新窗户的账单已经付了，木匠秋天还会再来一次。",
            "我不在的时候请给阳台上的花浇水，小的那盆只要一点点。",
            "他在第二章里发现了错误：有两行的顺序印反了。",
        ),
    }
)


def sample_texts(codec: Codec, pages: int) -> dict[str, PageSet]:
    """Returns language → at most `pages` full pages, for each of `LANGUAGES`."""
    return {language: _pages(codec, language, pages) for language in LANGUAGES}


def _pages(codec: Codec, language: str, pages: int) -> PageSet:
    sentences = LANGUAGES[language]
    needed = pages * codec.layout.cells // min(map(len, sentences)) + len(sentences)
    messages = [
        {"role": "assistant" if number % 2 else "user", "content": f"{sentence} ({17 * number + 4})"}
        for number, sentence in enumerate(islice(cycle(sentences), needed))
    ]
    return texts_of([{"id": language, "lang": language, "messages": messages}], codec, pages)
