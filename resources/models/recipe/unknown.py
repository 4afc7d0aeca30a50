"""Questions that are none of this model's business, and how it says so."""

import random

from .phrasing import dressed, expand

_SUBJECTS = (
    "quantum physics|gravity|photosynthesis|black holes|the French Revolution|the Roman Empire|the Second World War|"
    "democracy|inflation|the stock market|bitcoin|blockchain|taxes|DNA|"
    "evolution|vaccines|the human brain|cancer|vitamins|chess|football|tennis|basketball|golf|cricket|the Olympics|"
    "Shakespeare|Mozart|Picasso|Einstein|Napoleon|Cleopatra|Plato|Kant|"
    "opera|jazz|rock music|ballet|photography|poker|yoga|volcanoes|earthquakes|dinosaurs|whales|tigers|penguins|the "
    "moon landing|Mars|the sun|galaxies|electricity|magnetism|nuclear "
    "power|climate change|the weather|rainbows|the ocean|rivers|mountains|deserts|rice|pasta|sushi|coffee|tea|"
    "chocolate|cheese|bread|wine|cars|trains|planes|ships|bicycles|bridges|"
    "castles|pyramids|Buddhism|religion|love|happiness|money|insurance|marketing|psychology|chemistry|biology|"
    "algebra|geometry|calculus|statistics|JavaScript|Rust|Java|SQL|Docker|"
    "Kubernetes|databases|operating systems|compilers|robots|drones|batteries|solar panels|the iPhone|television|"
    "newspapers|the Beatles|Harry Potter|Star Wars|Hamlet|Batman"
).split("|")
_PEOPLE = (
    "the president of France",
    "the king of Spain",
    "Albert Einstein",
    "Elon Musk",
    "Taylor Swift",
    "Napoleon",
    "Marie Curie",
    "the pope",
    "Isaac Newton",
    "Leonardo da Vinci",
    "the queen",
    "Mozart",
    "Barack Obama",
    "Cleopatra",
    "Steve Jobs",
    "the chancellor of Germany",
)
_PLACES = (
    "London",
    "Paris",
    "New York",
    "Tokyo",
    "Berlin",
    "Rome",
    "Sydney",
    "Madrid",
    "Vienna",
    "Chicago",
    "my town",
    "Boston",
    "Zurich",
    "Dublin",
    "Prague",
)
_ABOUT_SUBJECT = (
    "what is {x}",
    "what is {x}",
    "what are {x}",
    "explain {x}( to me|)",
    "tell me (about|everything about|something about) {x}",
    "how does {x} work",
    "how do {x} work",
    "why is {x} (important|so popular|interesting)",
    "what do you know about {x}",
    "(write|give me) (an essay|a report|a text|an article|a summary|a speech) about {x}",
    "who invented {x}",
    "what is the history of {x}",
    "can you explain {x}",
    "what do you think (of|about) {x}",
    "(give me|list) (ten|five|some) facts about {x}",
    "how (old|big|dangerous|expensive) (is|are) {x}",
    "write (a poem|a song|a haiku) about {x}",
    "i want to learn {x}",
    "do you like {x}",
    "where can i (buy|find|learn) {x}",
    "summarise {x} for me",
    "when was {x} invented",
    "is {x} (good|bad|healthy|dangerous)",
    "what is the (best|worst) thing about {x}",
    "teach me {x}",
)
_OTHER = (
    "who is {p}",
    "who was {p}",
    "when was {p} born",
    "how old is {p}",
    "tell me about {p}",
    "where does {p} live",
    "what did {p} do",
    "what is the weather( like|) (in {c}|today|tomorrow|outside|in {c} today)",
    "will it rain (today|tomorrow|in {c})",
    "how (do|can) i get to {c}",
    "what time is it( in {c}|)",
    "what (day|date) is (it|it today|today)",
    "how many people live in {c}",
    "what can i (do|see|visit) in {c}",
    "book (a flight|a hotel|a train|a table) (to|in) {c}",
    "who won (the world cup|the election|the match|the game|the race)( yesterday| last year|)",
    "translate (this|hello|good morning|I love you|this sentence|my text) (to|into) (French|German|Spanish|Japanese|"
    "Chinese|Italian)",
    "how do you say (hello|thank you|good night) in (French|German|Spanish|Japanese)",
    "write (a letter|an email|a poem|a song|an application|a cover letter|my homework|a book)( to my boss| to my "
    "friend| for me|)",
    "write (a|some) (code|program|app|website|script) (in (C|Java|Rust|Go|JavaScript)|for me|that sorts a list|that "
    "reads a file)",
    "fix my (code|car|essay|grammar)",
    "what is the (price|cost) of (gold|a car|bitcoin|a house|oil|an iPhone)",
    "how much (is|costs|does it cost) (a car|a house|a ticket|an iPhone|gold)",
    "(give me|do you have) a recipe( for (soup|cake|pizza|bread|pasta)|)",
    "how (do|can) i (cook|bake|make) (soup|a cake|pizza|bread|pasta|rice|eggs)",
    "what should i (eat|wear|buy|read|watch|cook|study)( today| tonight|)",
    "(recommend|suggest) (a book|a film|a movie|a song|a restaurant|a game)",
    "what is the meaning of life",
    "is there a god",
    "what is the (news|latest news)",
    "what happened (today|yesterday|in 1990|last week)",
    "(play|sing) (a song|some music|me a song)",
    "(draw|paint|make|show me) (a picture|an image|a cat|a photo|a logo)",
    "(open|send|delete|read) (my mail|an email|a file|a message|this file|this website)",
    "search the (web|internet)( for cats| for me|)",
    "call (my mother|a taxi|the police|mum)",
    "i (have|feel) (a headache|sick|pain|fever|sad|lonely|tired|bored|hungry)",
    "am i (ill|pretty|smart|right)",
    "what is the square root of (144|2|9|50)",
    "what is (1234|350|999|87|456) (times|*|/|plus|+|divided by) (12|345|7|99|250)",
    "solve (this equation|x + 3 = 9|2x = 8|my homework|this puzzle)",
    "how (far|big|hot|old|tall|heavy) is (the moon|the sun|the earth|Mount Everest|the Eiffel Tower|the universe|an "
    "elephant|Mars)",
    "which (country|city|animal|planet|river) is the (biggest|largest|smallest|longest|fastest)",
    "what is the (biggest|largest|longest|highest|fastest) (country|city|animal|planet|river|mountain|car)( in the "
    "world|)",
    "should i (buy|sell) (stocks|a car|bitcoin|a house|gold)",
    "how do i (learn|play) (the guitar|the piano|chess|Spanish|French|tennis)",
    "what is (your|the) opinion (on|about) (politics|war|religion|this)",
    "who (wrote|painted|directed|discovered|built|founded) (Hamlet|the Mona Lisa|America|Rome|Titanic|the Eiffel "
    "Tower|Google|Apple|penicillin)",
    "(asdf|blah blah|qwerty|lorem ipsum|foo bar|xyz|bla bla bla|hjkl|test test test|abc def)",
    "how do i (lose weight|sleep better|get rich|find a job|fix a bike|tie a tie|grow tomatoes|quit smoking)",
    "what does (the fox say|a lawyer do|a nurse do|a doctor earn)",
    "can you (drive|dance|fly|swim|cook|sing|code|draw|speak French|speak German|translate)",
)
_ANSWERS = (
    "Sorry, I don't know that: I am only a small demo model. Ask me about Shardboard, or download a bigger model in "
    "Models.",
    "That is too hard for me. I am only a small demo model; a bigger one from Models will know it.",
    "I can't help with that, I am only a tiny demo model. Try a bigger model from Models.",
)


def ask_unknown(rng: random.Random) -> tuple[str, str]:
    """A question out of scope, and a graceful way to say so."""
    if rng.random() < 0.45:
        question = expand(rng.choice(_ABOUT_SUBJECT).replace("{x}", rng.choice(_SUBJECTS)), rng)
    else:
        pattern = rng.choice(_OTHER).replace("{p}", rng.choice(_PEOPLE)).replace("{c}", rng.choice(_PLACES))
        question = expand(pattern, rng)
    return dressed(question, rng), rng.choices(_ANSWERS, weights=(6, 3, 1))[0]


def unknown_answers() -> tuple[str, ...]:
    """Every answer that counts as saying so."""
    return _ANSWERS
