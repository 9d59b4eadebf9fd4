"""Who is asked: the server of a scenario, from the file, the command line or the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from olbench import address
from olbench.model import Endpoint
from olbench.scenario_check import Faults
from olbench.scenario_text import Document

_SLOTS = 2  # of an engine that olbench starts, unless the scenario says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Who is asked."""

    url: str | None  # None: olbench starts `engine`, which knows its own
    engine: Literal["embedded"] | None
    api: Endpoint  # of cells whose sweep names none
    token_env: str | None  # the variable that holds the token, never the token
    parallel: (
        int | None
    )  # slots: what the engine gets, or what the user says that the server has; None: not said
    threads: int | None  # of the engine; None: it decides


def with_one_server(document: Document) -> Mapping[str, Any]:
    """The tables, where a url from the command line takes the engine of the file away, and the other way round.

    So one scenario serves a machine without Ollama and, with `--set server.url=...`, one that has it.
    """
    given = {str(key[1]) for key in document.source.overrides if key[0] == "server" and len(key) == 2}
    server = document.tables.get("server")
    if not isinstance(server, dict) or {"url", "engine"} <= given or not given & {"url", "engine"}:
        return document.tables
    gone = {"engine", "threads", "parallel"} if "url" in given else {"url", "token_env", "parallel"}
    kept = {key: value for key, value in server.items() if key not in gone - given}
    return {**document.tables, "server": kept}


def server(read: Mapping[str, Any], environ: Mapping[str, str], faults: Faults) -> Server:
    """The section [server], with what stands outside of the file."""
    engine = read["engine"]
    return Server(
        url=None if engine else read["url"] or _ollama_host(environ, faults),
        engine=engine,
        api=read["api"],
        token_env=read["token_env"],
        parallel=_SLOTS if engine and read["parallel"] is None else read["parallel"],
        threads=read["threads"],
    )


def _ollama_host(environ: Mapping[str, str], faults: Faults) -> str:
    try:
        return address.parse(environ.get("OLLAMA_HOST", ""))
    except ValueError as exc:
        # It is asked for only where the file names no server; a file that does never sees this fault.
        if not faults.under(("server", "url")):
            faults.say(f"OLLAMA_HOST cannot be used: {exc}")
        return address.DEFAULT
