"""A page from a template: style and script stand in it, and nothing else may run there."""

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

from olbench import __version__
from olbench.report.charts.canvas import SHAPES
from olbench.report.palette import TINTS


def render(template: str, page: object) -> str:
    """The page as text: all that `page` holds is escaped, but drawings, which the template calls safe."""
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made = _environment().get_template(template)
    text = made.render(
        page=page,
        tints=TINTS,
        shapes=SHAPES,
        script=script,
        script_hash=f"sha256-{digest}",
        olbench=__version__,
    )
    return text.lstrip()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _part(name: str) -> str:
    return resources.files("olbench.report").joinpath("templates", name).read_text(encoding="utf-8")
