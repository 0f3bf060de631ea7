"""Form of a request: a query that asks for a fact, or says that something is to be done."""

import re

from .identifiers import identifiers_in
from .questions import asks_for_one_fact

_ASKS = re.compile(r"[?？؟]")
#: A request for words, which is a question: “can you tell me when …”.
_TELLS = re.compile(
    r"\b(?:tell|remind|inform|remember|recall|know|sag\w*|weißt|dis|dites|sais|savez|dime|sabes)\b"
    r"(?=.{0,100}\b(?:when|what|which|who|whose|where|why|how|if|whether|about|wann|was|wer|wo|warum|wie|quand|quoi|que|qui"
    r"|où|pourquoi|comment|cu[aá]ndo|qué|quién|dónde|cómo)\b)",
    re.IGNORECASE,
)
#: A question that asks for something to be done.
_REQUESTS = re.compile(
    r"\b(?:can|could|will|would|may|might|shall) (?:you|we|i)\b|\bplease\b|\b(?:left|leave|leaving) off\b",
    re.IGNORECASE,
)
#: A sentence that says how a question is to be answered: “answer yes or no”.
_FORM = re.compile(r"\A\W*+(?:please )?(?:answer|reply|respond|antwort|répond|답|答え|回答)", re.IGNORECASE)
#: End of a sentence.
_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+")
#: Fewer words are search terms, and where one of them names one thing.
LEAST_WORDS, LEAST_WITH_NAME = 5, 3
#: Words of a question that leaves the rest to the next sentence, at most.
BARE = 2


def is_search(query: str) -> bool:
    """Returns True if a query asks for a fact or consists of a few search terms, rather than says something."""
    if _asks(query):
        return True
    words = _WORD.findall(query)
    named = identifiers_in({*words, *query.split()})
    return len(words) < (LEAST_WITH_NAME if named else LEAST_WORDS)


def _asks(query: str) -> bool:
    """Returns True for a question, rather than a request for something to be done. Of several sentences the last one
    counts, and a bare “when?”: “why has nothing been done? I said yes” is not a question."""
    sentences = [part for part in _ENDS.split(query) if _WORD.search(part)] or [""]
    while len(sentences) > 1 and _FORM.match(sentences[-1]):
        sentences.pop()
    if _TELLS.search(sentences[-1]):
        return True
    bare = _ASKS.search(sentences[0]) and asks_for_one_fact(sentences[0]) and len(_WORD.findall(sentences[0])) <= BARE
    alone = len(sentences) == 1 and asks_for_one_fact(query)
    return bool(bare or alone or _ASKS.search(sentences[-1])) and _REQUESTS.search(sentences[-1]) is None
