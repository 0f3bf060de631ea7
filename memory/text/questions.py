"""Form of a query: it asks for one fact, for several things, for a value of some kind, or for nothing at all."""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True)
class ValueAsked:
    """A value of some kind that a question asks for."""

    question: str
    values: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        """Returns True if a text has such a value that the question does not name itself."""
        return any(match[0] not in self.question for match in self.values.finditer(text))


_WHICH = r"(?:which|what|welche[nrs]?|wie lautet|quels?|quelles?|cu[aá]l(?:es)?|qual[ei]?|welke?)\b"
_AMOUNT = re.compile(
    r"^\W*(?:how much|combien|cu[aá]nto|quanto|wie ?viel|hoeveel)\b"
    r"|^\W*(?:what|was|wie|quel(?:le)?|qu['’]|cu[aá]l|qual)\b.*\b(?:costs?|pa(?:y|id)|prices?|amount|fee|total|refund(?:ed)?"
    r"|calculat\w+|kostete?n?|preis|betrag|bezahlt|geb[uü]hr|co[uû]t\w*|prix|montant|precio|importe|prezzo|importo)\b"
    r"|いくら|金額|値段|料金|価格|얼마(?!나)|금액|가격|요금|비용|多少钱|价格|金额|费用",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(
    rf"^\W*(?:(?:in|to|from|on|of|with|an|auf|in|von|mit|à|de|dans|sur) )?{_WHICH}(?: [\w'’-]+){{0,3}}? "
    r"(?:ids?|numbers?|orders?|codes?|items?|accounts?|cards?|zip|phone|tracking|nummern?|kennung|bestellung|konto|karte"
    r"|numéros?|identifiants?|commandes?|comptes?|n[uú]mero|pedido|c[oó]digo)\b|番号は|コードは|番号って|번호|코드|编号|号码|单号|代码",
    re.IGNORECASE,
)
_MAIL = re.compile(
    r"\be-?mail[- ]?ad|\b(?:which|what|whose) e-?mail|\bcourriel|メールアドレス|메일 ?주소|邮箱", re.IGNORECASE
)
_AN_AMOUNT = re.compile(
    r"\d[.,]\d\d?\b|[$€£¥₩]\s?\d[\d.,]{0,24}+|(?<![\d.,])\d[\d.,]{0,24}+\s?(?:[$€£¥₩円元원万만]|k\b|dollars?|euros?|bucks|pounds|usd|eur|percent|%)",
    re.IGNORECASE,
)
_AN_IDENTIFIER = re.compile(r"(?<![\w#-])(?=[^\W\d]{0,30}[_#-]{0,2}[^\W\d]{0,20}\d)[\w#-]{5,64}")
_AN_ADDRESS = re.compile(r"@")


def value_asked(question: str) -> ValueAsked | None:
    """Returns the kind of value that a question asks for: an amount of money, an identifier or an address of mail; None
    for another question. What has no such value cannot answer it."""
    if _MAIL.search(question):
        return ValueAsked(question, _AN_ADDRESS)
    if _IDENTIFIER.search(question):
        return ValueAsked(question, _AN_IDENTIFIER)
    return ValueAsked(question, _AN_AMOUNT) if _AMOUNT.search(question) else None
