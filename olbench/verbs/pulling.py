"""Missing models, pulled with a bar that shows how far."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from olbench.ports import Api


async def pull(api: Api, models: Sequence[str]) -> None:
    """Pull the models, one after the other. Raises ServerError with the server's words."""
    console = Console(stderr=True)
    for model in models:
        if console.is_terminal:
            await _with_bar(api, model, console)
        else:
            await _with_lines(api, model, console)


async def _with_bar(api: Api, model: str, console: Console) -> None:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"pulling {model}", total=None)
        async for row in api.pull(model):
            progress.update(
                task, description=f"{model}: {row.status}", completed=row.completed or 0, total=row.total
            )
    console.print(Text(f"pulled {model}"))


async def _with_lines(api: Api, model: str, console: Console) -> None:
    last = ""
    async for row in api.pull(model):
        if row.status != last:
            console.print(Text(f"{model}: {row.status}"), soft_wrap=True)
            last = row.status
