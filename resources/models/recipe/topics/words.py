"""The words of Shardboard, each with its meaning."""

from .kinds import Topic, word

WORDS: tuple[Topic, ...] = (
    word(
        "shard",
        "a",
        (
            "A shard is the piece of the model that lies on one node's disk: the units of one layer range. "
            "Loaded into memory and computing, it becomes a stage.",
            "A shard is one node's part of the model on disk. It holds the units of the layer range that you placed "
            "there.",
            "A shard is the part of a model that one machine keeps on its disk. It is sent once, checked on arrival, "
            "and stays there for the next time.",
        ),
        more=("A node only receives the units it lacks, so going back to an older placement moves nothing.",),
    ),
    word(
        "unit",
        "a",
        (
            "A unit is the smallest thing that can be placed: the embedding, one transformer layer, the final norm, "
            "or the LM head.",
            "A unit is the smallest piece of a model in Shardboard. The embedding, each layer, the final norm and the "
            "LM head are units.",
        ),
        more=("Each node stores a unit only once, under the hash of its content.",),
    ),
    word(
        "stage",
        "a",
        (
            "A stage is a range of layers that is loaded and computing on a node. It runs as a child process of the "
            "agent.",
            "A stage is a shard at work: its layers are in memory, and every token passes through it.",
            "A stage is one step of the line. It holds some layers, computes its part of each token, and passes the "
            "result on to the next stage.",
        ),
        more=("If a stage crashes, the agent survives, says why, and can start the stage again.",),
    ),
    word(
        "lane",
        "a",
        (
            "A lane is the direct, encrypted connection between two stages. It carries the activations from one stage "
            "to the next.",
            "A lane connects two stages directly. The numbers between the layers travel on it, encrypted.",
        ),
        more=("Lanes use TLS 1.3, and the controller is not in between: stages talk to each other directly.",),
    ),
    word(
        "hop",
        "a",
        (
            "A hop is one crossing of a lane: the trip from one stage to the next. Every hop adds a little time to "
            "each token.",
            "A hop is one trip over a lane, from one machine to the next. Fewer hops and a fast cable make answers "
            "quicker.",
        ),
        more=("On a cable a hop is short. Over Wi-Fi it can take several milliseconds.",),
        also=("what does hop time mean", "what is the hop time", "what is hop latency"),
    ),
    word(
        "node",
        "a",
        (
            "A node is a machine with an agent, as the controller knows it. Each node can hold a part of the model.",
            "A node is one of your machines that runs the agent and is paired with this one.",
        ),
        more=("Each node has a card that shows its memory, its times and its state in words.",),
    ),
    word(
        "agent",
        "an",
        (
            "The agent is shardd, a small program that runs on every machine. It stores shards, runs the stages and "
            "reports memory and times.",
            "An agent is the program shardd. One runs on each machine, also on your own, and it does the work there.",
        ),
        more=(
            "The agent is light: the model itself runs in a child process, so a crash there does not take the agent "
            "down.",
        ),
    ),
    word(
        "shardd",
        "",
        (
            "shardd is the agent: the small program that runs on every machine, keeps its shards and runs its stages.",
            "shardd is the name of the agent. Start it with 'shardd run' on each Mac that should help.",
        ),
        many="shardd agents",
        more=("'shardd install' makes it start with the machine, and 'shardd doctor' looks for problems.",),
    ),
    word(
        "controller",
        "a",
        (
            "The controller is the machine that runs the window, or the command line. It plans, sends the shards and "
            "shows the answer.",
            "The controller is the machine you sit at. It tells the agents what to do, but tokens travel directly "
            "between the stages.",
        ),
        more=("The controller gets a copy of each token, so its slow Wi-Fi does not slow down the others.",),
    ),
    word(
        "placement",
        "a",
        (
            "A placement says which layer range goes to which node, and in which order. You edit it on the placement "
            "board.",
            "A placement is the plan: which layers lie on which machine, in order. It becomes live when you press "
            "Deploy.",
        ),
        more=("A placement that does not fit says by how much memory, before anything moves.",),
    ),
    word(
        "deployment",
        "a",
        (
            "A deployment is a placement made live: the shards are on the nodes, the stages are loaded, and you can "
            "chat.",
            "A deployment is a placement that is running on your nodes. Press Deploy to make one.",
        ),
        more=("When you change the placement, Deploy tells you first what it will move.",),
    ),
    word(
        "head",
        "the",
        (
            "The head is the first stage. It has the embedding, takes in your prompt, and starts each token on its "
            "way.",
            "The head is the first stage of the line, the one with the embedding. The tail sends each new token back "
            "to it.",
        ),
        more=("Do not mix it up with the LM head, which is the last unit and lies on the tail.",),
        also=(
            "what is the head stage",
            "which stage is the head",
            "what does the head stage do",
            "what is the first stage",
        ),
    ),
    word(
        "tail",
        "the",
        (
            "The tail is the last stage. It has the final norm and the LM head, and it picks the next token.",
            "The tail is the last stage of the line. Sampling happens there, and the chosen token goes back to the "
            "head.",
        ),
        more=("Only the number of the token goes back, four bytes, so this way is very short.",),
        also=(
            "what is the tail stage",
            "which stage is the tail",
            "what does the tail stage do",
            "what is the last stage",
        ),
    ),
    word(
        "KV cache",
        "the",
        (
            "The KV cache is what each stage remembers about the text so far, so that it need not compute it again. "
            "It grows with the length of the chat.",
            "The KV cache holds the keys and values of all tokens so far. It saves work, and it needs memory that "
            "grows "
            "with the context.",
        ),
        many="KV caches",
        more=("Each stage keeps the cache of its own layers only.",),
        also=(
            "what is kv",
            "what is the kv memory",
            "what is a kv cache for",
            "what is the cache",
            "explain the cache",
        ),
    ),
    word(
        "prefill",
        "",
        (
            "Prefill is computing your prompt, before the first token of the answer. A long prompt makes it take "
            "longer.",
            "Prefill is the first part of an answer: all tokens of the prompt are read, in chunks. After it comes "
            "decode.",
        ),
        many="prefills",
        more=("Chunks of about 512 tokens run on several stages at the same time.",),
        also=("what is the prefill phase", "what does prefill do", "what happens in prefill", "what is prefilling"),
    ),
    word(
        "decode",
        "",
        (
            "Decode is making the answer, one token at a time, after prefill. Each token passes through all the "
            "stages once.",
            "Decode is the part after prefill, in which the answer appears token by token.",
        ),
        many="decode steps",
        more=("The speed of decode is shown in tokens per second.",),
        also=("what is the decode phase", "what does decode do", "what happens in decode", "what is decoding"),
    ),
    word(
        "sequence",
        "a",
        (
            "A sequence is one generation, with its KV cache on every stage.",
            "A sequence is one answer in the making, together with its KV cache on every stage.",
        ),
        more=("Several sequences can run at once, which keeps all the stages busy.",),
    ),
    word(
        "layer",
        "a",
        (
            "A layer is one of the equal steps that a language model is built of. Shardboard gives each machine a "
            "range of layers.",
            "A layer is one building block of a model. I have 12 layers, and big models have 30 to 100.",
        ),
        more=("The layers are computed in order, so a range of layers always stays together on one node.",),
    ),
    word(
        "layer range",
        "a",
        (
            "A layer range is a row of layers that follow each other, such as 0 to 3. Each node gets one range.",
            "A layer range is a run of neighbouring layers. You drag it onto a node on the placement board.",
        ),
    ),
    word(
        "token",
        "a",
        (
            "A token is a small piece of text: a word, a part of a word, or a sign. A model reads and writes tokens.",
            "A token is a bit of text, often a short word or half of a long one. I write my answers token by token.",
        ),
        more=("Shardboard shows where every millisecond of a token goes.",),
    ),
    word(
        "embedding",
        "the",
        (
            "The embedding is the unit that turns tokens into numbers. It lies on the head, the first stage.",
            "The embedding turns each token into a row of numbers, so that the layers can work with it.",
        ),
    ),
    word(
        "LM head",
        "the",
        (
            "The LM head is the last unit of a model. It turns the final numbers into a score for each possible token, "
            "and it lies on the tail.",
            "The LM head is the unit that scores all possible next tokens. It belongs to the last stage.",
        ),
    ),
    word(
        "activations",
        "",
        (
            "Activations are the numbers that one layer hands to the next. Between two machines they travel on a lane.",
            "Activations are the numbers in between the layers. At the end of a stage they go over a lane to the "
            "next one.",
        ),
        many="activations",
    ),
    word(
        "weights",
        "the",
        (
            "The weights are the numbers that a model has learned. They fill most of the memory.",
            "Weights are what a model has learned, stored as numbers. Each node only holds the weights of its own "
            "layers.",
        ),
        many="weights",
    ),
    word(
        "quantisation",
        "",
        (
            "Quantisation stores the weights with fewer bits, for example 4 instead of 16. The model gets smaller and "
            "faster, and a little less exact.",
            "Quantisation makes a model smaller by using fewer bits for each weight. A 4-bit model needs about a "
            "quarter "
            "of the memory of a 16-bit one.",
        ),
        many="quantised models",
        also=(
            "what is quantization",
            "what does 4 bit mean",
            "what does 4-bit mean",
            "what is a 4-bit model",
            "what does quantized mean",
            "should i take 4 bit or 8 bit",
        ),
    ),
    word(
        "context",
        "the",
        (
            "The context is all the text the model can look at: your chat so far and the answer. A longer context "
            "needs "
            "more KV cache.",
            "The context is the text that a model sees at once. The context meter in Chat shows how much of it is "
            "used.",
        ),
        bare="context",
        many="context windows",
        also=("what is the context length", "what is a context window", "what does the context meter show"),
    ),
    word(
        "time to first token",
        "the",
        (
            "The time to first token is how long you wait until the answer begins. It is mostly prefill, so a long "
            "prompt "
            "makes it longer.",
            "It is the wait before the first word of an answer. Most of it is prefill.",
        ),
        many="times to first token",
        also=("what is ttft", "what does ttft mean"),
    ),
    word(
        "tokens per second",
        "",
        (
            "Tokens per second is the speed of an answer: how many tokens the model writes each second.",
            "It is how fast an answer is written. The slowest stage and the hops decide it.",
        ),
        many="tokens per second",
        also=("what is tok/s", "what does tokens/s mean", "what does tok/s mean"),
    ),
    word(
        "temperature",
        "the",
        (
            "The temperature sets how freely the model picks its words. At 0 it always takes the most likely token; "
            "higher "
            "values give more variety.",
            "Temperature is a sampling setting. Low values give steady answers, high values give surprising ones.",
        ),
    ),
    word(
        "system prompt",
        "a",
        (
            "A system prompt is a text before the chat that tells the model how to behave. You can set one in Chat.",
            "The system prompt is an instruction that the model reads before your first message.",
        ),
        also=("how do i set a system prompt", "where is the system prompt"),
    ),
    word(
        "placement board",
        "the",
        (
            "The placement board shows the model as a strip of layers over your nodes. Drag ranges and boundaries "
            "there, "
            "and see memory and predicted speed at once.",
            "It is the strip of layers in Cluster. You drag layer ranges onto nodes, and press Deploy when you like "
            "the plan.",
        ),
        also=("what is the board", "what does the board show", "how does the board work"),
    ),
    word(
        "latency lane",
        "the",
        (
            "The latency lane shows where the time of each token goes: queue, compute and wire, for every stage. One "
            "sentence below says why the answer is as fast as it is.",
            "It shows, token by token, how long each stage waits, computes and sends. The longest bar is what slows "
            "you down.",
        ),
        more=("Queue is waiting, compute is the work of the layers, and wire is the hop to the next stage.",),
        also=(
            "what does the latency lane show",
            "what does the latency lane show",
            "what do the bars in the latency lane mean",
            "how do i read the latency lane",
            "what does the latency view show",
            "what are queue, compute and wire",
            "what does wire mean in the latency lane",
            "what can i see in the latency lane",
            "where do i see the time of each token",
            "show me what the latency lane (does|is for)",
        ),
    ),
    word(
        "node card",
        "a",
        (
            "A node card shows one machine: its memory, its times, its state in words, and transfers. Its menu can "
            "restart "
            "a stage, free memory or forget the node.",
            "Each machine has a node card with its chip, memory, hop and compute time, and state.",
        ),
    ),
    word(
        "Balance button",
        "the",
        (
            "Balance finds a good placement for you. It looks at memory and speed, and shares out the layers. Press "
            "Deploy "
            "to make it live.",
            "Balance shares out the layers over your nodes by itself, so that they fit and the answer is quick.",
        ),
        bare="Balance",
        many="Balance buttons",
        also=(
            "what does balance do",
            "what does the balance button do",
            "can it place the layers (by itself|automatically)",
            "can Shardboard find the best placement",
            "place the layers for me",
            "automatic placement",
            "(what is|find) the best placement",
            "how do i balance the layers",
        ),
    ),
    word(
        "MLX",
        "",
        (
            "MLX is the library that computes models on Apple chips. Every stage in Shardboard runs on it.",
            "MLX is Apple's library for machine learning on Macs. Shardboard's stages use it to compute their layers.",
        ),
        many="MLX arrays",
    ),
    word(
        "pairing code",
        "the",
        (
            "The pairing code is the short code that an agent shows. You type it in the window, and both machines "
            "know that "
            "they can trust each other.",
            "It is a short code on the other machine. Type it in the window to pair the two machines.",
        ),
        also=(
            "where do i find the (code|pairing code)",
            "where is the code",
            "which code do i (type|enter)",
            "what code do i need",
            "it asks for a code",
        ),
    ),
    word(
        "pipeline",
        "the",
        (
            "The pipeline is the line of stages. Each stage computes its layers and hands its result on to the next "
            "machine.",
            "It means that the stages work one after another, like stations in a line. Several answers at once keep "
            "all of "
            "them busy.",
        ),
    ),
    word(
        "cluster",
        "a",
        (
            "A cluster is all your paired machines together. In the Cluster place you see them and the placement "
            "board.",
            "Your cluster is the group of machines that share the work of one model.",
        ),
    ),
)
