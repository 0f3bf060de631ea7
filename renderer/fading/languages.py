"""Negations and the commonest function words of some languages. In other languages, word frequency and word length
alone decide what fades."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

#: A language counts as used if it scores at least this share of the best-scoring language.
_SHARE_IN_USE = 0.25
#: Share of the letters in the script of Korean, Japanese or Chinese above which a text is written in it. A syllable or
#: an ideograph says as much as several letters.
_WRITTEN = 0.25


@dataclass(frozen=True)
class Language:
    """Word lists of one language, in lower case, with ' as the apostrophe."""

    negations: frozenset[str]
    #: Up to 60 of the least informative words.
    function_words: frozenset[str]
    #: Matches negations that are part of a word, or in scripts without spaces; None if there are none.
    negation_within: re.Pattern[str] | None = None
    #: Whether all nouns are capitalised, not only names.
    capital_nouns: bool = False


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


def _language(
    negations: str, function_words: str, inner: str | None = None, *, capital_nouns: bool = False
) -> Language:
    pattern = None if inner is None else re.compile(inner, re.IGNORECASE)
    return Language(_words(negations), _words(function_words), pattern, capital_nouns)


LANGUAGES = {
    "en": _language(
        "not no nope never none nothing nobody nowhere neither nor without hardly cannot cant couldnt dont doesnt "
        "didnt isnt arent wasnt werent wont wouldnt hasnt havent hadnt shouldnt aint",
        "the a an and of to in is it that this for on with as at by from be are was were been am i you he she we they "
        "my your his her our their me him them us so or if do did have has had i'm it's that's i've you're i'll i'd "
        "would will wow hey oh",
        r"n['’]t\b",
    ),
    "de": _language(
        "nicht nichts kein keine keinen keinem keiner keines nie niemals niemand nirgends ohne nein weder",
        "der die das den dem des ein eine einen einem einer eines und oder in im an am auf aus bei mit von vom zu zum "
        "zur für ist sind war es ich du er sie wir ihr mir mich dir dich sich mein dein so auch als wie dass hat habe "
        "haben wird werden",
        capital_nouns=True,
    ),
    "fr": _language(
        "ne pas jamais rien aucun aucune personne sans non ni guère nul nulle",
        "le la les un une des du de et ou à au aux en dans sur par pour avec ce cet cette ces que qui il elle on nous "
        "vous je tu ils elles me te se lui leur son sa ses mon ma mes est sont a ont été y l'on c'est d'un d'une "
        "qu'il",
        r"\bn['’](?=\w)",
    ),
    "es": _language(
        "no nunca jamás nada nadie ningún ninguna ninguno sin ni tampoco",
        "el la los las un una unos unas de del y o a al en por para con que se es son fue era lo le les me te nos yo "
        "tú él ella su sus mi mis tu tus este esta esto ese esa eso como más ha han he hay muy",
    ),
    "pl": _language(
        "nie bez nigdy nic nikt nigdzie ani żaden żadna żadne brak",
        "i a w we z ze na do od po za o u dla przez przy jest są był była było być się to ten ta te tego tej tym że "
        "jak co czy ale lub oraz ja ty on ona my wy oni mi mnie ci cię go mu jej ich jego już tak",
    ),
    "ru": _language(
        "не нет ни без никогда нельзя никто ничего ничто нигде никак нету",
        "и в во на с со к ко о об от до из у за по для при а но или что как это этот эта эти то так я ты он она мы вы "
        "они мне меня тебе тебя его её их нас вас им был была было были быть есть же ли бы уже",
    ),
    "uk": _language(
        "не ні без ніколи немає нема ніхто нічого ніде нікого",
        "і й та в у на з із зі до від за по для при про а але або що як це цей ця ці то так я ти він вона ми ви вони "
        "мені мене тобі тебе його її їх нас вас був була було були бути є ж чи би вже",
    ),
    "tr": _language(
        "değil yok hayır asla hiç hiçbir olmaz olmadan",
        "ve veya ile bir bu şu o da de ki mi mı mu mü için gibi çok daha en ne ben sen biz siz onlar bana sana ona "
        "beni seni onu benim senin onun bizim olan olarak kadar sonra ama ise var her şey",
    ),
    "el": _language(
        "δεν δε μη μην όχι ποτέ χωρίς τίποτα κανείς κανένας ούτε κανένα",
        "ο η το οι τα του της των τον την τους τις και να θα με σε στο στη στην στον στα στις από για που ότι πως αν "
        "ως ένα μια είναι ήταν έχει έχω μου σου μας σας αυτό αυτή αυτός εγώ εσύ ή κι",
    ),
    "ko": _language(
        "안 못 아니 아니요 아뇨 없이",
        "그 이 저 것 거 수 등 및 좀 더 또 나 나는 난 "
        "내 내가 너 너는 네 우리 저는 제가 제 그리고 그래서 그런데 근데 하지만 "
        "있는 있어 있어요 있습니다 하는 한 할 해 해요 합니다 됩니다 그냥 "
        "이런 그런 저런 때 네요 ㅋㅋ ㅎㅎ ㅠㅠ",
        r"없|않|못|아니|말[고아자]|안 (?=[가-힣])",
    ),
    "ja": _language(
        "",
        "私 僕 俺 事 物 時 方 人 何 今",
        r"ない|なかっ|なく|なけれ|ません|ませ(?=ん)|[ずぬ](?=に|。|、|$)|無[いし]",
    ),
    "zh": _language(
        "",
        "的 了 是 在 我 你 他 她 它 我们 你们 他们 这 那 这个 那个 "
        "和 与 也 都 就 还 很 吗 呢 吧 啊 哦 嗯 有 会 要 "
        "说 去 来 到 把 被 给 对",
        r"[不没沒无無未别別莫勿]|非(?!常)",
    ),
}


