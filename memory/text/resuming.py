"""Detection of queries that ask to go on with something that was agreed on, rather than for a fact."""

import re

#: Phrases by language that refer to what was agreed on, or ask to go on with a task.
_PHRASES = (
    r"(?:we|you|i)(?:'ve| have| had| both)? (?:\w+ )?"
    r"(?:agreed|discussed|talked|spoke|decided|arranged|planned|settled|promised|said)",
    r"agreed (?:on|upon|to)",
    r"as (?:agreed|discussed|planned|promised)",
    # German, Dutch, French, Spanish, Portuguese, Italian
    r"vereinbart|abgemacht|besprochen|ausgemacht|afgesproken|besproken|convenu|discuté",
    r"acordamos|acordado|hablamos|quedamos|combinamos|combinado|concordato",
    r"(?:go|going|carry|move) (?:on|ahead)",
    r"continue|proceed|resume|pick(?:ing)? up|last time|come back to|(?:i'm|i am|am) back",
    r"(?:our|the|that|my) (?:(?:last|earlier|previous|open|pending|unfinished) )*(?:conversation|chat|call|request)",
    r"(?:finish|complete|finali[sz]e|execute|carry out|wrap up|do|get|make|have) "
    r"(?:it|that|this|them|everything|what|my|the)",
    r"(?:done|happen) now|still (?:waiting|open|pending)",
    r"weitermachen|fortsetzen|mach(?:en sie)? weiter|doorgaan|continue[zr]|poursuiv\w+|reprend\w+|reprenons",
    r"continú\w+|continuar|sigamos|retom\w+|continuiamo|proced\w+|riprend\w+",
)
#: The same in languages without blanks between all words.
_UNSPACED = (
    "약속한|합의한|얘기한 대로|이야기한 대로|말한 대로|하기로 한|約束した|話した通り|决定的|说好的|商量好|约定|約定",
    "계속해|이어서|마저|진행해|続き|続けて|進めて|继续|接着|繼續",
)
_REFERS = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b|{'|'.join(_UNSPACED)}", re.IGNORECASE)
#: The one question that asks to go on.
_LEFT_OFF = re.compile(r"\b(?:left|leave|leaving) off\b", re.IGNORECASE)
_ASKS = re.compile(r"[?？؟]")
#: A request for words, which is a question: “can you tell me when …”.
_TELLS = re.compile(
    r"\b(?:tell|remind|inform|remember|recall|know|sag\w*|weißt|dis|dites|sais|savez|dime|sabes)\b"
    r"(?=.{0,100}\b(?:when|what|which|who|whose|where|why|how|if|whether|about|wann|was|wer|wo|warum|wie|quand|quoi|que|qui"
    r"|où|pourquoi|comment|cu[aá]ndo|qué|quién|dónde|cómo)\b)",
    re.IGNORECASE,
)
#: A question that asks for something to be done.
_REQUESTS = re.compile(r"\b(?:can|could|will|would|may|might) (?:you|we|i)\b|\bplease\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")
#: Fewer words are search terms.
LEAST_WORDS = 5


def asks_to_resume(query: str) -> bool:
    """Returns True if a query refers to what was agreed on, or asks to go on with it."""
    if _asks(query):
        return _LEFT_OFF.search(query) is not None
    return _REFERS.search(query) is not None


def is_search(query: str) -> bool:
    """Returns True if a query asks for a fact or consists of a few search terms, rather than says something."""
    return _asks(query) or len(_WORD.findall(query)) < LEAST_WORDS


def _asks(query: str) -> bool:
    """Returns True for a question, rather than a request for something to be done."""
    if _TELLS.search(query):
        return True
    return _ASKS.search(query) is not None and _REQUESTS.search(query) is None
