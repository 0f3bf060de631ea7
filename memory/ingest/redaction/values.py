"""Shape of the value of a secret: made by a machine, chosen by a person, a number, or only a word."""

from enum import IntEnum
from functools import lru_cache

import regex


class Shape(IntEnum):
    """Shapes of values, those that look more like secrets last."""

    #: the name of a secret, a type, a call or nothing at all: `${TOKEN}`, `<password>`, `os.environ["X"]`, `***`
    PLACEHOLDER = 0
    #: a word, or several
    WORD = 1
    #: digits, perhaps in groups or with a letter
    NUMBER = 2
    #: letters with digits or signs, as people choose passwords
    STRONG = 3
    #: long and mixed, made by a machine
    MACHINE = 4


_PLACEHOLDER = regex.compile(
    r"""(?ix)
    [$%]?\{{1,2}.* | \$\(.* | \$[a-z_]\w*(?:(?:[:.\[/]|->?$|->).*)? | [$@%]?<.* | %\w+%? | %\w+\(\w+\)% | `.* | \#\{.*
    | \[[\p{L}_][^\]]*\]?.* | [(（]\p{L}[^()]*[)）] | [a-z_]\w*=(?:\{\}|\d+(?:\.\d+){3})
    | (\W|[x_])\1{2,} | 0{7,} | ([^\d])\2* | \d | [*•●·.…_x-]{3,}.* | .*\*{3,}
    | .*(?:\.\.\.|…|•{2,}|\$\{).* | x{4,}.* | .*x{6,}.*
    | (?:\w+(?:::|->|\.))*\w+[(\[].*                               # a call, an index
    | (?:[a-z_]\w*\.)+(?:\w*_)?(?:pass\w*|pwd?|secret\w*|tokens?|keys?|cred\w*|env|\w*(?:password|token|secret|
        key|passwort))[;,)]*
    | (?:process\.env|os\.environ|system\.getenv|env|var|vars|secrets|settings|config|local|data|module|self|
        this|args|request|req|params|inputs|steps|github|ctx|options|opts|props|state|cfg|conf|values|app)
        \.[\w.\[\]"'-]+;?
    | (?:your|my|our|the|some|any|enter|insert|put|add|change|replace|fill|fake|dummy|sample|test|example|
        default|ihr|dein|mein|votre|mon(?!key)|ton)[-_. ]?(?:own|new|real|actual|secret|strong|super|very|api|db|
        access|auth|me|this|it|in)?[-_. ]?(?:secret|strong)?[-_. ]?(?:pass\w*|pwd|pw|secret\w*|tokens?|keys?|
        pin|code|creds?|value|here|me|it|hier|ici|passwort|kennwort|mdp|mot[-_ ]de[-_ ]passe|api[-_ ]?\w*|jwt|
        bearer|access\w*|client\w*)?(?:[-_. ]?(?:here|value|goes|hier|ici|key|token|secret|please|\d{1,3})
        )*[!.]?
    | (?:pass|passwd|password|passwort|kennwort|passphrase|pwd|pw|secret|token|key|apikey|api[-_]key|
        access[-_](?:key|token)|user|username|mdp|mot[-_]?de[-_]?passe|motdepasse|jeton|geheim|geheimnis)
        [-_]?(?:here|\d{0,2}|value|placeholder|\w*hash\w*|env|file|field|ref)
    | re[-_]?dacted.* | redigiert | masqué | masked | hidden | removed | omitted | censored | todo.* | tbd |
        n/a | none | null | nil | true | false | undefined
    | (?:arn|urn|vault|file|env|ssm|secretsmanager|op|projects|keyring|doppler|sops|ref|resolve|classpath|
        mailto)[:/]+.*(?:[:/].*)?
    | ![a-z]\w*.* | https?://.* | (?:[a-z]:)?[./~\\][\w./\\~-]*[/\\][\w./\\~*-]+ | \.{0,2}/[\w./-]+ |
        [\w-]+(?:/[\w.-]+)+\.[a-z]{1,5} | ~ | --?[a-z][\w-]*
    | [\w.-]+\.(?:ya?ml|json|toml|txt|key|pem|crt|cer|env|conf|cfg|ini|py|js|ts|md|log|csv|xml|html?|go|rs|java|
        sh|pub|p12|pfx|jks|asc|gpg|docx?|pdf|png|jpe?g)
    | \[?-[^|]*\|.* | \[-.* | \^.*\$ | .*\(\?[=:!<].*                                           # a regular expression
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                                  # an address
    | (?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|de|fr|jp|kr|co|eu|local|internal|lan|example|test|app|cloud)
        (?::\d+)?(?:/.*)?
    | (?:optional|list|dict|union|sequence|mapping|literal|annotated|secretstr|secret|str|string|bytes|int|char|
        varchar|text|any|object|array|vec|map|set|tuple|record|promise|partial)(?:[\[<(|?].*)
    """
)
#: A number with its unit, a time, a date, a version, the name of a standard: with digits, and no secret.
_MEASURE = regex.compile(
    r"""(?ix)
    [<>=~≥≤+-]?\d+(?:[.,]\d+)?[-–]?(?:[a-z]{1,3}|%|°|€|\$|£|bits?|bytes?|chars?|characters?|digits?|letters?|
        words?|days?|hours?|min(?:ute)?s?|sec(?:ond)?s?|weeks?|months?|years?|times|x\d*|stellig\w*|stunden?|
        tage?|monate?|jahre?|zeichen|fois|jours?|heures?|mois|ans?|caractères?|factor|step|fach|mal|st|nd|rd|th|
        er|ème|uhr|way|fold)\+?
    | [$€£¥₩]\d[\d.,]*[a-z]? | \d{1,2}:\d{2}(?::\d{2})?(?:[ap]m|h)? | \d{1,2}h\d{0,2} |
        \d{4}-\d{2}(?:-\d{2})?(?:t[\d:.+z-]*)? | \d{1,2}[./]\d{1,2}[./]\d{2,4} | \d{4}/\d{1,2}/\d{1,2} |
        (?:0?\d|1[0-2])/\d{2,4} | \d{1,2}\.\d{1,2}\.
    | v?\d+(?:\.\d+){1,3}(?:[-+.]?(?:[a-z]+\d{0,3}|\d{1,8})){0,4} | v\d+\w* | \d+(?:/\d+)+ | \d+[-–]\d+ | \#\d+ |
        \d+(?:[.,]\d+)+ | q[1-4]
    | (?:sha|md|aes|rsa|hs|rs|es|ps|utf|base|ed|x|bcrypt|scrypt|argon|pbkdf|blake|chacha|poly|hmac|ecdsa|dsa|
        tls|ssl|ssh|http|ipv|oauth|saml|openid|rfc|iso|fido|webauthn|pkcs|pem|der|md|des|3des|hotp|totp|u2f|wpa|
        wep|k8s|s3|ec2|x509|p|gpt|claude|llama|gemini|qwen|python|java|node|php|es|windows|win|ios|macos|
        android|pci|gdpr|c|f|h|r|python|postgres|mysql|redis|log4j|i18n|l10n|a11y|ntlm|cp|latin|iso|gb|sm|curve)
        [-_]?v?\d{1,5}(?:[-_./][a-z0-9]{1,8}|mb4|id|i|g|b)*
    | (?:aes|rsa|hmac|pbkdf2|ecdsa|eddsa|argon2|scrypt|bcrypt|pkcs|sha|ecdh|ecdhe|tls|dpapi)
        (?:[-_/][a-z0-9]+)+ | (?:bcrypt|argon2(?:id?|d)?|pbkdf2|sha\d+|md5|oauth2?|x509|web3|auth0|keepass(?:2|
        xc|dx)?|1password|log4j|log4shell|crypt32)(?:[-_'’.].*)?
    | (?:iphone|ipad|pixel|galaxy|level|step|room|version|section|page|line|chapter|ticket|issue|pr|row|kapitel|
        seite|zeile|zimmer|chapitre|salle|ligne|rev|build|release|port|test|user|tenant|node|host|worker|shard|
        dev|prod|staging|web|db|app|srv|server|sprint|phase|tier|gate|door|floor)[-_ #]?\d{1,4}
    | [a-z]{2,}(?:['’][a-z]{1,3}) | covid-?\d+ | [a-z]+\(s\) | (?:[a-z]+/)+[a-z]+ | \w+=\w+
    """
)
_NUMBER = regex.compile(
    r"""(?x)
    [*\#]{0,2}[A-Za-z]{0,2}\d{3,12}[A-Za-z]{0,2}[\#*]? | \d{13,24}
    | [*\#]?\d{1,4}(?:[-–—/ ]\d{1,4}){1,5}[\#*]?
    | (?=.*\d)[A-Z0-9]{2,6}(?:-[A-Z0-9]{2,6}){0,4}
    | \d{1,2}[A-Za-z]\d{1,4}[A-Za-z]?
    """
)
YEAR = regex.compile(r"(?:19|20)\d\d")
#: As many words in a row as the phrase that restores a wallet has.
WALLET = regex.compile(r"(?<![\p{L}'’-])\p{Ll}{3,12}(?:,? \p{Ll}{3,12}){11,23}+(?![\p{L}'’-]| \p{L})")
UUID = regex.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MACHINE = regex.compile(r"[A-Za-z0-9+/=_.~%:-]{16,}")
_DATE = regex.compile(
    r"\d{4}-\d{2}-\d{2}|(?:19|20)\d\d[./]\d{1,2}[./]\d{1,2}|\d{1,2}\.\d{1,2}\.(?:19|20)\d\d|\d{1,3}(?:\.\d{1,3}){3}"
)
_RUNS = regex.compile(r"[a-z]+|[A-Z][a-z]+|[A-Z]+")
_DIVIDED = regex.compile(r"[_.-]")
#: Signs that people put into passwords and not into words and names.
_SIGNS = frozenset("!#$%&*+=?@^~|\\§€£;<>{}[]°")