#: Names of months, with some short and inflected forms.
MONTHS = _words(
    "jan january feb february mar march apr april may jun june jul july aug august sep sept september oct october nov "
    "november dec december januar februar märz mai juni juli oktober dezember janvier février mars avril juin juillet "
    "août septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre octubre "
    "noviembre diciembre stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada "
    "grudnia января февраля марта апреля мая июня июля августа сентября октября ноября декабря січня лютого березня "
    "квітня травня червня липня серпня вересня жовтня листопада грудня ocak şubat mart nisan mayıs haziran temmuz "
    "ağustos eylül ekim kasım aralık"
)
#: Weekdays and relative days.
DAYS = _words(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight heute morgen gestern "
    "lundi mardi mercredi jeudi vendredi samedi dimanche aujourd'hui demain hier lunes martes miércoles jueves "
    "viernes sábado domingo hoy mañana ayer poniedziałek wtorek środa czwartek piątek sobota niedziela dziś jutro "
    "wczoraj понедельник вторник среда четверг пятница суббота воскресенье сегодня завтра вчера сьогодні вчора bugün "
    "yarın dün σήμερα αύριο χθες 오늘 내일 어제 모레 今日 明日 昨日 今天 明天 昨天 后天"
)
#: Months that are also other words when not capitalised.
AMBIGUOUS_MONTHS = _words("may mar march mars mai maja jan dec mart")
#: Units of measure, which are kept together with the number before them.
MEASURES = _words(
    "% ° am pm a.m p.m bc ad ce bce utc gmt ms s sec secs second seconds min mins minute minutes h hr hrs hour hours "
    "day days week weeks month months year years mm cm m km ft feet foot inch inches mile miles mi kg g mg lb lbs oz "
    "ml l gb mb kb tb b bytes bit bits mhz ghz hz w kw kwh v mah px dpi fps usd eur gbp chf jpy krw cny dollars euros "
    "pounds percent million billion thousand hundred k x times uhr jahre jahren jahr tage tagen tag wochen stunden "
    "euro prozent millionen ans an jours jour heures mois semaines años año días horas meses semanas лет года год "
    "дней день часов час минут рублей руб км м кг см мм г 개 명 년 월 일 시 분 원 번 살 시간"
)
_SCRIPTS = (
    ("ja", re.compile("[\u3041-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
)


#: Function word or negation → its languages.
_CODES = {
    word: [code for code, language in LANGUAGES.items() if word in language.function_words | language.negations]
    for word in frozenset[str]().union(*(words.function_words | words.negations for words in LANGUAGES.values()))
}


def languages_of(words: Iterable[str]) -> dict[str, Language]:
    """Returns the likely languages of a text by code, most likely first. `words`: its words in lower case."""
    counts = Counter(words)
    scripts = Counter(code for word in counts.elements() for code in _script(word))
    if scripts["ja"] * 20 > scripts["zh"]:
        del scripts["zh"]  # Han characters of Japanese
    common = Counter[str]()
    for word in counts.keys() & _CODES.keys():
        for code in _CODES[word]:
            common[code] += counts[word]
    scores = {code: scripts[code] or common[code] for code in LANGUAGES}
    best = max(scores.values())
    likely = sorted(scores, key=lambda code: (-scores[code], code))
    return {code: LANGUAGES[code] for code in likely if best and scores[code] >= best * _SHARE_IN_USE}


def language_by_script(text: str) -> str | None:
    """Returns the language in whose script `text` is written: "ja", "ko" or "zh"; None if it is written in another
    script, whatever it quotes. Kana are tried first."""
    letters = sum(map(str.isalpha, text))
    counts = {code: sum(1 for _ in pattern.finditer(text)) for code, pattern in _SCRIPTS}
    if sum(counts.values()) < _WRITTEN * letters or not letters:
        return None
    return next((code for code, count in counts.items() if count), None)


def _script(word: str) -> list[str]:
    """Returns the first language whose script occurs in `word`, as a list; empty if there is none."""
    return [code for code, pattern in _SCRIPTS if pattern.search(word)][:1]
