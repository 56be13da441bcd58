"""Search over the texts of items: an inverted index with BM25 weights.

A word matches exactly; the last word of a query also as a prefix (people are still typing); a word that the catalogue
does not know matches words one typo away (one letter more, less, other, or two neighbours swapped). Words are
casefolded and lose their diacritics, so that "Ä" finds "a" and "STRASSE" finds "Straße".

    score(item, query) = coverage * sum over query words of max over matching words of likeness * idf * impact

where `impact` is BM25's saturated frequency (k1 = 1.2, b = 0.75) of the word in the item, a word in the title counting
as several; `likeness` is 1 for an exact match, less for a prefix or a typo; `coverage` is the share of the query's
words that the item matches.

Source: Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond, equation 3.16 (BM25F in
its simple form: frequencies are weighted by field before they saturate).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.columns import texts_of
from bespeak.signals.items import Item

Int32s: TypeAlias = npt.NDArray[np.int32]
Float32s: TypeAlias = npt.NDArray[np.float32]

K1 = 1.2
B = 0.75
TITLE_WEIGHT = 4.0
ATTRIBUTE_WEIGHT = 2.0
DESCRIPTION_WEIGHT = 1.0
PREFIX_LIKENESS = 0.7
TYPO_LIKENESS = 0.5
MIN_PREFIX = 2
MIN_TYPO_LENGTH = 4
MAX_PREFIX_WORDS = 64
MAX_QUERY_WORDS = 16
MAX_WORD = 40

_WORD = re.compile(r"[^\W_]+")
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})


def words(text: str) -> list[str]:
    """The words of a text, casefolded, without diacritics, cut at `MAX_WORD` characters.

    Example:
        >>> words("Crème brûlée, STRASSE & Straße-7")
        ['creme', 'brulee', 'strasse', 'strasse', '7']
    """
    folded = text.casefold()
    if not folded.isascii():
        letters = unicodedata.normalize("NFKD", folded)
        folded = "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(_PLAIN)
    return [word[:MAX_WORD] for word in _WORD.findall(folded)]


@dataclass(frozen=True, eq=False)
class TextIndex:
    """An inverted index of one catalogue snapshot.

    Attributes:
        n_items: how many items it covers.
        vocabulary: all words, sorted.
        starts: int64[len(vocabulary) + 1]: the postings of word w are `starts[w]` to `starts[w + 1]`.
        rows: int32, the items of each posting, ascending within a word.
        impacts: float32, idf times saturated frequency of each posting.
    """

    n_items: int
    vocabulary: Sequence[str]
    starts: npt.NDArray[np.int64]
    rows: Int32s
    impacts: Float32s
    _word_of: Mapping[str, int]

    @classmethod
    def build(cls, items: Sequence[Item]) -> TextIndex:
        """Indexes title, description, texts in every locale, and all text attributes."""
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        lengths = np.zeros(len(items))
        cache: dict[str, tuple[str, ...]] = {}
        for row, item in enumerate(items):
            frequency: dict[str, float] = {}
            for text, weight in _fields(item):
                found = cache.get(text)
                if found is None:
                    found = cache[text] = tuple(words(text))
                for word in found:
                    frequency[word] = frequency.get(word, 0.0) + weight
            lengths[row] = sum(frequency.values())
            for word, count in frequency.items():
                postings[word].append((row, count))
        vocabulary = sorted(postings)
        sizes = np.array([len(postings[word]) for word in vocabulary], np.int64)
        flat = [entry for word in vocabulary for entry in postings[word]]
        rows = np.fromiter((row for row, _ in flat), np.int32, len(flat))
        counts = np.fromiter((count for _, count in flat), np.float64, len(flat))
        typical = float(lengths.mean()) if len(items) else 1.0
        norm = K1 * (1 - B + B * lengths[rows] / (typical or 1.0))
        idf = np.log1p((len(items) - sizes + 0.5) / (sizes + 0.5))
        impacts = np.repeat(idf, sizes) * counts * (K1 + 1) / (counts + norm)
        return cls(
            n_items=len(items),
            vocabulary=vocabulary,
            starts=np.r_[0, np.cumsum(sizes)].astype(np.int64),
            rows=rows,
            impacts=impacts.astype(np.float32),
            _word_of={word: code for code, word in enumerate(vocabulary)},
        )

    def search(self, query: str, k: int) -> tuple[Int32s, Float32s]:
        """The k best items for a query: (index int32[m], score float32[m]), best first, m <= k; ties by lower index."""
        scores = self.scores(query)
        found = np.flatnonzero(scores)
        if len(found) > k > 0:
            edge = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= edge]
        order = np.argsort(-scores[found], kind="stable")[:k]
        return found[order].astype(np.int32), scores[found[order]]

    def scores(self, query: str) -> Float32s:
        """float32[n_items]: every item's score for a query; 0 where no word matches."""
        asked = list(dict.fromkeys(words(query)))[:MAX_QUERY_WORDS]
        total = np.zeros(self.n_items, np.float32)
        matched = np.zeros(self.n_items, np.float32)
        for position, word in enumerate(asked):
            best = self._word_scores(word, may_go_on=position == len(asked) - 1)
            if best is not None:
                total += best
                matched += best > 0
        return total * (matched / np.float32(max(len(asked), 1)))

    def _word_scores(self, word: str, *, may_go_on: bool) -> Float32s | None:
        matches = self._matches(word, may_go_on=may_go_on)
        if not matches:
            return None
        best = np.zeros(self.n_items, np.float32)
        for code, likeness in matches:
            part = slice(self.starts[code], self.starts[code + 1])
            rows = self.rows[part]  # unique within a word, so plain indexing is enough
            best[rows] = np.maximum(best[rows], self.impacts[part] * np.float32(likeness))
        return best

    def _matches(self, word: str, *, may_go_on: bool) -> list[tuple[int, float]]:
        """(word code, likeness) of all the words that a query word stands for."""
        exact = self._word_of.get(word)
        found = [] if exact is None else [(exact, 1.0)]
        if may_go_on and len(word) >= MIN_PREFIX:
            start = bisect_left(self.vocabulary, word)
            end = bisect_left(self.vocabulary, word + "\U0010ffff", lo=start)
            longer = [code for code in range(start, end) if code != exact]
            if len(longer) > MAX_PREFIX_WORDS:  # the words with most items; the rest adds little to what is shown
                longer = sorted(longer, key=lambda code: int(self.starts[code] - self.starts[code + 1]))
            found += [(code, PREFIX_LIKENESS) for code in longer[:MAX_PREFIX_WORDS]]
        if not found and len(word) >= MIN_TYPO_LENGTH:
            found = [(code, TYPO_LIKENESS) for code in self._one_typo_away(word)]
        return found

    def _one_typo_away(self, word: str) -> list[int]:
        near: set[int] = set()
        for form in {word, *_deletions(word)}:
            near.update(self._deleted_forms.get(form, ()))
            code = self._word_of.get(form)
            if code is not None:
                near.add(code)
        return sorted(code for code in near if is_one_typo(word, self.vocabulary[code]))

    @cached_property
    def _deleted_forms(self) -> Mapping[str, Sequence[int]]:
        """Word with one letter left out -> the words it comes from; made when the first misspelt word is asked for."""
        forms: dict[str, list[int]] = defaultdict(list)
        for code, word in enumerate(self.vocabulary):
            if len(word) >= MIN_TYPO_LENGTH - 1:
                for form in _deletions(word):
                    forms[form].append(code)
        return forms


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


def _deletions(word: str) -> set[str]:
    return {word[:position] + word[position + 1 :] for position in range(len(word))}


def _fields(item: Item) -> Iterable[tuple[str, float]]:
    yield item.title or item.id, TITLE_WEIGHT
    yield item.description, DESCRIPTION_WEIGHT
    for value in item.attributes.values():
        for text in texts_of(value):
            yield text, ATTRIBUTE_WEIGHT
    for texts in item.texts.values():
        for name, text in texts.items():
            yield text, TITLE_WEIGHT if name == "title" else DESCRIPTION_WEIGHT
