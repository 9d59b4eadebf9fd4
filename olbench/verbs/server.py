"""The server that a scenario names: reached, or started, or a sentence that helps."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from olbench import prepare
from olbench.apis.ollama import Ollama
from olbench.errors import ServerError
from olbench.model import ModelCard
from olbench.plan_models import used
from olbench.ports import Api, Engine
from olbench.scenario import Scenario

PATIENCE_NS = 2_000_000_000  # a server that is just starting


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answers."""

    api: Api
    url: str
    version: str
    engine: Engine | None  # ours to start again, None when the server is the user's


@asynccontextmanager
async def reached(scenario: Scenario, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Reached]:
    """The scenario's server; an engine is started, and stopped at the end. ServerError with help when none answers."""
    engine = _engine(scenario)
    try:
        url = scenario.server.url or ""
        if engine is not None:
            url = await engine.start()
        name = scenario.server.token_env
        api = Ollama(
            url,
            token=None if name is None else environ.get(name),
            response_format=scenario.workload.format,
            streamed=scenario.workload.stream,
            load_timeout_ns=scenario.measure.timeout_ns,
            connect_timeout_ns=scenario.measure.connect_timeout_ns,
            first_byte_timeout_ns=scenario.measure.first_byte_timeout_ns,
            stall_timeout_ns=scenario.measure.stall_timeout_ns,
        )
        try:
            yield Reached(api, url, await answering(api, url), engine)
        finally:
            await api.close()
    finally:
        if engine is not None:
            await engine.stop()


async def answering(api: Api, url: str) -> str:
    """The server's version, or ServerError with the first help."""
    try:
        return await prepare.reachable(api, PATIENCE_NS)
    except ServerError as fault:
        raise ServerError(
            f"no Ollama server answers at {url} ({fault})\n{FIRST_HELP}", status=fault.status
        ) from fault


FIRST_HELP = (
    "start one with `ollama serve`, name another with OLLAMA_HOST or `--set server.url=http://HOST:11434` (`--url` of\n"
    "`olbench models`), or let olbench bring its own: `--set server.engine=embedded` needs no Ollama at all"
)


async def catalog(api: Api, scenario: Scenario) -> tuple[ModelCard, ...]:
    """All installed models, and in full those that the scenario uses."""
    listed = await api.catalog()
    wanted = set(used(scenario, listed))
    return tuple([await api.card(card.name) if card.name in wanted else card for card in listed])


def _engine(scenario: Scenario) -> Engine | None:
    if scenario.server.engine is None:
        return None
    from olbench.engines.embedded import Embedded  # noqa: PLC0415 - an extra that most runs do not need

    return Embedded(parallel=scenario.server.parallel or 1, threads=scenario.server.threads)
