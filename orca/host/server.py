"""`orca server`: master, node and proxy of one host in one process.

They meet on the wire: the node and the proxy dial the master's gRPC port on loopback with certificates
of their own, exactly as on any other host. Start-up checks first what would stop it (configuration, a
second server, Docker, ports) and only then starts anything; ending it leaves containers and Envoy alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from orca import __version__
from orca.client.schema import ReloadResponse
from orca.client.settings import publish_url
from orca.errors import OrcaError
from orca.host import storage, tokens
from orca.host.configuration import Configuration, read
from orca.host.identities import Identities
from orca.host.metering import Metering
from orca.host.options import Home, ServerOptions
from orca.master.api.app import build_app
from orca.master.api.auth import TokenBook, load_or_create_token
from orca.master.api.server import ApiServer
from orca.master.app import MasterApp
from orca.master.meter import Meter
from orca.master.settings import MasterSettings
from orca.node.app import NodeApp
from orca.node.docker import DockerRuntime
from orca.node.settings import NodeSettings
from orca.processes import PidLock
from orca.proxy.app import ProxyApp
from orca.proxy.settings import ProxySettings
from orca.rpc.grpc_client import GrpcDialer
from orca.rpc.grpc_server import GrpcServer
from orca.rpc.tls import Identity, rotating_server_credentials
from orca.secrets.keyring import Keyring
from orca.secrets.redact import Redactor
from orca.spec.cluster import ClusterSpec
from orca.store.base import Store
from orca.store.election import Election, this_process
from orca.store.embedded import EmbeddedEtcd
from orca.store.keys import Keys
from orca.telemetry import logs, metrics, traces

log = logs.get_logger(__name__)

LOOPBACK = "127.0.0.1"

__all__ = ["Server", "ServerOptions", "run"]


def run(options: ServerOptions) -> None:
    """Run a server in the foreground until SIGINT or SIGTERM. Raises what prevents the start."""
    home = Home(options.home)
    loaded = read(options.config_root)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage.check_room(home)
    with PidLock(home.pid_file):
        redactor = Redactor()
        pipeline = logs.configure(
            logs.LogSettings(
                level=loaded.cluster.log_level,
                file=home.log_file,
                console=sys.stderr.isatty(),
                colors=logs.wants_colors(sys.stderr, os.environ),
            ),
            redact=[redactor],
        )
        try:
            asyncio.run(Server(options, loaded.cluster, redactor, pipeline).run())
        finally:
            pipeline.close()


class Server:
    """One host's programs, from start to end."""

    def __init__(
        self,
        options: ServerOptions,
        cluster: ClusterSpec,
        redactor: Redactor,
        pipeline: logs.LogPipeline,
    ) -> None:
        self._options = options
        self._home = Home(options.home)
        self._redactor = redactor
        self._pipeline = pipeline
        self._configuration = Configuration(
            root=options.config_root, cluster=cluster, apply=self._apply
        )
        self._tokens = TokenBook(load_or_create_token(self._home.token_file))
        self._metrics = metrics.Metrics(spans_dropped=lambda: traces.active().spans_dropped)
        self._master: MasterApp | None = None
        self._proxy: ProxyApp | None = None
        self._dialers: dict[str, GrpcDialer] = {}
        self._stopping = asyncio.Event()

    @property
    def _cluster(self) -> ClusterSpec:
        return self._configuration.cluster

    async def run(self) -> None:
        """Start everything, serve until told to stop, end in order."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        traces.configure(
            traces.TraceSettings(
                program="orca-server",
                endpoint=self._cluster.observability.otlp_endpoint or "",
                attributes={"orca.cluster": self._cluster.name, "orca.version": __version__},
            ),
            redact=self._redactor.text,
        )
        for sentence in self._configuration.not_yet():
            log.warning("configured, but not supported yet; deploys are refused", key=sentence)
        try:
            async with AsyncExitStack() as stack:
                await self._serve(stack)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await asyncio.to_thread(traces.shutdown)
        log.info("orca has ended; containers and the proxy run on")

    async def _serve(self, stack: AsyncExitStack) -> None:
        runtime = DockerRuntime()
        stack.push_async_callback(runtime.close)
        await runtime.ping()
        identities = Identities(self._home.certificates, cluster=self._cluster.name)
        store, etcd = await storage.ready(
            self._home,
            self._cluster,
            self._options.config_root,
            identities,
            report=_report_etcd,
        )
        if etcd is not None:
            stack.push_async_callback(etcd.stop)
            for notice in etcd.notices:
                log.warning(notice)
        stack.push_async_callback(store.close)
        await self._run_programs(stack, runtime, identities, store, etcd)

    async def _run_programs(
        self,
        stack: AsyncExitStack,
        runtime: DockerRuntime,
        identities: Identities,
        store: Store,
        etcd: EmbeddedEtcd | None,
    ) -> None:
        master = self._master = self._build_master(store)
        grpc_server = GrpcServer(
            master,
            host=LOOPBACK,
            port=self._cluster.grpc_port,
            credentials=rotating_server_credentials(identities.master),
        )
        await grpc_server.start()
        stack.push_async_callback(grpc_server.stop)
        address = f"{LOOPBACK}:{grpc_server.port}"
        node = self._build_node(runtime, identities, address, stack)
        proxy = self._proxy = self._build_proxy(identities, address, stack)
        api = self._build_api(master)
        await api.start()
        stack.push_async_callback(api.stop)
        await proxy.prepare()
        publish_url(self._home.path, api.url)
        log.info("orca serves", api=api.url, home=str(self._home.path), pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(master.run(), name="master"),
                group.create_task(node.run(), name="node"),
                group.create_task(proxy.run(), name="proxy"),
                group.create_task(
                    Metering(
                        self._metrics,
                        master.publication,
                        master.journal,
                        mailboxes=lambda: {**master.mailboxes(), **node.mailboxes()},
                    ).run(),
                    name="metering",
                ),
                group.create_task(self._refresh_tokens(), name="tokens"),
                group.create_task(self._keep_certificates(identities), name="certificates"),
            ]
            if etcd is not None:
                tasks.append(group.create_task(etcd.supervise(), name="etcd"))
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    # --- parts ---

    def _master_settings(self, cluster: ClusterSpec) -> MasterSettings:
        started = self._configuration.started
        return MasterSettings(
            cluster=started.name,
            name=socket.gethostname(),
            config_root=str(self._options.config_root),
            home=str(self._home.path),
            api_url=f"http://{started.api_host}:{started.api_port}",
            http_port=self._http_port(cluster),
            https_port=started.proxy.https_port,
        )

    def _build_master(self, store: Store) -> MasterApp:
        cluster = self._cluster
        settings = self._master_settings(cluster)
        election = Election(
            store,
            Keys(cluster.name).leader(),
            this_process(settings.name, address=settings.api_url),
        )
        return MasterApp(
            settings,
            store=store,
            election=election,
            keyring=Keyring.load_or_create(self._home.master_key, cluster=cluster.name),
            clock=time.time,
            reload=self._reload,
            not_yet=self._configuration.not_yet,
            learn=self._redactor.learn,
            meter=Meter(
                planned=self._metrics.plan_seconds.observe,
                committed=self._metrics.store_commit_seconds.observe,
            ),
        )

    def _http_port(self, cluster: ClusterSpec) -> int:
        return self._options.proxy_http_port or cluster.proxy.http_port

    def _build_node(
        self, runtime: DockerRuntime, identities: Identities, address: str, stack: AsyncExitStack
    ) -> NodeApp:
        settings = NodeSettings(
            home=self._home.path,
            cluster=self._cluster.name,
            name=socket.gethostname(),
            instance=self._home.instance,
            known_as=identities.last_node(),
            version=__version__,
        )
        dialer = self._dialer("node", address, lambda: identities.node(node.node), stack)
        node = NodeApp(settings, dialer, runtime)
        return node

    def _dialer(
        self, name: str, address: str, identity: Callable[[], Identity], stack: AsyncExitStack
    ) -> GrpcDialer:
        dialer = self._dialers[name] = GrpcDialer(address, identity)
        stack.push_async_callback(dialer.close)
        return dialer

    def _proxy_settings(self, cluster: ClusterSpec) -> ProxySettings:
        return ProxySettings(
            home=self._home.path,
            name=socket.gethostname(),
            http_port=self._http_port(cluster),
            https_port=self._configuration.started.proxy.https_port,
            access_log=cluster.proxy.access_log,
        )

    def _build_proxy(self, identities: Identities, address: str, stack: AsyncExitStack) -> ProxyApp:
        settings = self._proxy_settings(self._cluster)
        dialer = self._dialer("proxy", address, lambda: identities.proxy(settings.name), stack)
        return ProxyApp(settings, dialer)

    def _build_api(self, master: MasterApp) -> ApiServer:
        app = build_app(
            control=master.control,
            tokens=self._tokens,
            render_metrics=self._metrics.render,
            observe=self._metrics.observe_request,
        )
        return ApiServer(app, host=self._cluster.api_host, port=self._cluster.api_port)

    # --- while it runs ---

    async def _reload(self) -> ReloadResponse:
        return await self._configuration.reload()

    def _apply(self, cluster: ClusterSpec) -> None:
        self._pipeline.set_level(cluster.log_level)
        if self._proxy is not None:
            self._proxy.reconfigure(self._proxy_settings(cluster))
        if self._master is not None:
            self._master.control.reconfigure(self._master_settings(cluster))
            self._tokens.replace(tokens.configured(cluster, self._master.secret_lookup))

    async def _refresh_tokens(self) -> None:
        """Tokens may be secrets: they can be read once a leader has seen the store."""
        assert self._master is not None  # noqa: S101  built before this task
        while self._master.publication.latest.number == 0:
            await self._master.publication.next()
        self._tokens.replace(tokens.configured(self._cluster, self._master.secret_lookup))

    async def _keep_certificates(self, identities: Identities) -> None:
        """A channel keeps the certificate it was built with: those of a renewed one are rebuilt."""
        async for name in identities.renewals():
            if dialer := self._dialers.get(name):
                await dialer.renew()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a person should be told of several things that went wrong at once."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _report_etcd(problem: OrcaError | None) -> None:
    if problem is None:
        log.info("etcd answers again")
    else:
        log.error("etcd has a problem", why=problem.message, hint=problem.hint)
