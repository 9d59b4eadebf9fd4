"""`olbench models`: what a server has installed, and what of it is loaded."""

import asyncio
import os
import sys

import click

from olbench import address
from olbench.apis.ollama import Ollama
from olbench.errors import ServerError, UsageError
from olbench.model import ModelCard
from olbench.ports import Api
from olbench.report import text
from olbench.verbs.server import answering


def main(*, url: str | None, token_env: str | None) -> int:
    """The exit code."""
    return asyncio.run(_models(_address(url), _token(token_env)))


async def _models(url: str, token: str | None) -> int:
    api = Ollama(url, token=token)
    try:
        await answering(api, url)
        cards = tuple([await _whole(api, card) for card in await api.catalog()])
        resident = await api.resident()
    finally:
        await api.close()
    click.echo(text.models(cards, resident, colour=sys.stdout.isatty()))
    return 0


async def _whole(api: Api, card: ModelCard) -> ModelCard:
    try:
        return await api.card(card.name)
    except ServerError:
        return card  # a model that is listed but cannot be shown is still installed


def _address(url: str | None) -> str:
    try:
        return (
            address.parse(os.environ.get("OLLAMA_HOST", "")) if url is None else address.parse_strictly(url)
        )
    except ValueError as fault:
        raise UsageError(f"{'OLLAMA_HOST' if url is None else '--url'}: {fault}") from fault


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if name not in os.environ:
        raise UsageError(f"--token-env: the environment has no variable {name}")
    return os.environ[name]
