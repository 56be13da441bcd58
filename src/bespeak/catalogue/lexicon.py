"""Words: how texts are cut into them, and which words are a typo away from another."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from functools import cache

MIN_TYPO_LENGTH = 4
MIN_TWO_TYPOS_LENGTH = 8
MAX_WORD = 40
MIN_HEAD_LENGTH = 4
MIN_MODIFIER_LENGTH = 2

MARK = "\x00"
"""Stands between a language and a word of a text in it; no word holds it."""
_LOST_PAIRS = 6
"""Two typos change at most so many pairs of neighbouring letters: a swap changes three."""

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17dc-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff"
    r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, kana and Han."""
_SIGNS = "".join(sign for sign in map(chr, range(0x0900, 0x1CFF)) if unicodedata.category(sign) in ("Mn", "Mc"))
"""What stands on or beside a letter of the scripts of South and East Asia is part of its word."""
_WORD = re.compile(f"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\\W_]|[{_SIGNS}])+")
_HYPHENS = "-\u2010"
"""NFKC makes the hyphen that does not break one of these."""
_HYPHENED = re.compile(f"[^\\W_]+(?:[{_HYPHENS}][^\\W_]+)+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_JOINERS = str.maketrans(dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff")))
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})


def words(text: str, *, is_indexed: bool = False) -> list[str]:
    """The words of a text, casefolded, without diacritics, cut at `MAX_WORD` characters.

    Where a script puts no spaces between words, any two neighbouring letters are one: no dictionary is needed, and what
    stands within a longer run is found (overlapping bigrams: Nie, Gao, Zhang and Zhou, "On the use of words and n-grams
    for Chinese information retrieval", 2000).

    Args:
        text: of an item, or a query.
        is_indexed: of an item: the last letter of such a run is a word too, so that every single letter can be found,
            as the begin of one; and what hyphens connect is also one word, as some people write it.

    Example:
        >>> words("Crème brûlée, STRASSE & Straße-7")
        ['creme', 'brulee', 'strasse', 'strasse', '7']
        >>> words("无线耳机 X5"), words("耳机", is_indexed=True)
        (['无线', '线耳', '耳机', 'x5'], ['耳机', '机'])
        >>> words("E-Bike 2024-11-23", is_indexed=True)
        ['e', 'bike', '2024', '11', '23', 'ebike']
    """
    folded = text.casefold()
    if not folded.isascii():
        folded = "".join(map(_plain, unicodedata.normalize("NFKC", folded).translate(_JOINERS)))
    found: list[str] = []
    for word in _WORD.findall(folded):
        found += _pairs_of_run(word, is_indexed) if is_unspaced(word) else [word[:MAX_WORD]]
    if is_indexed and any(hyphen in folded for hyphen in _HYPHENS):
        joined = ("".join(_WORD.findall(run)) for run in _HYPHENED.findall(folded))
        found += [word for word in joined if len(word) <= MAX_WORD and not word.isdigit() and not is_unspaced(word)]
    return found


def is_unspaced(word: str) -> bool:
    """Whether a word is of a script without spaces."""
    return _IS_UNSPACED.match(word) is not None


def _pairs_of_run(run: str, is_indexed: bool) -> list[str]:
    if len(run) == 1:
        return [run]
    pairs = [run[place : place + 2] for place in range(len(run) - 1)]
    return [*pairs, run[-1]] if is_indexed else pairs


@cache
def _plain(letter: str) -> str:
    """A letter without its diacritics; Hangul in its parts, so that a syllable may be unfinished.

    In the scripts of South and East Asia a sign makes another letter of one, so there all of it stays.
    """
    parts = unicodedata.normalize("NFD", letter)
    if parts[0] < "\u0900":
        return "".join(part for part in parts if not unicodedata.combining(part)).translate(_PLAIN)
    return parts if "\uac00" <= letter <= "\ud7a3" else letter


def language_of(locale: str) -> str:
    """The language of a locale.

    Example:
        >>> language_of("de-AT"), language_of("pt_BR"), language_of("")
        ('de', 'pt', '')
    """
    return locale.replace("_", "-").partition("-")[0].casefold()


