"""Ranking figures against trec_eval, the measure of the field, on random lists."""

import numpy as np
import pytest
import pytrec_eval
from scipy.sparse import csr_array

from bespeak.learn.metrics import ranking_figures

N_PEOPLE, N_ITEMS = 200, 60


def drawn(seed: int, k: int):
    """Lists with empty places at the end, and between 1 and 15 right answers each."""
    rng = np.random.default_rng(seed)
    index = np.full((N_PEOPLE, k), -1, np.int32)
    wanted = np.zeros((N_PEOPLE, N_ITEMS), np.float32)
    for person in range(N_PEOPLE):
        n = rng.integers(0, k + 1)
        index[person, :n] = rng.permutation(N_ITEMS)[:n]
        wanted[person, rng.permutation(N_ITEMS)[: rng.integers(1, 16)]] = 1
    return index, csr_array(wanted)


def judged(index, truth, k: int):
    """Per person what trec_eval says; somebody without a list is not in its answer."""
    qrel = {
        str(p): {str(i): 1 for i in truth.indices[truth.indptr[p] : truth.indptr[p + 1]].tolist()}
        for p in range(N_PEOPLE)
    }
    run = {
        str(p): {str(item): float(k - place) for place, item in enumerate(row) if item >= 0}
        for p, row in enumerate(index.tolist())
    }
    measures = {f"ndcg_cut.{k}", f"map_cut.{k}", f"recall.{k}", f"success.{k}", "recip_rank"}
    return pytrec_eval.RelevanceEvaluator(qrel, measures).evaluate(run)


@pytest.mark.parametrize("k", [1, 5, 10, 30])
@pytest.mark.parametrize("seed", [0, 1])
def test_our_figures_are_those_of_trec_eval(seed, k):
    index, truth = drawn(seed, k)
    ours, theirs = ranking_figures(index, truth), judged(index, truth, k)
    n_right = np.diff(truth.indptr)
    assert sum(person["recip_rank"] > 0 for person in theirs.values()) > 10
    for p in range(N_PEOPLE):
        said = theirs.get(str(p), {})
        assert ours.ndcg[p] == pytest.approx(said.get(f"ndcg_cut_{k}", 0)), p
        assert ours.recall[p] == pytest.approx(said.get(f"recall_{k}", 0)), p
        assert ours.hit[p] == pytest.approx(said.get(f"success_{k}", 0)), p
        assert ours.mrr[p] == pytest.approx(said.get("recip_rank", 0)), p
        # trec_eval divides by all right answers, we by as many as the list could hold: the only difference
        assert ours.map[p] * min(n_right[p], k) / n_right[p] == pytest.approx(said.get(f"map_cut_{k}", 0)), p