@lru_cache(4096)
def shape_of(value: str) -> Shape:
    """Returns what a value looks like. It has no white space."""
    if not value or _PLACEHOLDER.fullmatch(value):
        return Shape.PLACEHOLDER
    letters = sum(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    if digits and _is_number(value):
        return Shape.NUMBER
    if len(value) <= 32 and _MEASURE.fullmatch(value):
        return Shape.WORD
    if _MACHINE.fullmatch(value) and _is_random(value, digits):
        return Shape.MACHINE
    inner = value[:-1] if value[-1] in "!?" else value
    signs = sum(character in _SIGNS for character in inner)
    kinds = (
        bool(digits) + bool(signs) + (any(map(str.islower, value)) or letters > 0) + any(map(str.isupper, value[1:]))
    )
    if len(value) >= 5 and letters and (digits or signs) and len(set(value)) >= 4:
        return Shape.STRONG
    if len(value) >= 8 and kinds >= 3:
        return Shape.STRONG
    if len(value) >= 6 and digits and not letters and signs:
        return Shape.STRONG
    return Shape.WORD


def _is_number(value: str) -> bool:
    return (
        len(value) <= (24 if value.isdigit() else 15) and bool(_NUMBER.fullmatch(value)) and not _DATE.fullmatch(value)
    )


def _is_random(value: str, digits: int) -> bool:
    """True if a long value mixes its characters as a machine does."""
    if UUID.fullmatch(value):
        return True
    lower = any(map(str.islower, value))
    upper = any(map(str.isupper, value))
    if digits >= 2 and (lower or upper):
        longest = max(map(len, _RUNS.findall(value)), default=0)
        return longest <= max(7, len(value) // 4) or "=" in value[-2:]
    capitals = sum(map(str.isupper, value[1:]))
    return len(value) >= 20 and lower and capitals >= 5 and not _DIVIDED.search(value)