class Lexicon:
    """All words that were ever indexed, each with a code that never changes. It only grows, so snapshots share one.

    A word of a text in a language is held with that language before it, so that the same letters are two words in two
    languages.

    Attributes:
        words: code -> word.
        code_of: word -> code.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.code_of: dict[str, int] = {}
        self._forms: dict[str, list[int]] = defaultdict(list)
        self._pairs: dict[str, list[int]] = defaultdict(list)
        self._ends: dict[str, list[int]] = defaultdict(list)
        self._n_formed = 0

    def code(self, word: str) -> int:
        """The code of a word, a new one for a new word."""
        found = self.code_of.get(word)
        if found is None:
            self.words.append(word)
            found = self.code_of[word] = len(self.words) - 1
        return found

    def prepare(self) -> None:
        """Brings the tables for typos and compounds up to date, so that no query pays for it."""
        while self._n_formed < len(self.words):
            code, self._n_formed = self._n_formed, self._n_formed + 1
            language, mark, word = parted(self.words[code])
            if has_digit(word):
                continue
            if len(word) >= MIN_TYPO_LENGTH - 1:
                for form in _deletions(word):
                    self._forms[f"{language}{mark}{form}"].append(code)
            if len(word) >= MIN_HEAD_LENGTH + MIN_MODIFIER_LENGTH:
                self._ends[f"{language}{mark}{word[-MIN_HEAD_LENGTH:]}"].append(code)
            if len(word) >= MIN_TWO_TYPOS_LENGTH - 2:
                for pair in _pairs(word):
                    self._pairs[f"{language}{mark}{pair}"].append(code)

    def near(self, word: str) -> list[int]:
        """The codes of the words of the same language that are one typo away."""
        language, mark, plain = parted(word)
        near: set[int] = set()
        for form in (plain, *_deletions(plain)):
            held = f"{language}{mark}{form}"
            near.update(self._forms.get(held, ()))
            code_of_form = self.code_of.get(held)
            if code_of_form is not None:
                near.add(code_of_form)
        return sorted(code for code in near if is_one_typo(plain, parted(self.words[code])[2]))

    def compounds(self, word: str) -> list[int]:
        """The codes of the words of the same language that end with this one, as German compounds do."""
        language, mark, plain = parted(word)
        least = len(plain) + MIN_MODIFIER_LENGTH
        held = (
            self._ends.get(f"{language}{mark}{plain[-MIN_HEAD_LENGTH:]}", ()) if len(plain) >= MIN_HEAD_LENGTH else ()
        )
        return [code for code in held if (text := self.words[code]).endswith(plain) and len(parted(text)[2]) >= least]

    def farther(self, word: str) -> list[int]:
        """The codes of the words of the same language that are at most two typos away."""
        language, mark, plain = parted(word)
        pairs = _pairs(plain)
        shared = Counter(code for pair in pairs for code in self._pairs.get(f"{language}{mark}{pair}", ()))
        enough = len(pairs) - _LOST_PAIRS
        found = [code for code, n in shared.items() if n >= enough]
        return sorted(code for code in found if n_typos(plain, parted(self.words[code])[2], 2) <= 2)


def is_one_typo(first: str, second: str) -> bool:
    """Whether two different words are one insertion, deletion, substitution or swap of neighbours apart.

    Example:
        >>> is_one_typo("laptop", "latpop"), is_one_typo("lamp", "lamps"), is_one_typo("lamp", "lump")
        (True, True, True)
        >>> is_one_typo("from", "form"), is_one_typo("same", "same")
        (True, False)
    """
    if len(first) > len(second):
        first, second = second, first
    if len(second) - len(first) > 1 or first == second:
        return False
    start = 0
    while start < len(first) and first[start] == second[start]:
        start += 1
    if len(first) < len(second):
        return first[start:] == second[start + 1 :]
    is_swap = first[start : start + 2] == second[start : start + 2][::-1] and first[start + 2 :] == second[start + 2 :]
    return is_swap or first[start + 1 :] == second[start + 1 :]


def n_typos(first: str, second: str, limit: int) -> int:
    """How many insertions, deletions, substitutions and swaps of neighbours lie between two words; limit + 1 for more.

    The optimal string alignment distance: no letter takes part in two of them.

    Example:
        >>> n_typos("headphones", "haedphonse", 2), n_typos("keyboard", "keybord", 2), n_typos("keyboard", "piano", 2)
        (2, 1, 3)
    """
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(second) + 1))
    for place, letter in enumerate(first, 1):
        now = [place]
        for other, wanted in enumerate(second, 1):
            cost = min(row[other] + 1, now[-1] + 1, row[other - 1] + (letter != wanted))
            if before and other > 1 and letter == second[other - 2] and first[place - 2] == wanted:
                cost = min(cost, before[other - 2] + 1)
            now.append(cost)
        if min(now) > limit and min(row) > limit:
            return limit + 1
        before, row = row, now
    return min(row[-1], limit + 1)


def parted(word: str) -> tuple[str, str, str]:
    """(language, mark, plain word) of a word of the lexicon."""
    language, mark, plain = word.partition(MARK)
    return (language, mark, plain) if mark else ("", "", word)


def has_digit(word: str) -> bool:
    """Whether a word holds a digit; then it has no typos."""
    return any(letter.isdigit() for letter in word)


def _deletions(word: str) -> set[str]:
    return {word[:position] + word[position + 1 :] for position in range(len(word))}


def _pairs(word: str) -> set[str]:
    """The pairs of neighbouring letters, the begin and the end of the word being letters too."""
    closed = f"^{word}$"
    return {closed[place : place + 2] for place in range(len(closed) - 1)}
