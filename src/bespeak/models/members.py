"""The algorithms that stand alone: what a blend may be made of."""

from __future__ import annotations

from bespeak.models.base import Model
from bespeak.models.content import Content
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.ease import Ease
from bespeak.models.item_weights.graph_filter import GraphFilter
from bespeak.models.item_weights.slist import Slist
from bespeak.models.item_weights.sparse_inverse import SparseInverse
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.neighbours.tifu_knn import TifuKnn
from bespeak.models.neighbours.user_neighbours import UserNeighbours
from bespeak.models.popular.personal_frequency import PersonalFrequency
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity
from bespeak.models.popular.segment_popularity import SegmentPopularity
from bespeak.models.popular.trending import Trending
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.sequences.session_links import SessionLinks
from bespeak.models.sequences.transformer import Transformer

MEMBERS: dict[str, type[Model]] = {
    member.name: member
    for member in (
        Popularity,
        RecentPopularity,
        Trending,
        SegmentPopularity,
        ItemNeighbours,
        UserNeighbours,
        Ease,
        GraphFilter,
        SparseInverse,
        ImplicitMf,
        AttributeFactors,
        Content,
        SequenceRules,
        Slist,
        Transformer,
        SessionLinks,
        PersonalFrequency,
        TifuKnn,
    )
}
