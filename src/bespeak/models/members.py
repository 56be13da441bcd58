"""The algorithms that stand alone: what a blend may be made of."""

from __future__ import annotations

from bespeak.models.attribute_factors import AttributeFactors
from bespeak.models.base import Model
from bespeak.models.content import Content
from bespeak.models.ease import Ease
from bespeak.models.graph_filter import GraphFilter
from bespeak.models.implicit_mf import ImplicitMf
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.personal_frequency import PersonalFrequency
from bespeak.models.popularity import Popularity
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
