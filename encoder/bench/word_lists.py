"""Word lists that determine the class of a word, by language: negations, months, weekdays, and the most frequent
English words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

#: English words by frequency in the training messages; the commit that generated them is in docs/LOG.md.
ENGLISH_WORDS_PATH = Path(__file__).parent / "data" / "english_words.json"
ENGLISH = "en"
#: Language of a document that does not name one; it has no lists.
UNKNOWN_LANGUAGE = "unknown"

#: Words whose capital letter marks a name: those inside a sentence, those in Latin script, or none.
Names = Literal["inside", "latin", "none"]


class EnglishWords(NamedTuple):
    """English words by frequency, in lower case."""

    #: The most frequent words.
    common: frozenset[str]
    #: Words of four or more letters that are not rare.
    frequent: frozenset[str]


@dataclass(frozen=True)
class LanguageWords:
    """Closed word classes of one language, in lower case."""

    negations: frozenset[str] = frozenset()
    #: Suffixes that negate a word.
    negative_endings: tuple[str, ...] = ()
    #: Prefixes that negate a word.
    negative_beginnings: tuple[str, ...] = ()
    #: Pattern of negations in scripts without spaces or inside words; empty if there are none.
    negation_pattern: str = ""
    months: tuple[str, ...] = ()
    #: Abbreviations of months, and ambiguous months, which are dates only beside a number.
    months_beside_numbers: tuple[str, ...] = ()
    #: Ambiguous months that are also dates if capitalised inside a sentence.
    capitalised_months: frozenset[str] = frozenset()
    weekdays: tuple[str, ...] = ()
    #: Pattern of other dates; empty if there are none.
    date_pattern: str = ""
    names: Names = "inside"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _tuple(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_ENGLISH = LanguageWords(
    negations=_set(
        "not no never none nobody nothing nowhere neither nor without cannot nope dont doesnt didnt cant couldnt wont "
        "wouldnt isnt arent wasnt werent havent hasnt hadnt shouldnt aint"
    ),
    negative_endings=("n't",),
    months=_tuple("january february april june july august september october november december"),
    months_beside_numbers=_tuple("march may jan feb mar apr jun jul aug sep sept oct nov dec"),
    capitalised_months=_set("march may"),
    weekdays=_tuple("monday tuesday wednesday thursday friday saturday sunday"),
    date_pattern=r"\d{1,2}\s?o['’]clock\b|\b(?-i:Mon|Tues?|Wed|Thu|Thurs?|Fri|Sat|Sun),?\s\d{1,2}\b",
)
_GERMAN = LanguageWords(
    negations=_set(
        "nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden niemandem nichts nirgends "
        "nirgendwo weder ohne nein"
    ),
    months=_tuple("januar februar märz april mai juni juli august september oktober november dezember"),
    weekdays=_tuple("montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"),
    date_pattern=r"\d{1,2}(?:[.:]\d\d)?\sUhr\b",
    names="none",
)
_FRENCH = LanguageWords(
    negations=_set("ne pas non jamais rien aucun aucune sans ni"),
    negative_beginnings=("n'",),
    months=_tuple("janvier février avril juin juillet août septembre octobre novembre décembre"),
    months_beside_numbers=_tuple("mars mai"),
    weekdays=_tuple("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    date_pattern=r"\b\d{1,2}\s?h(?:\s?\d\d)?\b",
)
_SPANISH = LanguageWords(
    negations=_set("no nunca jamás nada nadie ningún ninguno ninguna sin ni tampoco"),
    months=_tuple("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    weekdays=_tuple("lunes martes miércoles jueves viernes sábado domingo"),
)
_POLISH = LanguageWords(
    negations=_set("nie nigdy nic nikt bez żaden żadna żadne żadnego żadnej ani"),
    months=_tuple(
        "styczeń stycznia luty lutego marzec marca kwiecień kwietnia maja czerwiec czerwca lipiec lipca sierpień "
        "sierpnia wrzesień września październik października listopad listopada grudzień grudnia"
    ),
    weekdays=_tuple("poniedziałek wtorek środa środę czwartek piątek sobota sobotę niedziela niedzielę"),
)
_TURKISH = LanguageWords(
    negations=_set("değil yok hayır asla hiç hiçbir"),
    months=_tuple("ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık"),
    weekdays=_tuple("pazartesi salı çarşamba perşembe cuma cumartesi"),
)
_RUSSIAN = LanguageWords(
    negations=_set("не нет ни никогда ничего ничто никто никого нигде без нельзя"),
    months=_tuple(
        "январь января февраль февраля марта апрель апреля мая июнь июня июль июля август августа сентябрь сентября "
        "октябрь октября ноябрь ноября декабрь декабря"
    ),
    months_beside_numbers=_tuple("март май"),
    weekdays=_tuple("понедельник вторник среда среду четверг пятница пятницу суббота субботу воскресенье"),
)
_UKRAINIAN = LanguageWords(
    negations=_set("не ні немає ніколи нічого ніщо ніхто нікого ніде без"),
    months=_tuple(
        "січень січня лютий лютого березень березня квітень квітня травень травня червень червня липень липня серпень "
        "серпня вересень вересня жовтень жовтня листопад листопада грудень грудня"
    ),
    weekdays=_tuple("понеділок вівторок середа середу четвер п'ятниця п'ятницю субота суботу неділя неділю"),
)
_GREEK = LanguageWords(
    negations=_set("δεν δε μην μη όχι ποτέ κανείς κανένας καμία κανένα τίποτα χωρίς ούτε"),
    months=_tuple(
        "ιανουάριος ιανουαρίου φεβρουάριος φεβρουαρίου μάρτιος μαρτίου απρίλιος απριλίου μάιος μαΐου ιούνιος ιουνίου "
        "ιούλιος ιουλίου αύγουστος αυγούστου σεπτέμβριος σεπτεμβρίου οκτώβριος οκτωβρίου νοέμβριος νοεμβρίου "
        "δεκέμβριος δεκεμβρίου"
    ),
    weekdays=_tuple("δευτέρα τρίτη τετάρτη πέμπτη παρασκευή σάββατο κυριακή"),
)
_KOREAN = LanguageWords(
    negations=_set("안 못"),
    negation_pattern="않|없|아니|못(?=[하했할한])",
    date_pattern=r"\d{1,4}\s?(?:년|월|일|시(?!간)|분)|[월화수목금토일]요일",
    names="latin",
)
_JAPANESE = LanguageWords(
    negation_pattern="ない|なかっ|ません|無[いし]|なし(?![いてたま])",
    date_pattern=r"\d{1,4}(?:年|月|日|時(?!間))|[月火水木金土日]曜日?",
    names="latin",
)
_CHINESE = LanguageWords(
    negation_pattern="[不没沒无無未勿]|非(?!常)|(?<!特)别",
    date_pattern=r"\d{1,4}(?:年|月|日|号|时|時|点)|(?:星期|礼拜|周)[一二三四五六日天]",
    names="latin",
)

#: Language → word lists. In other languages only numeric dates and capitalised names are recognised.
LANGUAGES: Mapping[str, LanguageWords] = MappingProxyType(
    {
        ENGLISH: _ENGLISH,
        "de": _GERMAN,
        "fr": _FRENCH,
        "es": _SPANISH,
        "pl": _POLISH,
        "tr": _TURKISH,
        "ru": _RUSSIAN,
        "uk": _UKRAINIAN,
        "el": _GREEK,
        "ko": _KOREAN,
        "ja": _JAPANESE,
        "zh": _CHINESE,
    }
)


@lru_cache(maxsize=1)
def english_words() -> EnglishWords:
    """Returns the words in `ENGLISH_WORDS_PATH`, loaded once."""
    lists = json.loads(ENGLISH_WORDS_PATH.read_text(encoding="utf-8"))
    return EnglishWords(frozenset(lists["common"].split()), frozenset(lists["frequent"].split()))
