"""When something is slow, fails or worries someone."""

from .kinds import Topic

TROUBLE: tuple[Topic, ...] = (
    Topic(
        "slow",
        (
            "why is (my|the|this) (answer|reply|model|chat|output) (so |very |)(slow|sluggish)",
            "why (is it|is this|are you|is everything) (so |)slow",
            "why does (it|the answer|my answer|a reply|this) take so (long|much time)",
            "my (answer|answers|model|chat) (is|are) (very |too |so |)slow",
            "(it|this|everything) is (very |too |so |really |)slow",
            "how (do|can) i make (it|the answer|answers|my answers|this|the model) (faster|quicker)",
            "how (do|can) i (speed up|speed it up|improve the speed|get more speed|get more tokens per second)",
            "what makes (it|an answer) slow",
            "slow (answer|answers|reply|model)",
            "what (slows|is slowing) (it|me|the answer|things) down",
            "why do i (only |)get (so few|few) tokens per second",
            "only (two|three|five) tokens per second, why",
            "what can i do (about|against) slow answers",
            "the speed is (bad|low|poor|terrible)",
            "what is the bottleneck",
            "how do i find the bottleneck",
            "which (stage|machine|node) is (the slowest|slowing me down)",
            "why is the speed so low",
            "answers are slow",
        ),
        (
            "An answer is as fast as its slowest stage plus the hops. Look at the latency lane: move layers away "
            "from the slowest "
            "machine, use a cable instead of Wi-Fi, and make sure that no machine is swapping memory.",
            "Usually one of three: a stage with too many layers, slow hops over Wi-Fi, or a machine that swaps "
            "memory. The latency "
            "lane shows which one it is.",
        ),
        ("Fewer machines can be faster too: each hop that falls away saves time.",),
    ),
    Topic(
        "slow_start",
        (
            "why does (the first token|the first word|the beginning|it|an answer) take so long to (start|appear|"
            "begin|come)",
            "why (do i|must i) wait (so long |)(before|until) the answer (starts|begins)",
            "why is prefill (so |)slow",
            "why is the time to first token (so |)(long|high)",
            "the answer (starts|begins) (late|slowly)",
            "long prompts (are slow|take long)",
            "why does a long prompt take (so |)long",
        ),
        (
            "Before the first token, the whole prompt is computed: that is prefill. A shorter prompt or a faster "
            "head helps; the "
            "second question in a chat starts sooner, because the cache is kept.",
        ),
    ),
    Topic(
        "wifi",
        (
            "(can|should) i use (Wi-Fi|wireless|wifi)",
            "does it work (over|with|on) (Wi-Fi|wifi|wireless)",
            "is (Wi-Fi|wifi) (ok|enough|fast enough|good enough|too slow)",
            "(Wi-Fi or cable|cable or Wi-Fi)",
            "do i need (a cable|Thunderbolt|Ethernet|a fast network|cables)",
            "which (network|cable|connection) (do i need|is best|should i use)",
            "(does|do) (Thunderbolt|Ethernet|a cable|cables) help",
            "how fast must (the|my) network be",
            "what about Wi-Fi",
            "how important is the network",
            "how should i connect my Macs",
        ),
        (
            "Wi-Fi works, but each hop takes some milliseconds, and that adds up for every token. An Ethernet or "
            "Thunderbolt cable "
            "between the Macs is much better.",
        ),
    ),
    Topic(
        "swap",
        (
            "what is (swap|swapping|swap memory|swapping memory)",
            "what does swapping (mean|do)",
            "why is (swapping|swap) (bad|slow|a problem)",
            "my (Mac|machine) is swapping",
            "a (machine|node) (is swapping|swaps)",
            "how do i avoid swapping",
            "the memory is full",
            "i am (running out of|out of) memory",
            "what (happens|if) (when |)the memory is full",
            "not enough memory",
            "memory pressure is high",
            "a node has too little memory",
        ),
        (
            "Swapping means that a machine has run out of memory and uses its disk instead, which is very slow. Move "
            "layers to "
            "another node, choose a shorter context, or close other apps.",
        ),
    ),
    Topic(
        "no_fit",
        (
            "(the|my) model does not fit",
            "what if (the|a) model (does not|doesn't) fit",
            "it says (that |)(it does not fit|the placement does not fit)",
            "what (can|do) i do (if|when) (it|a model|the model) (does not|doesn't) fit",
            "why (can't|can i not) i deploy( this|)",
            "why is Deploy (grey|disabled|off)",
            "why can't i press Deploy",
            "Deploy is grey",
            "the model is too (big|large)",
            "how do i make (it|a model) fit",
            "the placement is (red|not valid|invalid)",
        ),
        (
            "The board says by how much a placement does not fit. Move layers to a node with free memory, choose a "
            "shorter context, "
            "take a smaller or 4-bit model, or add a machine.",
        ),
    ),
    Topic(
        "machine_dies",
        (
            "what (happens|will happen) (if|when) (a machine|a node|one machine|a Mac|one of my Macs|one Mac) (dies|"
            "crashes|fails|goes down|"
            "goes away|is switched off|is turned off|leaves|disappears|goes to sleep|falls asleep|loses power|is "
            "unplugged)",
            "what if (a machine|a node|a Mac|one of them) (dies|crashes|fails|goes to sleep|is turned off|disappears)",
            "(can i|may i) (turn off|switch off|close|unplug|shut down) (a machine|a Mac|one of the Macs|my "
            "MacBook)( during an answer|)",
            "a (machine|node|Mac) (died|crashed|is gone|went to sleep|disappeared|went down)",
            "is it (fault tolerant|robust|reliable)",
            "what if i close my MacBook",
            "do i lose (my answer|the answer|everything|my chat) (if|when) a (machine|node) (dies|fails|crashes)",
            "what happens (in|on|after) a (crash|failure|power cut)",
            "does it survive a (crash|dead machine|lost node)",
            "machine (dies|crash|failure)",
            "what if the (connection|network) (breaks|is lost|fails|drops)",
            "how does it recover",
            "what happens when a stage crashes",
        ),
        (
            "The text so far stays. Shardboard plans again over the machines that are left, replays the tokens, and "
            "the same answer "
            "goes on, with a line that says what happened.",
            "Nothing is lost: the layers are placed on the remaining machines, the tokens are replayed, and your "
            "answer goes on. If "
            "no placement fits, you are told what is missing.",
        ),
        ("Nodes that already hold the right units are preferred, so that little has to be sent.",),
    ),
    Topic(
        "controller_dies",
        (
            "what happens if (the controller|my own Mac|the window|the app|Shardboard) (dies|crashes|is closed|quits)",
            "what if i close the (window|app)",
            "what if the (app|controller|window) crashes",
            "can i quit (the app|Shardboard|the window)",
            "do i have to keep the window open",
            "what happens when i (quit|close) (Shardboard|the app)",
        ),
        (
            "Agents, controller and window can each be stopped and started again at any time. Your pairings, shards, "
            "deployments and "
            "conversations are as they were.",
        ),
    ),
    Topic(
        "privacy",
        (
            "does my data leave (my|the) (network|house|home|computer|Mac|machine)",
            "do(es|) (my|any|the) (data|text|chats|messages|prompts|words) (leave|go to the internet|go to the cloud|"
            "go anywhere|get sent anywhere)",
            "(is|are) my (data|chat|chats|prompts|messages) (private|safe|secret|sent somewhere|uploaded)",
            "is (it|this|Shardboard) private",
            "who can (see|read) (my chats|my data|what i write|my messages|this)",
            "do you (send|upload|share) (my data|anything|data|my messages)( to anyone| to the internet| to the "
            "cloud|)",
            "is (anything|something|my data) sent to (the cloud|the internet|a server|Apple|a company)",
            "where does my data go",
            "does it use the cloud",
            "is there any (tracking|telemetry)",
            "what about (privacy|my privacy|data protection)",
            "privacy",
            "do you collect (data|my data)",
            "do you (spy on|listen to) me",
            "can anyone else read this",
            "is what i write private",
            "does anything get uploaded",
        ),
        (
            "No. Your text stays on your own machines, and everything between them is encrypted. Shardboard uses the "
            "internet only to "
            "search and download models.",
            "No, your data does not leave your network. The model runs on your own machines, and the lanes between "
            "them are encrypted.",
        ),
    ),
    Topic(
        "security",
        (
            "is (it|this|the connection|Shardboard|my network traffic|the traffic) (secure|safe|encrypted)",
            "how (secure|safe) is (it|this|Shardboard)",
            "how is the (traffic|connection|data) (encrypted|protected|secured)",
            "which encryption (is used|does it use|do you use)",
            "can (a stranger|a hacker|someone else|my neighbour) (use|join|see|attack) (my machines|my cluster|my "
            "nodes)",
            "what about security",
            "security",
            "encryption",
            "what is mutual TLS",
            "is pairing (safe|secure)",
            "do you use TLS",
        ),
        (
            "Only machines that you paired can talk to each other, and every connection uses mutual TLS. An unpaired "
            "caller learns "
            "nothing but a name and a version.",
        ),
    ),
    Topic(
        "internet",
        (
            "do i need (the internet|an internet connection|internet)",
            "does it (work|run) (offline|without internet|without the internet)",
            "can i use it (offline|without internet|on a plane)",
            "do i need an account",
            "do the (other machines|nodes) need (internet|the internet|an account)",
            "is an account needed",
        ),
        (
            "Only for searching and downloading models. After that everything works offline, and the other nodes "
            "never need the "
            "internet or an account.",
        ),
    ),
    Topic(
        "not_found",
        (
            "(my|the) (other |)(Mac|machine|node) (is not|isn't) (found|shown|listed|there|visible|in the list)",
            "i (can't|cannot|do not|don't) (see|find) my (other Mac|machine|node|other machine|Macs)",
            "why (can't|don't) i see (my other Mac|my machine|the node)",
            "a node is (offline|missing|unreachable|not reachable)",
            "(pairing|the code) (fails|does not work|is not accepted|is wrong)",
            "the node does not (answer|respond|connect)",
            "it does not find (my Mac|the other machine|any machines)",
            "no nodes found",
        ),
        (
            "Check that 'shardd run' is active on the other Mac and that both are on the same network. You can also "
            "pair by address; "
            "'shardd doctor' on that Mac looks for problems.",
        ),
    ),
    Topic(
        "error",
        (
            "(i have|there is|i get|i got) (an error|a problem|a failure|an issue)",
            "something (is wrong|went wrong|is broken|does not work)",
            "it (does not|doesn't) work",
            "it is broken",
            "what (can|should) i do (if|when) something (fails|goes wrong)",
            "how do i (find|fix|debug) (a problem|problems|errors|an error)",
            "(where are|how do i see) the logs",
            "what is shardboard doctor",
            "what does (doctor|shardboard doctor) do",
            "where do i (find|see) (logs|the logs|error messages)",
            "error",
        ),
        (
            "Every failure names the node, the stage and the cause, so read that line first. The node card's menu "
            "shows the logs, and "
            "'shardboard doctor' checks the rest.",
        ),
    ),
    Topic(
        "transfer",
        (
            "why is (the transfer|sending|copying|the push|deploying) (so |)(slow|taking so long)",
            "why does (deploying|Deploy|the transfer) take (so |)long",
            "what is being (sent|moved|copied|transferred)",
            "how (do|are) (the |)(shards|layers|weights|units) (travel|get to the nodes|sent|transferred|get there)",
            "does it send the whole model",
            "what happens if a transfer (breaks|stops|is interrupted)",
            "do i have to (send|copy) the model (myself|to each machine|everywhere)",
            "does (each|every) machine need the whole model",
            "do i need the model on (every|each) machine",
        ),
        (
            "The controller sends each node only the units it lacks, checks them on arrival, and resumes after an "
            "interruption. No node "
            "needs the whole model, and moving four layers sends four layers.",
        ),
    ),
    Topic(
        "platform",
        (
            "does it (work|run) on (Windows|Linux|a PC|an iPad|an iPhone|Android|my phone|Intel Macs)",
            "can i use (a PC|Windows|Linux|an iPad|my phone|a Windows machine)",
            "which (machines|computers|Macs|devices) (work|can i use|are supported)",
            "what (machines|hardware|computers) (do i need|can i use|are supported)",
            "which Macs (work|can i use|are best)",
            "do i need a Mac",
            "is it (only |)for Macs( only|)",
            "what hardware do i need",
        ),
        (
            "Shardboard is made for Macs, because the stages use MLX, which is fastest on Apple chips. Any mix of "
            "Macs will do, such as "
            "a MacBook and a Mac mini.",
        ),
    ),
)
