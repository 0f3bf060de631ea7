"""Form of a query: it asks for one fact, for several things, or for nothing at all."""

import re

#: How questions with one answer begin. A list of things may be anywhere in a bank, one fact is where its words are.
_BEGINNINGS = (
    r"when|why|how (?:long|old|often|far|much|tall|big|did|does|do|was|is)",
    r"what (?:was|time|day|date|year|month|did|kind|type|colou?r|name|size)",
    r"wann|warum|wieso|wie (?:lange|alt|oft|weit|viel)|wanneer|waarom",
    r"quand|pourquoi|cu[aá]ndo|por qu[eé]|quando|perch[eé]",
)
_BEFORE = r"(?:in|on|at|by|for|with|to|since|until) "
#: The same in languages whose questions have such a word anywhere.
_ANYWHERE = "언제|왜|몇 (?:살|시|번|개월|년|일)|얼마나|いつ|なぜ|どうして|何時|什么时候|为什么|几点|多久"
_BEGINS = re.compile(rf"(?:{_BEFORE})?(?:{'|'.join(_BEGINNINGS)})\b", re.IGNORECASE)
_HAS = re.compile(_ANYWHERE)
_SMALL_TALK = """
    a afternoon again all are bye day evening fine for good goodbye great have hello hey hi how it me morning much nice
    night no ok okay please right so sure thank thanks that the there up very welcome what's yeah yep yes you
    bitte danke guten hallo ja moin nein tag tschüss bonjour merci oui non salut buenos días dias gracias hola sí
    ciao grazie sì obrigado olá oi dank u hoi 네 아니요 안녕 안녕하세요 감사합니다 고마워 고맙습니다 예 응
    はい いいえ こんにちは ありがとう おはよう 你好 您好 谢谢 好的 是的 不是 嗨
"""
_SMALL_WORDS = frozenset(_SMALL_TALK.split())
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_DIGIT = re.compile(r"\d")


def asks_for_one_fact(query: str) -> bool:
    """Returns True for a question that has one answer, such as a time, a reason or an amount."""
    return _BEGINS.match(query.strip()) is not None or _HAS.search(query) is not None


def is_small_talk(query: str) -> bool:
    """Returns True for a greeting, thanks, a yes or a no, which ask for nothing."""
    words = _WORD.findall(query.lower())
    return bool(words) and not _DIGIT.search(query) and _SMALL_WORDS.issuperset(words)
