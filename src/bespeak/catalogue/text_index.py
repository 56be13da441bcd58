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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


class Lexicon:
    """All words that were ever indexed, each with a code that never changes. It only grows, so snapshots share one.

    Attributes:
        words: code -> word.
        code_of: word -> code.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.code_of: dict[str, int] = {}
        self._forms: dict[str, list[int]] = defaultdict(list)
        self._n_formed = 0

    def code(self, word: str) -> int:
        """The code of a word, a new one for a new word."""
        found = self.code_of.get(word)
        if found is None:
            self.words.append(word)
            found = self.code_of[word] = len(self.words) - 1
        return found

    def near(self, word: str) -> list[int]:
        """The codes of the words that are one typo away. The look-up table grows when it is first asked."""
        while self._n_formed < len(self.words):
            code, self._n_formed = self._n_formed, self._n_formed + 1
            if len(self.words[code]) >= MIN_TYPO_LENGTH - 1:
                for form in _deletions(self.words[code]):
                    self._forms[form].append(code)
        near: set[int] = set()
        for form in (word, *_deletions(word)):
            near.update(self._forms.get(form, ()))
            code_of_form = self.code_of.get(form)
            if code_of_form is not None:
                near.add(code_of_form)
        return sorted(code for code in near if is_one_typo(word, self.words[code]))


@dataclass(frozen=True, eq=False)
class Document:
    """The words of one item: codes int32 and their frequencies weighted by field, float32."""

    item: Item
    codes: Int32s
    counts: Float32s


@dataclass(frozen=True, eq=False)
class TextIndex:
    """An inverted index of one catalogue snapshot.

    Attributes:
        documents: the words of every item, in catalogue order; items that stay are not read again.
        lexicon: the words.
        starts: int64[len(lexicon.words) at that time + 1]: the postings of word w are `starts[w]` to `starts[w + 1]`.
        rows: int32, the items of each posting, ascending within a word.
        impacts: float32, idf times saturated frequency of each posting.
        ordered: the words in use, sorted, for prefixes.
    """

    documents: Sequence[Document]
    lexicon: Lexicon
    starts: npt.NDArray[np.int64]
    rows: Int32s
    impacts: Float32s
    ordered: Sequence[str]

    @classmethod
    def build(cls, items: Sequence[Item], previous: TextIndex | None = None) -> TextIndex:
        """Indexes title, description, texts in every locale, and all text attributes.

        Args:
            items: in catalogue order.
            previous: an index whose words are taken over for the items that are the same records there.
        """
        lexicon = previous.lexicon if previous is not None else Lexicon()
        held = {id(document.item): document for document in (previous.documents if previous is not None else ())}
        cache: dict[str, list[int]] = {}
        documents = [held.get(id(item)) or _read(item, lexicon, cache) for item in items]
        sizes = np.array([len(document.codes) for document in documents], np.int64)
        codes = np.concatenate([document.codes for document in documents]) if documents else np.zeros(0, np.int32)
        counts = np.concatenate([document.counts for document in documents]) if documents else np.zeros(0, np.float32)
        rows = np.repeat(np.arange(len(items), dtype=np.int32), sizes)
        lengths = np.bincount(rows, counts, minlength=len(items))
        typical = float(lengths.mean()) if len(items) else 1.0
        order = np.argsort(codes, kind="stable")
        codes, counts, rows = codes[order], counts[order], rows[order]
        n_words = len(lexicon.words)
        n_items_of = np.bincount(codes, minlength=n_words)
        norm = K1 * (1 - B + B * lengths[rows] / (typical or 1.0))
        idf = np.log1p((len(items) - n_items_of + 0.5) / (n_items_of + 0.5))
        impacts = idf[codes] * counts * (K1 + 1) / (counts + norm)
        return cls(
            documents=documents,
            lexicon=lexicon,
            starts=np.r_[0, np.cumsum(n_items_of)].astype(np.int64),
            rows=rows,
            impacts=impacts.astype(np.float32),
            ordered=sorted(lexicon.words[code] for code in np.flatnonzero(n_items_of).tolist()),
        )

    @property
    def n_items(self) -> int:
        """How many items it covers."""
        return len(self.documents)

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
        exact = self._code(word)
        found = [] if exact < 0 else [(exact, 1.0)]
        if may_go_on and len(word) >= MIN_PREFIX:
            start = bisect_left(self.ordered, word)
            end = bisect_left(self.ordered, word + "\U0010ffff", lo=start)
            longer = [code for text in self.ordered[start:end] if (code := self._code(text)) not in (exact, -1)]
            if len(longer) > MAX_PREFIX_WORDS:  # the words with most items; the rest adds little to what is shown
                longer = sorted(longer, key=lambda code: int(self.starts[code] - self.starts[code + 1]))
            found += [(code, PREFIX_LIKENESS) for code in longer[:MAX_PREFIX_WORDS]]
        if not found and len(word) >= MIN_TYPO_LENGTH:
            found = [(code, TYPO_LIKENESS) for code in self.lexicon.near(word) if self._is_used(code)]
        return found

    def _code(self, word: str) -> int:
        code = self.lexicon.code_of.get(word, -1)
        return code if code >= 0 and self._is_used(code) else -1

    def _is_used(self, code: int) -> bool:
        """Whether an item of this snapshot has the word; the lexicon also knows words of earlier and later ones."""
        return code + 1 < len(self.starts) and bool(self.starts[code + 1] > self.starts[code])


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


def _read(item: Item, lexicon: Lexicon, cache: dict[str, list[int]]) -> Document:
    frequency: dict[int, float] = {}
    for text, weight in _fields(item):
        codes = cache.get(text)
        if codes is None:
            codes = cache[text] = [lexicon.code(word) for word in words(text)]
        for code in codes:
            frequency[code] = frequency.get(code, 0.0) + weight
    return Document(item, np.array(list(frequency), np.int32), np.array(list(frequency.values()), np.float32))


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
