"""What the simulated shop sells: categories, kinds, invented brands, colours, words. Data, no code.

Every brand is invented. Text comes in pairs (English, German), so that a demo can show both.
"""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[str, str]
"""One text as (English, German)."""


@dataclass(frozen=True)
class Category:
    """One department of the shop.

    Attributes:
        key: the value of the item attribute `category`.
        label: how people call it.
        kinds: the things sold in it; the English one is also what people search for.
        brands: keys of `BRANDS`.
        prices: lowest and highest usual price in whole euros.
        features: half sentences for descriptions.
        tags: words an item may carry.
        consumable: bought again when used up.
        older: how much more people of 65 like it than people of 25 (in standard deviations of taste).
        feminine: how much more women like it than men (same unit).
        evening: how much better it does after 18 o'clock (a feature of the choice model).
    """

    key: str
    label: Pair
    kinds: tuple[Pair, ...]
    brands: tuple[str, ...]
    prices: tuple[int, int]
    features: tuple[Pair, ...]
    tags: tuple[str, ...]
    consumable: bool = False
    older: float = 0.0
    feminine: float = 0.0
    evening: float = 0.0


BRANDS: dict[str, float] = {
    "Aurelo": 1.35, "Basswerk": 1.0, "Tonality": 0.75, "Lumora": 1.4, "Pixelbird": 0.8, "Obskura": 1.15,
    "Casa Lina": 1.05, "Kupferhof": 1.3, "Pantry & Co": 0.8, "Rostwerk": 1.2, "Morgenrot": 0.95, "Black Heron": 1.1,
    "Norvik": 1.3, "Taiga Trail": 1.0, "Lightfoot": 0.8, "Stride Lab": 1.15, "Velante": 1.35, "Ringo Cycles": 0.85,
    "Lantern House": 1.0, "Inkwell": 0.9, "Quarto": 1.1, "Meeple Mill": 1.0, "Polygon Fox": 1.2, "Dicebox": 0.8,
    "Hygge Hus": 1.1, "Linden": 0.85, "Gartenfee": 0.9, "Rootwise": 1.1, "Botania": 1.2, "Petal Lab": 1.0,
}  # fmt: skip
"""Every brand with its price level: 1 is the category's middle."""

COLOURS: dict[str, tuple[str, str]] = {
    "black": ("schwarz", "#2b2d33"), "white": ("weiß", "#e9e6df"), "sand": ("sand", "#d8b98a"),
    "sage": ("salbei", "#8fae8b"), "forest": ("waldgrün", "#2f6b4f"), "navy": ("marine", "#27406b"),
    "sky": ("himmelblau", "#6fa8dc"), "coral": ("koralle", "#ef7b63"), "berry": ("beere", "#a33a63"),
    "sun": ("sonnengelb", "#f2bc3d"),
}  # fmt: skip
"""Every colour with its German name and the shade that artwork uses."""

MODELS: tuple[str, ...] = (
    "Alba", "Amber", "Atlas", "Aurora", "Birch", "Brio", "Cinder", "Cirrus", "Comet", "Delta", "Dune", "Echo",
    "Ember", "Fern", "Fjord", "Flint", "Gale", "Halo", "Harbor", "Heron", "Indigo", "Iris", "Juno", "Kestrel",
    "Kite", "Lark", "Lumen", "Lyra", "Maple", "Marlow", "Meadow", "Mica", "Nimbus", "Nova", "Onyx", "Orbit",
    "Otter", "Pico", "Quartz", "Rill", "Saga", "Sierra", "Solas", "Tern", "Terra", "Vega", "Vento", "Willow",
)  # fmt: skip
"""Names of product lines."""

