"""Relations of the benchmark of numbered statements: how a fact is put and asked for, and the words it is made from.

Half of the relations are held out: the rules of recall were written without looking at their answers.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

Part = Literal["open", "held out"]


class Relation(NamedTuple):
    """A relation between two things."""

    part: Part
    #: {s} stands for the subject and {v} for the value.
    statement: str
    questions: Sequence[str]
    #: Sorts of things.
    subject: str
    value: str


_OPEN = (
    ("The author of {s} is {v}", ("Who is the author of {s}?", "Who wrote {s}?"), "work", "person"),
    (
        "{s} plays the position of {v}",
        ("What position does {s} play?", "Which position is played by {s}?"),
        "person",
        "position",
    ),
    (
        "{s} was founded in the city of {v}",
        ("In which city was {s} founded?", "Where was {s} founded?"),
        "company",
        "city",
    ),
    (
        "The capital of {s} is {v}",
        ("What is the capital of {s}?", "Which city is the capital of {s}?"),
        "country",
        "city",
    ),
    ("{s} is married to {v}", ("Who is {s} married to?", "Who is the spouse of {s}?"), "person", "person"),
    (
        "{s} speaks the language of {v}",
        ("What language does {s} speak?", "Which language is spoken by {s}?"),
        "person",
        "language",
    ),
    (
        "{s} is a citizen of {v}",
        ("What is the country of citizenship of {s}?", "Which country is {s} a citizen of?"),
        "person",
        "country",
    ),
    (
        "The chief executive officer of {s} is {v}",
        ("Who is the chief executive officer of {s}?", "Who is the CEO of {s}?"),
        "company",
        "person",
    ),
    (
        "The headquarters of {s} is located in the city of {v}",
        ("Where is the headquarters of {s}?", "In which city is {s} headquartered?"),
        "company",
        "city",
    ),
    ("{s} was developed by {v}", ("Who developed {s}?", "Which company was {s} developed by?"), "product", "company"),
    ("The director of {s} is {v}", ("Who is the director of {s}?", "Who directed {s}?"), "work", "person"),
    (
        "The type of music that {s} plays is {v}",
        ("What type of music does {s} play?", "Which kind of music is played by {s}?"),
        "person",
        "genre",
    ),
    ("{s}'s child is {v}", ("Who is {s}'s child?", "What is the name of the child of {s}?"), "person", "person"),
    (
        "{s} works in the field of {v}",
        ("What field does {s} work in?", "In which field is {s} working?"),
        "person",
        "field",
    ),
    (
        "{s} is located in the continent of {v}",
        ("Which continent is {s} located in?", "On which continent is {s}?"),
        "country",
        "continent",
    ),
    ("{s} was performed by {v}", ("Who performed {s}?", "Who was {s} performed by?"), "work", "person"),
    (
        "The official language of {s} is {v}",
        ("What is the official language of {s}?", "Which language is official in {s}?"),
        "country",
        "language",
    ),
    ("{s} died in the city of {v}", ("In which city did {s} die?", "Where did {s} die?"), "person", "city"),
    ("{s} is famous for {v}", ("What is {s} famous for?", "Why is {s} famous?"), "person", "work"),
    (
        "The mascot of {s} is {v}",
        ("What is the mascot of {s}?", "Which animal is the mascot of {s}?"),
        "team",
        "animal",
    ),
)
_HELD_OUT = (
    (
        "{s} was written in the language of {v}",
        ("In which language was {s} written?", "What language was {s} written in?"),
        "work",
        "language",
    ),
    (
        "{s} is associated with the sport of {v}",
        ("Which sport is {s} associated with?", "What sport is {s} known for?"),
        "person",
        "sport",
    ),
    ("{s} was born in the city of {v}", ("In which city was {s} born?", "Where was {s} born?"), "person", "city"),
    (
        "The name of the current head of state in {s} is {v}",
        ("Who is the current head of state in {s}?", "What is the name of the head of state of {s}?"),
        "country",
        "person",
    ),
    (
        "{s} is affiliated with the religion of {v}",
        ("Which religion is {s} affiliated with?", "What is the religion of {s}?"),
        "person",
        "religion",
    ),
    (
        "The university where {s} was educated is {v}",
        ("Which university was {s} educated at?", "Where was {s} educated?"),
        "person",
        "university",
    ),
    ("{s} is employed by {v}", ("Who employs {s}?", "Which company is {s} employed by?"), "person", "company"),
    (
        "The company that produced {s} is {v}",
        ("Which company produced {s}?", "What is the company that produced {s}?"),
        "product",
        "company",
    ),
    ("{s} was founded by {v}", ("Who founded {s}?", "Who was {s} founded by?"), "company", "person"),
    ("The head coach of {s} is {v}", ("Who is the head coach of {s}?", "Who coaches {s}?"), "team", "person"),
    ("{s} worked in the city of {v}", ("In which city did {s} work?", "Where did {s} work?"), "person", "city"),
    (
        "The original broadcaster of {s} is {v}",
        ("Who is the original broadcaster of {s}?", "Which company originally broadcast {s}?"),
        "work",
        "company",
    ),
    (
        "{s} was created in the country of {v}",
        ("In which country was {s} created?", "Which country was {s} created in?"),
        "product",
        "country",
    ),
    ("The chairperson of {s} is {v}", ("Who is the chairperson of {s}?", "Who chairs {s}?"), "company", "person"),
    ("The anthem of {s} is {v}", ("What is the anthem of {s}?", "Which song is the anthem of {s}?"), "country", "work"),
    ("The genre of {s} is {v}", ("What is the genre of {s}?", "Which genre does {s} belong to?"), "work", "genre"),
    ("{s} is owned by {v}", ("Who owns {s}?", "Who is the owner of {s}?"), "team", "person"),
    (
        "The home ground of {s} is in {v}",
        ("Where is the home ground of {s}?", "In which city is the home ground of {s}?"),
        "team",
        "city",
    ),
    (
        "The currency of {s} is the {v}",
        ("What is the currency of {s}?", "Which currency is used in {s}?"),
        "country",
        "currency",
    ),
    ("{s} is named after {v}", ("Who is {s} named after?", "After whom is {s} named?"), "product", "person"),
)
RELATIONS = (
    *(Relation("open", *relation) for relation in _OPEN),
    *(Relation("held out", *relation) for relation in _HELD_OUT),
)


def _words(line: str) -> list[str]:
    return line.split()


_FIRST = _words(
    "Anna Boris Clara Diego Elena Farid Greta Hugo Ingrid Jonas Karin Louis Marta Nils Olga Pavel Rosa "
    "Stefan Tilda Ulrich Vera Wanda Xavier Yusuf Zoe Amir Bianca Cyril Doris Emil Fatima Gustav Hanna "
    "Igor Jelena Kamal Linnea"
)
_LAST = _words(
    "Abbot Becker Castillo Dvorak Eriksen Fontaine Grady Holm Ivanov Jansen Keller Lindgren Moreau Novak "
    "Okafor Petrov Quist Rahman Salazar Tanaka Ulman Vasquez Weber Xu Yilmaz Zeman Ashby Brandt Cortez "
    "Duval Engel Faro Gruber Haas"
)
_COLOURS = _words(
    "Silent Broken Golden Hidden Crimson Distant Frozen Hollow Burning Second Velvet Northern Restless "
    "Paper Copper Stolen Bitter Marble Wandering Amber"
)
_NOUNS = _words(
    "River Garden Mirror Tower Island Letter Harbour Station Winter Orchard Lantern Bridge Meadow Compass "
    "Anthem Canal Kingdom Shadow Voyage Sparrow"
)
_LISTS: Mapping[str, Sequence[str]] = {
    "position": ("goalkeeper", "midfielder", "centre back", "shortstop", "point guard", "wide receiver", "striker"),
    "language": ("French", "Swahili", "Mandarin", "Polish", "Hindi", "Catalan", "Old Norse", "Danish", "Turkish"),
    "genre": ("jazz", "chamber pop", "folk rock", "blues", "opera", "reggae", "ambient music", "swing"),
    "field": ("physics", "marine biology", "economics", "law", "civil engineering", "linguistics", "botany"),
    "continent": ("Africa", "Asia", "Europe", "South America", "Oceania", "North America", "Antarctica"),
    "sport": ("cricket", "ice hockey", "rugby union", "chess", "association football", "sailing", "judo"),
    "religion": ("Buddhism", "Islam", "the Catholic Church", "Judaism", "Shinto", "Hinduism", "Methodism"),
    "currency": ("krone", "peso", "dinar", "franc", "rupee", "lira", "Swiss franc", "zloty"),
    "animal": ("Rufus the fox", "a golden eagle", "Benny the bear", "a mountain goat", "an owl", "a tiger"),
}
_STEMS = _words("Bel Cor Dal Est Fen Gar Hol Kar Lor Mar Nor Ost Per Ros Sal Tor Val Wes")
_LAND_ENDS = ("ania", "ovia", "land")
_CITY_ENDS = ("burg", "ford", "ville", "stad", "mouth")


def _pair(one: Sequence[str], other: Sequence[str], form: str) -> Callable[[Random], str]:
    return lambda generator: form.format(generator.choice(one), generator.choice(other))


_THINGS: Mapping[str, Callable[[Random], str]] = {
    "person": _pair(_FIRST, _LAST, "{} {}"),
    "work": _pair(_COLOURS, _NOUNS, "The {} {}"),
    "company": _pair(_LAST, ("Motors", "Records", "Systems", "Foods", "& Sons", "Airlines"), "{} {}"),
    "team": _pair(_STEMS, ("Rovers", "United", "Hawks", "Athletic"), "{}mouth {}"),
    "product": _pair(_COLOURS, ("Phone", "Engine", "Browser", "Camera", "Coupe"), "{} {}"),
    "country": _pair(_STEMS, _LAND_ENDS, "{}{}"),
    "city": _pair(_STEMS, _CITY_ENDS, "{}{}"),
    "university": _pair(_STEMS, _CITY_ENDS, "University of {}{}"),
}


def thing(sort: str, generator: Random) -> str:
    """Returns the name of a thing of a sort."""
    return generator.choice(_LISTS[sort]) if sort in _LISTS else _THINGS[sort](generator)
