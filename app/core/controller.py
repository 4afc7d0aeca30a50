"""The controller: nodes, models, one deployment and its answers, behind commands and snapshots.

Everything here runs on one asyncio loop. A window calls it through app.ui.bridge, the command line directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from app.core.activity import ActivityLog
from app.core.cluster.discovery import Discovery
from app.core.cluster.joining import ProbedAgent
from app.core.cluster.local_agents import LocalAgents
from app.core.cluster.machines import Machines
from app.core.cluster.node import KnownNode, Node
from app.core.cluster.nodes import ClusterNodes
from app.core.deployment import review
from app.core.deployment.changing import Changing
from app.core.deployment.deployer import READY_S, Deployer
from app.core.deployment.deployment import Deployment, DeployOrder
from app.core.deployment.drafting import DraftModel, read_draft
from app.core.deployment.looking import released_text, stopped_text
from app.core.deployment.ordering import make_order
from app.core.deployment.recovery import Recovery
from app.core.deployment.replanning import Means
from app.core.deployment.review import NodeMove
from app.core.deployment.serving import Serving
from app.core.deployment.sparing import Spares
from app.core.deployment.turns import Turns
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationUpdate
from app.core.generation.session import answer, prompt_ids
from app.core.generation.tokenizer import ModelTokenizer, load_tokenizer
from app.core.library.digests import DigestCache
from app.core.library.library import Library
from app.core.paths import ControllerPaths
from app.core.placement.placement import Placement, Problem
from app.core.placement.saved import SavedPlacement, SavedPlacements
from app.core.serve.desk import ApiDesk
from app.core.settings.settings import Settings
from app.core.settings.store import SettingsDesk
from app.core.snapshot import (
    ActivityEntry,
    DeploymentState,
    Level,
    ModelView,
    NodeState,
    Snapshot,
)
from app.core.text import phrase
from app.core.views import node_view
from shardd.identity import Identity
from shardd.model.survey import survey
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions

SNAPSHOT_S = 0.05

Unsubscribe = Callable[[], None]

__all__ = ["Controller", "NodeMove", "ProbedAgent"]


class Controller:
    """What the window and the command line hold.

    local_agents: names of agents to start on this machine, which end with the controller.
    agents_folder: where these keep their shards; None: a temporary folder.  store_limit: bytes for each.
    known_nodes: whether to connect to the nodes that were added before.  discover: whether to look for agents.
    options, prefill_chunk_tokens: how pipelines are driven; the latter 0 to choose from what is measured.
    """

    def __init__(
        self,
        paths: ControllerPaths,
        *,
        local_agents: Sequence[str] = (),
        agents_folder: Path | None = None,
        store_limit: int | None = None,
        known_nodes: bool = True,
        discover: bool = True,
        options: PipelineOptions | None = None,
        prefill_chunk_tokens: int = 0,
    ) -> None:
        self.paths = paths
        self._log = ActivityLog()
        self.settings = SettingsDesk(paths.preferences, self._settings_changed)
        self._cluster = ClusterNodes(
            paths, self._log, self._node_changed, self._stage_changed, lambda name: self.settings.now.reserve_of(name)
        )
        self._nodes = self._cluster.nodes
        self._digests = DigestCache(paths.digests)
        self.library = Library(paths, self._changed)
        self._agents = (
            LocalAgents(local_agents, self.identity, folder=agents_folder, store_limit=store_limit)
            if local_agents
            else None
        )
        self._known_nodes = known_nodes
        self._options = options or PipelineOptions()
        self._prefill_chunk_tokens = prefill_chunk_tokens
        self._discovery = Discovery(self._found) if discover else None
        self._model: ModelView | None = None
        self._draft: DraftModel | None = None
        self._tokenizer: asyncio.Task[ModelTokenizer] | None = None
        self._serving = Serving(
            self._nodes,
            lambda: self.identity,
            self._cluster.refresh_stages,
            self._changed,
            Changing(paths.changing),
            Turns(paths.turns),
        )
        self._recovery = Recovery(self._serving, self._nodes, self._log, self._means)
        self._spares = Spares(self._serving, self._nodes, self._log, self._means, self._changed)
        self._serving.on_taken_up = self._spares.look
        self._deployer = Deployer(self._serving, self._nodes, self._recovery, self._spares, self._log, self._order)
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._pending: asyncio.TimerHandle | None = None
        self._saved = SavedPlacements(paths.placements)
        self.machines = Machines(
            paths.figures,
            self._log,
            self._cluster.get,
            lambda: self.deployment.placement.nodes if self.deployment else (),
            self.undeploy,
            lambda: self.identity.fingerprint,
            self._changed,
        )
        self.api = ApiDesk(self, lambda: self.settings.now, self._log)

    # -- what is -----------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """This controller's key and certificate, at the moment."""
        return self._cluster.identity

    @property
    def nodes(self) -> dict[str, Node]:
        return self._nodes

    @property
    def local_agents(self) -> LocalAgents | None:
        """The agents that this controller started itself."""
        return self._agents

    @property
    def answers(self) -> int:
        """How many are being written just now."""
        return self._serving.open_sequences

    @property
    def deployment(self) -> Deployment | None:
        return self._serving.deployment

    def snapshot(self) -> Snapshot:
        nodes = tuple(node_view(node) for node in self._nodes.values())
        figures = self.machines.learn(nodes)
        known = {node.fingerprint for node in nodes}
        found = self._discovery.agents if self._discovery else ()
        return Snapshot(
            nodes=nodes,
            discovered=tuple(agent for agent in found if agent.fingerprint not in known),
            discovery_problem=self._discovery.problem if self._discovery else "",
            default_context=self.settings.now.default_context,
            model=self._model,
            models=tuple(model.name for model in self.library.view.models),
            deployment=self._serving.view,
            spares=self._spares.view,
            seconds_per_byte=figures.seconds_per_byte(),
            figures=figures.machines,
            saved=self._saved.of(self._model.name) if self._model else (),
        )

    def subscribe(self, on_snapshot: Callable[[Snapshot], None]) -> Unsubscribe:
        """Calls back on the loop with every new snapshot, at most 20 a second, the latest always."""
        self._listeners.append(on_snapshot)
        self._changed()
        return lambda: self._listeners.remove(on_snapshot) if on_snapshot in self._listeners else None

    def activity(self) -> tuple[ActivityEntry, ...]:
        """The latest entries (at most 1,000), oldest first."""
        return self._log.entries

    def subscribe_activity(self, on_entry: Callable[[ActivityEntry], None]) -> Unsubscribe:
        return self._log.subscribe(on_entry)

    def note(self, level: Level, node: str, message: str) -> None:
        """Writes a sentence into the activity, such as what the window saw end. node: "" for none."""
        self._log.add(level, node, message)

    # -- nodes -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts this machine's agents, connects to the known nodes and begins to look for others. What becomes of
        them arrives by snapshot. Raises ShardboardError when a local agent does not start."""
        if self.settings.problem:
            self._log.add(Level.WARNING, "", self.settings.problem)
        if self._saved.problem:
            self._log.add(Level.WARNING, "", self._saved.problem)
        if self._agents:
            await self._agents.__aenter__()
            for known in self._agents.nodes:
                self._cluster.adopt(known)
        if self._known_nodes:
            self._cluster.adopt_known()
        await self.library.look()
        if self._discovery:
            await self._discovery.start()
        self._changed()

    async def close(self) -> None:
        """Lets go of everything; what is deployed on agents that live on stays deployed."""
        self._listeners.clear()
        if self._pending:
            self._pending.cancel()
        if self._discovery:
            await self._discovery.close()
        await self.api.close()
        await self.machines.close()
        await self.library.close()
        await self._spares.close()
        await self._recovery.close()
        await self._serving.close_pipeline(phrase("The controller was closed."))
        if self._tokenizer:
            for loaded in await asyncio.gather(self._tokenizer, return_exceptions=True):
                if isinstance(loaded, ModelTokenizer):
                    loaded.close()
        await self._cluster.close()
        if self._agents:
            await self._agents.__aexit__(None, None, None)

    async def wait_ready(self, seconds: float = READY_S) -> None:
        """Returns when every node is ready. Raises ShardboardError naming one that is not."""
        await self._cluster.wait_ready(seconds)

    async def probe_agent(self, address: str) -> ProbedAgent:
        """Looks who answers at HOST or HOST:PORT. Raises ShardboardError in words when nobody does."""
        return await self._cluster.probe(address)

    async def add_node(self, address: str, fingerprint: str) -> None:
        """Pins the agent with this fingerprint and connects. Raises ShardboardError when it is another one."""
        self.machines.measure_new((await self._cluster.add(address, fingerprint)).name)

    async def pair_node(self, address: str, code: str) -> KnownNode:
        """Pairs with the agent at HOST or HOST:PORT by the code that it shows. Raises ShardboardError in words."""
        known = await self._cluster.pair(address, code)
        self.machines.measure_new(known.name)
        return known

    async def forget_node(self, name: str) -> str:
        """Unpairs on both sides; answers a sentence that says whether the machine could be told."""
        self._cluster.get(name)
        if self.deployment and name in self.deployment.placement.nodes:
            raise ShardboardError(
                phrase("{name} holds a stage of the deployed model.", name=name), "Undeploy or deploy without it first."
            )
        told = await self._cluster.forget(name)
        self.machines.forget(name)
        return told

    async def rotate_key(self) -> Identity:
        """Gives this controller a new key that all its machines learn; a deployed model goes on."""
        self._deployer.check_free()
        return await self._cluster.rotate()

    # -- the model ---------------------------------------------------------------------------------------------------

    async def choose_model(self, name_or_directory: str) -> ModelView:
        """Reads what the model holds; the snapshot's model changes. Raises SentenceError."""
        directory = await asyncio.to_thread(self.library.resolve, name_or_directory)
        inventory = await asyncio.to_thread(survey, directory)
        self._model, self._draft = ModelView(directory.name, str(directory), inventory), None
        self._tokenizer = asyncio.create_task(asyncio.to_thread(load_tokenizer, directory))
        self._changed()
        return self._model

    async def choose_draft(self, name_or_directory: str) -> None:
        """A small model on the head's machine that guesses for the chosen one, from the next deployment on; "" for
        none. Raises SentenceError."""
        self._draft = None
        if name_or_directory:
            directory = await asyncio.to_thread(self.library.resolve, name_or_directory)
            self._draft = await read_draft(directory, self._chosen().name, await self.tokenizer())

    def check(self, placement: Placement, context_tokens: int) -> tuple[Problem, ...]:
        """Everything that is wrong with a placement here and now."""
        return review.check(self._chosen(), placement, context_tokens, self._nodes, self._draft)

    def preview(self, placement: Placement) -> tuple[NodeMove, ...]:
        """What deploying this would send and load, from what is known now; nothing is touched."""
        return review.preview(self._chosen(), placement, self._nodes, self._draft)

    async def save_placement(self, saved: SavedPlacement) -> None:
        """Keeps a placement by its name; one of the same name is replaced. Raises ShardboardError."""
        await asyncio.to_thread(self._saved.save, saved)
        self._changed()

    async def delete_placement(self, model: str, name: str) -> None:
        """Forgets a saved placement. Raises ShardboardError."""
        await asyncio.to_thread(self._saved.delete, model, name)
        self._changed()

    # -- the deployment ----------------------------------------------------------------------------------------------

    async def deploy(
        self, placement: Placement, context_tokens: int, *, stop_first: bool = False, spares: bool = False
    ) -> None:
        """Pushes what is missing, loads every stage, joins the lanes. Raises before anything is changed when the
        placement has a problem; on a failure under way the snapshot's deployment says which node and why.

        Where the model runs already, its new stages are loaded beside the present ones, answers go over to them between
        two tokens, and whatever fails before leaves all as it is. stop_first: the present ones are unloaded first;
        without it that is refused, by a sentence that says what is lacking, while answers have no room for both.

        spares: a second copy of every unit is brought to another node's disk afterwards, and kept there.
        """
        model, draft = self._chosen(), self._draft
        await self._deployer.deploy(model, draft, placement, context_tokens, stop_first=stop_first, spares=spares)

    async def spares_settled(self) -> None:
        """Returns when all second copies are there that can be."""
        await self._spares.settled()

    async def undeploy(self) -> None:
        await self._deployer.undeploy()

    async def restart_stage(self, node: str) -> None:
        """Loads the stage on a node again and joins all anew."""
        await self._deployer.restart_stage(node)

    async def attach(self, *, mend: bool = True, wanted: bool = True) -> None:
        """Takes up a deployment of this controller that already runs on the nodes, also what is left of one: it is made
        whole again, where mend says so. wanted: for that, layers may move to other machines; else only when somebody
        asks. Raises ShardboardError."""
        await self._deployer.attach(self.choose_model, mend=mend, wanted=wanted)
        if mend:
            await self._deployer.tidy()

    async def tidy(self) -> None:
        """Unloads what a program of this controller left behind when it was killed."""
        await self._deployer.tidy()

    # -- answers -----------------------------------------------------------------------------------------------------

    async def tokenizer(self) -> ModelTokenizer:
        """The chosen model's, once it is loaded. Raises ShardboardError."""
        if self._tokenizer is None:
            raise ShardboardError("No model is chosen.", "Choose one first.")
        return await asyncio.shield(self._tokenizer)

    async def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]:
        """Updates of one answer; the last is a GenerationResult. Closing the iterator stops it at the next token."""
        if self.deployment is None or self._tokenizer is None or self._model is None:
            view = self._serving.view
            cause = view.text if view.state is DeploymentState.FAILED else phrase("Nothing is deployed.")
            raise ShardboardError(cause, "Deploy a model first.")
        if request.max_tokens < 1:
            raise ShardboardError("An answer needs at least one token.", "Choose 1 or more.")
        tokenizer = await self.tokenizer()
        prompt = await prompt_ids(request, tokenizer)
        lanes = self._serving.lanes()
        updates = answer(request, prompt, tokenizer, lanes, self._model.inventory, self._recovery.begin)
        try:
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _chosen(self) -> ModelView:
        if self._model is None:
            raise ShardboardError("No model is chosen.", "Choose one first.")
        return self._model

    async def _order(
        self, model: ModelView, draft: DraftModel | None, placement: Placement, context_tokens: int
    ) -> DeployOrder:
        return await make_order(
            model,
            draft,
            placement,
            context_tokens,
            self._nodes,
            self._digests,
            self._options,
            self._prefill_chunk_tokens,
        )

    def _means(self) -> Means | None:
        if self._deployer.deployed is None:
            return None
        model, draft = self._deployer.deployed
        return Means(model, draft, self.machines.figures.seconds_per_byte(), partial(self._order, model, draft))

    def _settings_changed(self, _settings: Settings) -> None:
        self._cluster.reserves_changed()
        self.api.settings_changed()
        self._changed()

    def _node_changed(self) -> None:
        """A machine that is lost takes its stage with it."""
        deployment = self.deployment
        if deployment and self._serving.view.state is DeploymentState.READY:
            for name in deployment.placement.nodes:
                node = self._nodes.get(name)
                if node and node.state in (NodeState.LOST, NodeState.NOT_PAIRED):
                    self._recovery.lost(name, node.state_text, here=False)
                    break
        self._recovery.nodes_changed()
        self._spares.nodes_changed()
        self._changed()

    def _stage_changed(self, name: str, event: agent_pb2.StageEvent) -> None:
        stage, deployment = event.stage, self.deployment
        if event.message:
            failed = stage.state == agent_pb2.STAGE_STATE_FAILED
            self._log.add(Level.ERROR if failed else Level.INFO, name, event.message)
        if stage.released and deployment and deployment.has(stage.stage_id):
            self._recovery.lost(name, released_text(name, stage), here=True)
        elif stage.state == agent_pb2.STAGE_STATE_UNLOADED:
            self._recovery.released(event)
        elif stage.state == agent_pb2.STAGE_STATE_FAILED and deployment and deployment.has(stage.stage_id):
            self._recovery.lost(name, stopped_text(name, stage), here=True)
        elif stage.apart:
            self._recovery.check_ring()
        elif stage.joined:
            self._recovery.joined()

    def _found(self) -> None:
        if self._discovery:
            self._cluster.seen(self._discovery.agents)
        self._changed()

    def _changed(self) -> None:
        """Tells the listeners soon, and not more often than every SNAPSHOT_S."""
        if self._listeners and self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(SNAPSHOT_S, self._tell)

    def _tell(self) -> None:
        self._pending = None
        snapshot = self.snapshot()
        for listener in list(self._listeners):
            listener(snapshot)
