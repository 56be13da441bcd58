"""Search over the texts of items: an inverted index with BM25 weights.

A word matches exactly; the last word of a query also as a prefix (people are still typing). Two neighbouring words also
match the one word that they make together ("Wasser Kocher", "water bottle"), and what an item writes with hyphens is
found without. A word of four letters or more that the catalogue does not know matches the words that end with it, as a
German compound ends with what it names ("Kocher" finds "Wasserkocher"). Where there is none, it matches words one typo
away (one letter more, less, other, or two neighbours swapped), one of eight or more, where that finds none, words two
typos away. Numbers match exactly: who looks for a size 42 does not want 43, and a model name with a digit has no typos.
Words are casefolded and lose their diacritics, so that "Ä" finds "a" and "STRASSE" finds "Straße"; in scripts without
spaces any two neighbouring letters are a word. Texts in a language are found by queries in it, or in none.

    score(item, query) = coverage * sum over query words of max over matching words of likeness * idf * impact

where `impact` is BM25's saturated frequency (k1 = 1.2, b = 0.75) of the word in the item, a word in the title counting
as several; `likeness` is 1 for an exact match, less for a prefix or a typo; `coverage` is the share of the query's
words that the item matches.

Source: Robertson and Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond, equation 3.16 (BM25F in
its simple form: frequencies are weighted by field before they saturate).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.columns import texts_of
from bespeak.catalogue.lexicon import (
    MARK,
    MIN_TWO_TYPOS_LENGTH,
    MIN_TYPO_LENGTH,
    Lexicon,
    has_digit,
    is_unspaced,
    language_of,
    parted,
    words,
)
from bespeak.signals.items import Item

Int32s: TypeAlias = npt.NDArray[np.int32]
Float32s: TypeAlias = npt.NDArray[np.float32]

K1 = 1.2
B = 0.75
TITLE_WEIGHT = 4.0
ATTRIBUTE_WEIGHT = 2.0
DESCRIPTION_WEIGHT = 1.0
PREFIX_LIKENESS = 0.7
COMPOUND_LIKENESS = 0.6
TYPO_LIKENESS = 0.5
TWO_TYPOS_LIKENESS = 0.3
MIN_PREFIX = 2
MAX_PREFIX_WORDS = 64
MAX_QUERY_WORDS = 16
MAX_UNUSED = 3
"""A lexicon that knows so many times the words in use is begun anew."""


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
        languages: those that some texts are in; "" for texts in no stated language.
    """

    documents: Sequence[Document]
    lexicon: Lexicon
    starts: npt.NDArray[np.int64]
    rows: Int32s
    impacts: Float32s
    ordered: Sequence[str]
    languages: tuple[str, ...]

    @classmethod
    def build(cls, items: Sequence[Item], previous: TextIndex | None = None) -> TextIndex:
        """Indexes title, description, texts in every locale, and all text attributes.

        Args:
            items: in catalogue order.
            previous: an index whose words are taken over for the items that are the same records there.
        """
        if previous is not None and len(previous.lexicon.words) > MAX_UNUSED * max(len(previous.ordered), 1_000):
            previous = None  # most of its words are those of items that are gone
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
        lexicon.prepare()
        ordered = sorted(lexicon.words[code] for code in np.flatnonzero(n_items_of).tolist())
        return cls(
            documents=documents,
            lexicon=lexicon,
            starts=np.r_[0, np.cumsum(n_items_of)].astype(np.int64),
            rows=rows,
            impacts=impacts.astype(np.float32),
            ordered=ordered,
            languages=tuple(sorted({"", *(parted(word)[0] for word in ordered)})),
        )

    @property
    def n_items(self) -> int:
        """How many items it covers."""
        return len(self.documents)

    def search(self, query: str, k: int, locale: str = "") -> tuple[Int32s, Float32s]:
        """The k best items for a query: (index int32[m], score float32[m]), best first, m <= k; ties by lower index."""
        scores = self.scores(query, locale)
        found = np.flatnonzero(scores)
        if len(found) > k > 0:
            edge = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= edge]
        order = np.argsort(-scores[found], kind="stable")[:k]
        return found[order].astype(np.int32), scores[found[order]]

    def scores(self, query: str, locale: str = "") -> Float32s:
        """float32[n_items]: every item's score for a query; 0 where no word matches.

        Args:
            query: what is looked for; words beyond the first `MAX_QUERY_WORDS` distinct ones do not count.
            locale: texts in other languages are left out; "" looks in all.
        """
        asked = list(dict.fromkeys(words(query)))[:MAX_QUERY_WORDS]
        wanted = ("", language_of(locale)) if locale else self.languages
        prefixes = [f"{language}{MARK}" if language else "" for language in wanted]
        total = np.zeros(self.n_items, np.float32)
        matched = np.zeros(self.n_items, np.float32)
        matches = [
            self._matches(word, prefixes, may_go_on=position == len(asked) - 1) for position, word in enumerate(asked)
        ]
        for position, (first, second) in enumerate(pairwise(asked)):
            joined = self._known(first + second, prefixes, may_go_on=position == len(asked) - 2)
            matches[position] += joined
            matches[position + 1] += joined
        for found in matches:
            best = self._word_scores(found)
            if best is not None:
                total += best
                matched += best > 0
        return total * (matched / np.float32(max(len(asked), 1)))

    def _word_scores(self, matches: Sequence[tuple[int, float]]) -> Float32s | None:
        """float32[n_items]: what the best of some words adds to every item; None for no words."""
        if not matches:
            return None
        best = np.zeros(self.n_items, np.float32)
        for code, likeness in matches:
            part = slice(self.starts[code], self.starts[code + 1])
            rows = self.rows[part]  # unique within a word, so plain indexing is enough
            best[rows] = np.maximum(best[rows], self.impacts[part] * np.float32(likeness))
        return best

    def _matches(self, word: str, prefixes: Sequence[str], *, may_go_on: bool) -> list[tuple[int, float]]:
        """(word code, likeness) of all the words that a query word stands for, in any of the languages."""
        found = self._known(word, prefixes, may_go_on=may_go_on)
        if len(word) < MIN_TYPO_LENGTH or has_digit(word) or any(likeness == 1.0 for _, likeness in found):
            return found
        for prefix in prefixes:
            whole = self.lexicon.compounds(prefix + word)
            found += [(code, COMPOUND_LIKENESS) for code in whole if self._is_used(code)]
        if found:
            return found
        for prefix in prefixes:
            found += [(code, TYPO_LIKENESS) for code in self.lexicon.near(prefix + word) if self._is_used(code)]
        if found or len(word) < MIN_TWO_TYPOS_LENGTH:
            return found
        for prefix in prefixes:
            found += [(code, TWO_TYPOS_LIKENESS) for code in self.lexicon.farther(prefix + word) if self._is_used(code)]
        return found

    def _known(self, word: str, prefixes: Sequence[str], *, may_go_on: bool) -> list[tuple[int, float]]:
        """(word code, likeness) of the word itself and, where it may go on, of those that begin with it."""
        found: list[tuple[int, float]] = []
        goes_on = (may_go_on and len(word) >= MIN_PREFIX and not word.isdigit()) or is_unspaced(word)
        for prefix in prefixes:
            exact = self._code(prefix + word)
            found += [] if exact < 0 else [(exact, 1.0)]
            if goes_on:
                found += [(code, PREFIX_LIKENESS) for code in self._longer(prefix + word, exact)]
        return found

    def _longer(self, word: str, exact: int) -> list[int]:
        """The codes of the words that go on from here; of very many those with most items, the rest adds little."""
        start = bisect_left(self.ordered, word)
        end = bisect_left(self.ordered, word + "\U0010ffff", lo=start)
        longer = [code for text in self.ordered[start:end] if (code := self._code(text)) not in (exact, -1)]
        if len(longer) > MAX_PREFIX_WORDS:
            longer = sorted(longer, key=lambda code: int(self.starts[code] - self.starts[code + 1]))
        return longer[:MAX_PREFIX_WORDS]

    def _code(self, word: str) -> int:
        code = self.lexicon.code_of.get(word, -1)
        return code if code >= 0 and self._is_used(code) else -1

    def _is_used(self, code: int) -> bool:
        """Whether an item of this snapshot has the word; the lexicon also knows words of earlier and later ones."""
        return code + 1 < len(self.starts) and bool(self.starts[code + 1] > self.starts[code])


def _read(item: Item, lexicon: Lexicon, cache: dict[str, list[int]]) -> Document:
    frequency: dict[int, float] = {}
    for text, weight, language in _fields(item):
        prefix = f"{language}{MARK}" if language else ""
        codes = cache.get(prefix + text)
        if codes is None:
            codes = cache[prefix + text] = [lexicon.code(prefix + word) for word in words(text, is_indexed=True)]
        for code in codes:
            frequency[code] = frequency.get(code, 0.0) + weight
    return Document(item, np.array(list(frequency), np.int32), np.array(list(frequency.values()), np.float32))


def _fields(item: Item) -> Iterable[tuple[str, float, str]]:
    """(text, weight, language) of everything that is indexed."""
    yield item.title or item.id, TITLE_WEIGHT, ""
    yield item.description, DESCRIPTION_WEIGHT, ""
    for value in item.attributes.values():
        for text in texts_of(value):
            yield text, ATTRIBUTE_WEIGHT, ""
    for locale, texts in item.texts.items():
        for name, text in texts.items():
            yield text, TITLE_WEIGHT if name == "title" else DESCRIPTION_WEIGHT, language_of(locale)
