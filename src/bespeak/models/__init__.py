"""Models: arrays in, arrays out; one file per algorithm, each with its paper, formula and cost.

interactions   who did what with which item       popular/       what is liked, lately, by alike people, again
base           the contract of all models         neighbours/    what alike items and alike people tell
linear         scores that are sums               item_weights/  weights from item to item
content        alike texts and attributes         factors/       people and items as short vectors
blend          a weighted sum of a few            sequences/     what comes next
members        what a blend is made of            ratings/       what somebody would give an item
families       the algorithms by name             predictors/    what people will do: buy again, spend, leave
new_items      scores of items nobody has touched
topk           exact top-k with exclusion         vector_index   ... by faiss, for large catalogues
strength       from weights to strengths          attribute_terms  attributes as columns
artefact       a fitted model on disk             fitted         settings and arrays of any model
packing        strings and CSR as arrays          fits           what a fit needs, and leaves on its way
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bespeak.first_use import at_first_use

if TYPE_CHECKING:
    from bespeak.models.base import Explanation, Model, Ranking
    from bespeak.models.blend import Blend
    from bespeak.models.content import Content
    from bespeak.models.factors.attribute_factors import AttributeFactors
    from bespeak.models.factors.implicit_mf import ImplicitMf
    from bespeak.models.interactions import History, Interactions, ItemContent, PersonTraits
    from bespeak.models.item_weights.ease import Ease
    from bespeak.models.item_weights.graph_filter import GraphFilter
    from bespeak.models.item_weights.slist import Slist
    from bespeak.models.item_weights.sparse_inverse import SparseInverse
    from bespeak.models.neighbours.bought_together import BoughtTogether
    from bespeak.models.neighbours.item_neighbours import ItemNeighbours
    from bespeak.models.neighbours.tifu_knn import TifuKnn
    from bespeak.models.neighbours.user_neighbours import UserNeighbours
    from bespeak.models.popular.personal_frequency import PersonalFrequency
    from bespeak.models.popular.popularity import Popularity
    from bespeak.models.popular.recent_popularity import RecentPopularity
    from bespeak.models.popular.segment_popularity import SegmentPopularity
    from bespeak.models.popular.trending import Trending
    from bespeak.models.ratings.base import Predictions, RatingModel, Ratings, RatingScale
    from bespeak.models.ratings.biased_factorization import BiasedFactorization
    from bespeak.models.ratings.item_mean import ItemMean
    from bespeak.models.sequences.sequence_rules import SequenceRules
    from bespeak.models.sequences.session_links import SessionLinks
    from bespeak.models.sequences.transformer import Transformer

_HOME = {
    "AttributeFactors": "bespeak.models.factors.attribute_factors",
    "BiasedFactorization": "bespeak.models.ratings.biased_factorization",
    "Blend": "bespeak.models.blend",
    "BoughtTogether": "bespeak.models.neighbours.bought_together",
    "Content": "bespeak.models.content",
    "Ease": "bespeak.models.item_weights.ease",
    "Explanation": "bespeak.models.base",
    "GraphFilter": "bespeak.models.item_weights.graph_filter",
    "History": "bespeak.models.interactions",
    "ImplicitMf": "bespeak.models.factors.implicit_mf",
    "Interactions": "bespeak.models.interactions",
    "ItemContent": "bespeak.models.interactions",
    "ItemMean": "bespeak.models.ratings.item_mean",
    "ItemNeighbours": "bespeak.models.neighbours.item_neighbours",
    "Model": "bespeak.models.base",
    "PersonTraits": "bespeak.models.interactions",
    "PersonalFrequency": "bespeak.models.popular.personal_frequency",
    "Popularity": "bespeak.models.popular.popularity",
    "Predictions": "bespeak.models.ratings.base",
    "Ranking": "bespeak.models.base",
    "RatingModel": "bespeak.models.ratings.base",
    "RatingScale": "bespeak.models.ratings.base",
    "Ratings": "bespeak.models.ratings.base",
    "RecentPopularity": "bespeak.models.popular.recent_popularity",
    "SegmentPopularity": "bespeak.models.popular.segment_popularity",
    "SequenceRules": "bespeak.models.sequences.sequence_rules",
    "SessionLinks": "bespeak.models.sequences.session_links",
    "Slist": "bespeak.models.item_weights.slist",
    "SparseInverse": "bespeak.models.item_weights.sparse_inverse",
    "TifuKnn": "bespeak.models.neighbours.tifu_knn",
    "Transformer": "bespeak.models.sequences.transformer",
    "Trending": "bespeak.models.popular.trending",
    "UserNeighbours": "bespeak.models.neighbours.user_neighbours",
}
"""Public name -> its module, imported at first use: whoever needs one of them waits for no other."""

__all__ = [
    "AttributeFactors",
    "BiasedFactorization",
    "Blend",
    "BoughtTogether",
    "Content",
    "Ease",
    "Explanation",
    "GraphFilter",
    "History",
    "ImplicitMf",
    "Interactions",
    "ItemContent",
    "ItemMean",
    "ItemNeighbours",
    "Model",
    "PersonTraits",
    "PersonalFrequency",
    "Popularity",
    "Predictions",
    "Ranking",
    "RatingModel",
    "RatingScale",
    "Ratings",
    "RecentPopularity",
    "SegmentPopularity",
    "SequenceRules",
    "SessionLinks",
    "Slist",
    "SparseInverse",
    "TifuKnn",
    "Transformer",
    "Trending",
    "UserNeighbours",
]


__getattr__ = at_first_use(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