CATEGORIES: tuple[Category, ...] = (
    Category(
        "audio", ("Audio", "Audio"),
        (("Over-Ear Headphones", "Kopfhörer"), ("Earbuds", "Ohrhörer"), ("Portable Speaker", "Lautsprecher"),
         ("Soundbar", "Soundbar"), ("Turntable", "Plattenspieler"), ("Kitchen Radio", "Küchenradio")),
        ("Aurelo", "Basswerk", "Tonality"), (29, 390),
        (("a warm, clear sound", "ein warmer, klarer Klang"), ("set up in two minutes", "in zwei Minuten eingerichtet"),
         ("made to be repaired", "gemacht zum Reparieren"), ("simple, solid controls", "einfache, solide Bedienung")),
        ("wireless", "bluetooth", "music", "travel"), older=-0.4, feminine=-0.3, evening=0.5,
    ),
    Category(
        "cameras", ("Cameras", "Kameras"),
        (("Compact Camera", "Kompaktkamera"), ("Instant Camera", "Sofortbildkamera"), ("Tripod", "Stativ"),
         ("Camera Bag", "Kameratasche"), ("Prime Lens", "Festbrennweite"), ("Photo Printer", "Fotodrucker")),
        ("Lumora", "Pixelbird", "Obskura"), (35, 720),
        (("made for travelling", "für Reisen gemacht"), ("shrugs off bad weather", "trotzt schlechtem Wetter"),
         ("light and sturdy", "leicht und stabil"), ("ready in seconds", "in Sekunden bereit")),
        ("photo", "travel", "creative", "gift"), older=0.3, feminine=-0.1,
    ),
    Category(
        "coffee", ("Coffee", "Kaffee"),
        (("Espresso Beans", "Espressobohnen"), ("Filter Coffee", "Filterkaffee"),
         ("Decaf Beans", "Bohnen ohne Koffein"),
         ("House Blend", "Hausmischung"), ("Cold Brew Pack", "Cold-Brew-Paket"), ("Tasting Set", "Probierset")),
        ("Rostwerk", "Morgenrot", "Black Heron"), (8, 42),
        (("notes of cocoa and hazelnut", "Noten von Kakao und Haselnuss"),
         ("roasted in small batches", "in kleinen Mengen geröstet"),
         ("fairly traded", "fair gehandelt"), ("mild and round", "mild und rund")),
        ("organic", "fairtrade", "morning", "gift"), consumable=True, older=0.2, evening=-0.8,
    ),
    Category(
        "kitchen", ("Kitchen", "Küche"),
        (("Chef's Knife", "Kochmesser"), ("Cast-Iron Pan", "Gusspfanne"), ("Stand Mixer", "Küchenmaschine"),
         ("Baking Tin Set", "Backformen-Set"), ("Kettle", "Wasserkocher"), ("Cutting Board", "Schneidebrett")),
        ("Kupferhof", "Casa Lina", "Pantry & Co"), (15, 320),
        (("lasts for decades", "hält Jahrzehnte"), ("easy to clean", "leicht zu reinigen"),
         ("made in small series", "in kleiner Serie gefertigt"), ("a pleasure to use", "eine Freude im Alltag")),
        ("cooking", "baking", "gift", "everyday"), older=0.4, feminine=0.4, evening=0.3,
    ),
    Category(
        "outdoor", ("Outdoor", "Outdoor"),
        (("Two-Person Tent", "Zweipersonenzelt"), ("Hiking Backpack", "Wanderrucksack"), ("Rain Jacket", "Regenjacke"),
         ("Sleeping Bag", "Schlafsack"), ("Headlamp", "Stirnlampe"), ("Camping Stove", "Campingkocher")),
        ("Norvik", "Taiga Trail", "Lightfoot"), (19, 420),
        (("stands a long downpour", "hält Dauerregen aus"), ("packs very small", "sehr kleines Packmaß"),
         ("light on long tours", "leicht auf langen Touren"), ("made to be repaired", "gemacht zum Reparieren")),
        ("hiking", "camping", "waterproof", "travel"), older=0.1, feminine=-0.2, evening=-0.4,
    ),
    Category(
        "running", ("Running", "Laufen"),
        (("Running Shoes", "Laufschuhe"), ("Trail Shoes", "Trailschuhe"), ("Running Vest", "Laufweste"),
         ("Sports Watch", "Sportuhr"), ("Tights", "Lauftights"), ("Water Flask", "Trinkflasche")),
        ("Stride Lab", "Norvik", "Lightfoot"), (12, 260),
        (("for 5 km and marathons", "für 5 km und Marathon"), ("reflective at night", "reflektiert bei Nacht"),
         ("hardly felt on the run", "beim Laufen kaum zu spüren"),
         ("tested on rainy mornings", "an Regentagen erprobt")),
        ("sport", "training", "lightweight", "marathon"), older=-0.6, feminine=0.1, evening=-0.6,
    ),
    Category(
        "cycling", ("Cycling", "Radfahren"),
        (("City Bike", "Stadtrad"), ("Bike Helmet", "Fahrradhelm"), ("Pannier", "Fahrradtasche"),
         ("Light Set", "Lichtset"), ("Folding Lock", "Faltschloss"), ("Bike Pump", "Luftpumpe")),
        ("Velante", "Ringo Cycles", "Taiga Trail"), (18, 690),
        (("for daily commutes", "für den täglichen Weg"), ("tested for safety", "auf Sicherheit geprüft"),
         ("for any weather", "für jedes Wetter"), ("ready in a minute", "in einer Minute startklar")),
        ("commuting", "sport", "city", "safety"), older=-0.1, feminine=-0.3, evening=-0.5,
    ),
    Category(
        "books", ("Books", "Bücher"),
        (("Crime Novel", "Kriminalroman"), ("Cookbook", "Kochbuch"), ("Travel Guide", "Reiseführer"),
         ("Picture Book", "Bilderbuch"), ("Short Stories", "Erzählungen"), ("Science Reader", "Sachbuch")),
        ("Lantern House", "Inkwell", "Quarto"), (9, 48),
        (("hard to put down", "kaum aus der Hand zu legen"),
         ("printed on recycled paper", "auf Recyclingpapier gedruckt"),
         ("in a fine linen binding", "in feinem Leinen gebunden"), ("a lovely gift", "ein schönes Geschenk")),
        ("reading", "gift", "evening", "learning"), older=0.5, feminine=0.3, evening=1.0,
    ),
    Category(
        "games", ("Games", "Spiele"),
        (("Strategy Game", "Strategiespiel"), ("Card Game", "Kartenspiel"), ("Party Game", "Partyspiel"),
         ("Jigsaw Puzzle", "Puzzle"), ("Children's Game", "Kinderspiel"), ("Dice Game", "Würfelspiel")),
        ("Meeple Mill", "Polygon Fox", "Dicebox"), (10, 79),
        (("explained in five minutes", "in fünf Minuten erklärt"),
         ("fun for the whole table", "Spaß für den ganzen Tisch"),
         ("different every time", "jedes Mal anders"), ("beautifully made", "schön gemacht")),
        ("family", "strategy", "evening", "gift"), older=-0.5, feminine=-0.1, evening=0.9,
    ),
    Category(
        "home", ("Home", "Wohnen"),
        (("Table Lamp", "Tischlampe"), ("Wool Blanket", "Wolldecke"), ("Cushion", "Kissen"),
         ("Wall Shelf", "Wandregal"), ("Scented Candle", "Duftkerze"), ("Rug", "Teppich")),
        ("Hygge Hus", "Linden", "Casa Lina"), (14, 280),
        (("brings calm to a room", "bringt Ruhe in den Raum"), ("made by hand", "von Hand gemacht"),
         ("in natural tones", "in natürlichen Tönen"), ("made to be kept", "gemacht, um zu bleiben")),
        ("cosy", "design", "natural", "gift"), older=0.1, feminine=0.6, evening=0.4,
    ),
    Category(
        "garden", ("Garden", "Garten"),
        (("Garden Shears", "Gartenschere"), ("Raised Bed", "Hochbeet"), ("Seed Box", "Saatgut-Box"),
         ("Watering Can", "Gießkanne"), ("Bird House", "Vogelhaus"), ("Plant Pot", "Pflanztopf")),
        ("Gartenfee", "Rootwise", "Botania"), (8, 190),
        (("kind to nature", "gut zur Natur"), ("lasts many summers", "hält viele Sommer"),
         ("for balcony and bed", "für Balkon und Beet"), ("made without plastic", "ohne Plastik gemacht")),
        ("balcony", "plants", "organic", "spring"), older=0.8, feminine=0.2, evening=-0.8,
    ),
    Category(
        "beauty", ("Beauty", "Pflege"),
        (("Face Cream", "Gesichtscreme"), ("Shampoo Bar", "Festes Shampoo"), ("Hand Balm", "Handbalsam"),
         ("Body Oil", "Körperöl"), ("Sun Lotion", "Sonnenmilch"), ("Beard Oil", "Bartöl")),
        ("Petal Lab", "Botania", "Morgenrot"), (7, 68),
        (("without perfume", "ohne Duftstoffe"), ("for sensitive skin", "für empfindliche Haut"),
         ("free of animal products", "frei von Tierischem"), ("in a pack you refill", "zum Nachfüllen")),
        ("organic", "vegan", "everyday", "gift"), consumable=True, older=-0.1, feminine=0.8, evening=0.2,
    ),
)  # fmt: skip
"""The departments, in the shop's order."""
