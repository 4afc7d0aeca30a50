"""How to do things in Shardboard, and how it works."""

from .kinds import Topic

HOWTO: tuple[Topic, ...] = (
    Topic(
        "shardboard",
        (
            "what is Shardboard",
            "what is Shardboard",
            "what('s| is) this (app|program|application|tool|thing)",
            "what does Shardboard do",
            "what can Shardboard do",
            "what does this (app|program) do",
            "(explain|describe|introduce) Shardboard",
            "tell me (about|what you know about) Shardboard",
            "what is Shardboard (for|good for|used for|about)",
            "how does Shardboard work",
            "how does (this|it) (all |)work",
            "what is the (idea|point|purpose) of (Shardboard|this app)",
            "why (should i use|would i use|use) Shardboard",
            "i am new (here|to Shardboard), what is this",
            "what (have i|did i just) install(ed|)",
            "Shardboard",
            "what can i do with (Shardboard|this app)",
            "give me (an overview|a summary) of Shardboard",
            "explain Shardboard in (one sentence|two sentences|simple words)",
            "can you explain what Shardboard is",
        ),
        (
            "Shardboard turns the Macs on your network into one machine for a language model. You place ranges of "
            "layers on "
            "your machines, press Deploy, and chat with a model that is too big for one of them.",
            "Shardboard runs a language model on several Macs at once. Each one holds some of the layers, so that "
            "together "
            "they can run a model that no single one could hold.",
        ),
        ("You work in four places: Cluster, Models, Chat and Settings.",),
        ("and Shardboard", "and what is Shardboard"),
    ),
    Topic(
        "pair",
        (
            "how (do|can) i (add|connect|join|include) (a machine|another machine|another Mac|a second Mac|a new "
            "node|a node|"
            "my other Mac|a computer|my MacBook|a Mac mini|more machines)",
            "how (do|can) i pair (a machine|another Mac|two machines|two Macs|a node|a new node|my Macs)",
            "how do i pair",
            "i want to (add|connect|pair|use) (a machine|another Mac|a second Mac|my MacBook|my other machine|my iMac)",
            "(add|pair|connect) a (machine|node|Mac|second machine)",
            "add (machine|node|another one)",
            "what do i (have to|need to|must) do to (add|pair|connect) (a machine|a Mac|another Mac|a node)",
            "what is pairing",
            "how does pairing work",
            "explain pairing",
            "what does pairing mean",
            "pairing",
            "how (do|can) (two|my) (machines|Macs|computers) (get to know each other|find each other|be connected)",
            "how do i bring (another|a second) (machine|Mac) in",
            "where (do|can) i (add|pair) (a machine|nodes|another Mac)",
            "can i (add|use|connect) (another|one more|a second|a third) (machine|Mac|computer)",
            "how do i get (my other Mac|another machine|a node) (into the cluster|on the board|to help)",
            "i have (two|three|several) Macs, how do i use (them|them all|them together)",
            "how do i (set up|setup|install) (a new node|the agent|another machine|the other Mac|shardd)",
        ),
        (
            "Start the agent on the other Mac with 'shardd run'. It shows a short code; type that code in the window "
            "here, and "
            "the two machines are paired.",
            "On the other Mac, run shardd and read the short code it shows. Choose the machine in Cluster and type "
            "the code: "
            "that is all.",
        ),
        ("After pairing, both machines pin each other's certificate, and all traffic between them is encrypted.",),
    ),
    Topic(
        "unpair",
        (
            "how (do|can) i (remove|unpair|forget|disconnect|delete|drop) (a machine|a node|a Mac|one of my machines|"
            "a paired Mac)",
            "(unpair|remove|forget) (a node|a machine|this node|a Mac)",
            "how do i get rid of a (machine|node)",
            "i (want to|would like to) (remove|unpair|forget) a (machine|node|Mac)",
            "what does unpair (do|mean)",
            "unpairing",
            "i sold (a|one|my other) Mac, how do i remove it",
            "a Mac should no longer be (used|part of the cluster)",
        ),
        (
            "Open the menu on the node's card and choose Forget, or run 'shardboard unpair NODE'. It takes effect at "
            "once, also "
            "on open connections.",
        ),
    ),
    Topic(
        "place",
        (
            "how (do|can) i (place|put|set|assign|distribute|share out|split|spread) (layers|the layers|a model|the "
            "model|some layers)"
            "( on a machine| on my machines| over my Macs| on nodes|)",
            "how (do|can) i (move|shift|change|drag|swap) (layers|a layer|the layers|some layers|a boundary|layer "
            "ranges)",
            "how (do|can) i move (layers|four layers|a layer) (to another machine|from one Mac to another|to another "
            "node)",
            "how do i (give|assign) (a machine|one Mac|this node) (more|fewer|less) layers",
            "move (layers|a layer|some layers)",
            "place layers",
            "how do i change the (placement|split|layout|ranges)",
            "how do i (use|edit) the (board|placement board)",
            "where do i (place|drag|put) the layers",
            "how do i make a placement",
            "i want to (move|place|change) (layers|the layers|a range)",
            "can i (choose|decide|set) which (layers go where|machine gets which layers)",
            "can i move layers (by hand|myself|with the mouse)",
            "how do i resize a range",
            "how do i split a model",
            "how do i change which machine has which layers",
            "how (do|can) i edit the placement",
        ),
        (
            "In Cluster, drag a range of layers onto a node, or drag the boundary between two ranges. Then press "
            "Deploy to make "
            "it live; only the layers that moved are sent.",
            "Use the placement board: drag a layer range onto a machine, or pull a boundary left or right. Nothing "
            "happens "
            "until you press Deploy.",
        ),
        ("While you drag, each node shows its weights, KV cache and free memory, and the board predicts the speed.",),
    ),
    Topic(
        "deploy",
        (
            "how (do|can) i deploy( a model| the model| a placement| it|)",
            "what does (Deploy|the Deploy button) do",
            "what (happens|will happen) when i press Deploy",
            "how (do|can) i (start|load|run|launch) (a|the) model( on my machines|)",
            "how do i make (the|my) (placement|changes|plan) live",
            "how do i (activate|apply) (the|my) (placement|changes|plan)",
            "deploy (the model|a model|it)",
            "when do my changes take effect",
            "where is the Deploy button",
            "i (changed|edited) the placement, what now",
            "how do i get the model running",
            "what do i do after placing the layers",
            "how do i put a model on my machines",
        ),
        (
            "Place the layers on the board in Cluster and press Deploy. It tells you what it will move, sends the "
            "missing units, "
            "loads the stages, and then you can chat.",
            "Press Deploy when the placement looks right. Missing units are sent to the nodes, every node loads its "
            "stage, and "
            "the model is ready to chat.",
        ),
        ("If Deploy can't be pressed, it says why.",),
    ),
    Topic(
        "undeploy",
        (
            "how (do|can) i (undeploy|unload|shut down|take down) (a model|the model|a deployment|the deployment)",
            "how (do|can) i free (the memory|memory|the RAM)( again|)",
            "undeploy",
            "how do i stop the (model|deployment)",
            "how do i get my memory back",
            "how do i (end|remove) a deployment",
        ),
        (
            "Undeploy the model: the stages end and give the memory back, and the shards stay on disk for next time. "
            "The menu on "
            "a node card can free the memory of one node.",
        ),
    ),
    Topic(
        "undo",
        (
            "how (do|can) i undo( a change| a move| that| my changes|)",
            "(undo|redo)",
            "can i (undo|revert|take back) (a move|a change|that|this)",
            "i (moved|dragged) the wrong (layers|range|boundary)",
            "i made a mistake on the board",
            "how do i go back to the old placement",
            "how do i (revert|restore) (the|my) (placement|old placement)",
        ),
        (
            "Use Undo to take back a step on the board, and Redo to bring it back. Nothing is moved before you "
            "press Deploy, so you can try things out.",
        ),
    ),
    Topic(
        "download",
        (
            "how (do|can) i (download|get|install|add|fetch|load|pull) (a model|another model|a bigger model|new "
            "models|a real model|"
            "a better model|models|more models|a large model)",
            "where (do|can) i (download|get|find|search for) (models|a model|bigger models|a better model)",
            "download (a model|models)",
            "i (want|need|would like) (a bigger|a better|another|a real|a smarter) model",
            "how do i (search|look) for (a model|models)",
            "where do (the |)models come from",
            "can i (download|use|get) (a bigger|another|a different|a better) model",
            "how do i change the model",
            "how do i switch to another model",
            "how do i replace you",
            "get a model",
            "what is in Models",
            "what is the Models (page|place|tab) for",
            "(pause|resume) a download",
            "can i pause a download",
        ),
        (
            "Open Models, search for a name, and start the download. You see the size, whether it fits your cluster, "
            "and the time "
            "left, and you can pause and resume.",
            "Go to Models and search the hub. Pick a model that fits your machines, download it, then place and "
            "deploy it.",
        ),
        ("Only this machine downloads from the internet. The other nodes get their shards from here.",),
    ),
    Topic(
        "which_models",
        (
            "which models (can i run|can i use|can Shardboard run|work|are supported|fit|run here|can i download)",
            "what models (can i run|can i use|can Shardboard run|work|are supported|are there|are available)",
            "what (kind|kinds|sort|type) of models (can i run|can i use|work|are supported|does it run)",
            "(can i run|does it run|does it support|can i use|can Shardboard run) (Llama|Qwen|Mistral|Gemma|DeepSeek|"
            "Phi)( models|)",
            "which (model|one) should i (use|take|choose|download|pick)",
            "what model (is best|fits|do you recommend|should i use)",
            "recommend (a model|me a model)",
            "does (model size|the kind of model) matter",
            "supported models",
            "can i run a (70b|32b|120b|big|huge|large) model",
            "is my model supported",
            "which (architectures|formats) are supported",
        ),
        (
            "Any model that mlx-lm can run, such as Llama, Qwen, Mistral or Gemma, as long as its weights and KV "
            "cache fit into "
            "your machines together. Models shows for each one whether it fits.",
            "Most models in MLX format work: Llama, Qwen, Mistral, Gemma and many more. In Models you see whether "
            "one fits your "
            "cluster, and how.",
        ),
    ),
    Topic(
        "memory_need",
        (
            "how much (memory|RAM) (do i need|is needed|does it need|does it take|does a model need|do i have to "
            "have|should i have)",
            "how much (memory|RAM) (does|do) (a|an) (7b|8b|13b|32b|70b|big) model (need|take)",
            "what (are the|) memory requirements",
            "how much (memory|RAM) for (a 70b model|a 7b model|an 8b model|a big model|a model|a 32b model)",
            "do i have enough (memory|RAM)",
            "is (8|16|32|64) GB (enough|of memory enough|of RAM enough)",
            "will (it|the model|a model|this model) fit( into memory| on my Macs| on my machine|)",
            "how big a model can i run",
            "how big can a model be",
            "how do i know (if|whether) a model fits",
            "what do i need to run a (big|large|70b) model",
            "memory (requirements|needed|need)",
            "how is the memory (calculated|estimated|used)",
            "what uses (the|so much) memory",
        ),
        (
            "Your machines together need room for the weights, the KV cache and a little extra. A model with 8 "
            "billion parameters "
            "in 4 bits takes about 5 GB, one with 70 billion about 40 GB.",
            "Count the size of the model's files, plus the KV cache for your context, plus some room to spare. The "
            "sum may be "
            "spread over all your machines; Models tells you whether it fits.",
        ),
        ("A longer context needs more KV cache, so a shorter one helps when memory is tight.",),
    ),
    Topic(
        "why_several",
        (
            "why (should i|would i|do i) (use|need) (more than one|several|two|many) (machine|machines|Macs)",
            "is it faster (with more|with two|on two|with several) (machines|Macs)",
            "do more machines make it faster",
            "does (adding a machine|another Mac|a second machine) make it (faster|quicker)",
            "is one machine faster( than two|)",
            "will it be faster with (two|three|more) Macs",
            "when is one machine (better|faster|enough)",
            "what is the (advantage|benefit) of (several|more) machines",
            "one Mac or two",
        ),
        (
            "Several machines let you run a model that does not fit into one. If it fits into one machine, that one "
            "alone is often "
            "faster, because every hop costs time; the board tells you when.",
        ),
    ),
    Topic(
        "stop",
        (
            "how (do|can) i (stop|cancel|interrupt|abort|end|halt|break off) (an answer|the answer|a reply|you|the "
            "generation|it|generation|"
            "the output|the model)",
            "stop( it| that| now| talking| please|)",
            "how do i make (you|it|the model) (stop|shut up|be quiet)",
            "cancel",
            "can i (stop|cancel|interrupt) (an answer|you|it|the answer)",
            "where is the stop button",
            "the answer is too long",
            "you talk too much",
            "what does (stop|the stop button) do",
            "how fast does stop work",
        ),
        (
            "Press Stop in Chat. It takes effect at the next token, and the text so far stays.",
            "Use the Stop button in Chat. The answer ends at the next token.",
        ),
    ),
    Topic(
        "regenerate",
        (
            "how (do|can) i (regenerate|redo|repeat|retry) (an answer|the answer|a reply|this answer)",
            "how (do|can) i edit (a message|my message|my question)",
            "can i (change|edit) (my|a) (message|question)",
            "how do i get (another|a different|a new) answer",
            "what is a branch",
            "how do i (branch|make a branch)",
            "(regenerate|try again)",
            "what is (branching|a branch in chat)",
            "give me another answer",
            "can you answer again",
        ),
        ("In Chat you can regenerate an answer, and you can edit your own message. The old text is kept as a branch.",),
    ),
    Topic(
        "conversations",
        (
            "where are my (chats|conversations|messages)( saved| stored| kept|)",
            "are my (chats|conversations) (saved|kept|stored)",
            "how (do|can) i (export|save|search|find|copy) (a chat|a conversation|my chats|my conversations|an old "
            "chat)",
            "do (you|chats) (survive|stay after) a (restart|crash)",
            "what happens to my chats (when i quit|after a crash)",
            "can i export (a chat|this conversation)",
            "chat history",
            "how do i find an old (chat|conversation)",
        ),
        (
            "Your conversations are kept on this machine's disk and survive a restart. In Chat you can search and "
            "export them.",
        ),
    ),
    Topic(
        "api",
        (
            "is there an API",
            "(how do i use|how does) the API( work|)",
            "can (other|my) (programs|apps|tools) use (it|the model|Shardboard)",
            "does it have an (OpenAI|OpenAI-compatible|HTTP) API",
            "how (do|can) i (serve|use) (a model|the model) (over HTTP|from another app|from a script|from my editor)",
            "what is shardboard serve",
            "how do i start (the API|a server|the server)",
            "can i connect my editor",
        ),
        (
            "Yes: 'shardboard serve' offers an OpenAI-compatible HTTP API, on port 8100 of this machine. Beyond this "
            "machine it "
            "asks for a key.",
        ),
    ),
    Topic(
        "command_line",
        (
            "is there a command line",
            "(can|how can|how do) i use (it|Shardboard) (from|in|without) (the terminal|a terminal|the command line|"
            "a window)",
            "which commands are there",
            "what (commands|command line options) (are there|can i use)",
            "list the commands",
            "how do i (script|automate) (it|Shardboard)",
            "command line",
            "terminal commands",
            "what is the shardboard command",
        ),
        (
            "Yes, the command is shardboard. Try 'shardboard nodes', 'shardboard plan MODEL', 'shardboard deploy "
            "MODEL' and "
            "'shardboard chat'.",
        ),
    ),
    Topic(
        "demo",
        (
            "what is the demo",
            "is there a demo",
            "what does the demo (do|show)",
            "how (do|can) i (try|test) (it|Shardboard|this)( out|)",
            "can i try it (with one machine|with one Mac|without other machines|on one machine)",
            "i (only have|have only) one (Mac|machine)",
            "what does shardboard demo do",
            "how do i start the demo",
            "(run|start) the demo",
            "do i need (several|two|more) (Macs|machines) to try it",
        ),
        (
            "Run 'shardboard demo'. It starts three agents on this machine and places me, the built-in model, on "
            "them, so you can "
            "try everything without other machines.",
        ),
    ),
    Topic(
        "first_steps",
        (
            "how (do|can) i (start|begin|get started)",
            "where (do|should) i (start|begin)",
            "what (do|should) i do (first|now|next)",
            "what are the first steps",
            "getting started",
            "i am new here",
            "i just (installed|opened) (it|Shardboard|the app)",
            "first steps",
            "show me how to (start|begin|use Shardboard)",
            "(give me|is there) a (tutorial|guide|tour|quick start)",
            "how (do|should) i use (Shardboard|this app|this program)",
        ),
        (
            "First pair your other Macs in Cluster, then download a model in Models. Place its layers on the board, "
            "press Deploy, "
            "and chat.",
            "Four steps: pair your machines, download a model, place its layers and press Deploy. Then open Chat and "
            "ask away.",
        ),
    ),
    Topic(
        "settings",
        (
            "where are the settings",
            "how do i (change|open) the settings",
            "is there a dark mode",
            "how do i (switch|change) to (dark|light) mode",
            "can i change the (theme|colours|look)",
            "what is in Settings",
            "can i use (the keyboard|it with the keyboard)",
            "are there (keyboard shortcuts|shortcuts)",
            "does it have a (dark|light) theme",
        ),
        (
            "Settings is one of the four places in the window. Shardboard has a light and a dark look, and "
            "everything can be done "
            "by keyboard too.",
        ),
    ),
)
