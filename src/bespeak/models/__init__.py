"""Models: arrays in, arrays out; one file per algorithm, each with its paper, formula and cost.

interactions       who did what with which item     popularity          how many people like an item
base               the contract of all models       recent_popularity   ... lately
topk               exact top-k with exclusion       trending            what grows faster than it used to
strength           from weights to strengths        item_neighbours     items liked by the same people
linear             scores that are sums             user_neighbours     what similar people like
families           the algorithms by name           ease                closed-form item-item weights
artefact           a fitted model on disk           implicit_mf         people and items as short vectors
packing            strings and CSR as arrays        content             alike texts and attributes
members            what a blend is made of          sequence_rules      what people went on to
visits             logs cut into visits             session_links       what stands near in visits
                                                    personal_frequency  what a person comes back to
                                                    tifu_knn            ... and people of like habits
slist              what comes next, closed form        transformer         what comes next, by attention
attention          its layers in NumPy                 blend               a weighted sum of a few
attribute_terms    attributes as columns               attribute_factors   vectors that attributes foretell
                                                       segment_popularity  ... among people of one country, age
fitted             settings and arrays of any model    ratings             who rated what, and its contract
bilinear           one side of a rating given the      item_mean           what everybody gives an item
                   other                               biased_factorization  what one person would give it
bought_together    items bought by the same people
predictors         what people will do: buy again,
                   spend, leave, be moved
"""

from bespeak.models.attribute_factors import AttributeFactors
from bespeak.models.base import Explanation, Model, Ranking
from bespeak.models.biased_factorization import BiasedFactorization
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.ease import Ease
from bespeak.models.graph_filter import GraphFilter
from bespeak.models.implicit_mf import ImplicitMf
from bespeak.models.interactions import History, Interactions, ItemContent, PersonTraits
from bespeak.models.item_mean import ItemMean
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.personal_frequency import PersonalFrequency
from bespeak.models.popularity import Popularity
from bespeak.models.ratings import Predictions, RatingModel, Ratings, RatingScale
from bespeak.models.recent_popularity import RecentPopularity
from bespeak.models.segment_popularity import SegmentPopularity
from bespeak.models.sequence_rules import SequenceRules
from bespeak.models.session_links import SessionLinks
from bespeak.models.slist import Slist
from bespeak.models.sparse_inverse import SparseInverse
from bespeak.models.tifu_knn import TifuKnn
from bespeak.models.transformer import Transformer
from bespeak.models.trending import Trending
from bespeak.models.user_neighbours import UserNeighbours

__all__ = [
    "AttributeFactors",
    "BiasedFactorization",
    "Blend",
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
