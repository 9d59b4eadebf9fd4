"""The colours of page and charts: one row a role, one value for light and one for dark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tint:
    """A colour by its role. In CSS it is `var(--name)`; in matplotlib it is the stand-in that `canvas` replaces."""

    name: str
    light: str
    dark: str

    @property
    def stand_in(self) -> str:
        """A colour that nothing else in a figure has."""
        return f"#fe01{TINTS.index(self):02x}"


TINTS: tuple[Tint, ...] = (
    Tint("paper", "#fdfdfb", "#15171a"),
    Tint("raised", "#f4f4f0", "#1d2024"),
    Tint("ink", "#1b1d20", "#e8e8e4"),
    Tint("muted", "#5c6168", "#a0a5ac"),
    Tint("rule", "#cfd1cc", "#3b4047"),
    Tint("grid", "#e4e5e0", "#2a2e33"),
    Tint("band", "#eeeee9", "#202429"),
    Tint("accent", "#0b5c9c", "#7db9ee"),
    Tint("warn", "#9c3d00", "#f0a066"),
    Tint("fine", "#17693a", "#6fcf97"),
    # Series: the hue order of Okabe and Ito (2008); lightness found by search, so that under normal sight,
    # protanopia, deuteranopia and tritanopia (Machado 2009) the closest pair keeps the widest distance, at 3:1 on paper and 4.5:1 at night.
    Tint("s1", "#216ddf", "#4285fb"),
    Tint("s2", "#e26f01", "#e47d3e"),
    Tint("s3", "#215530", "#9cf5b1"),
    Tint("s4", "#830271", "#b766a6"),
    Tint("s5", "#aa8b52", "#f3d809"),
    Tint("s6", "#8887ce", "#a2a7f5"),
    Tint("s7", "#389d95", "#1bf2f6"),
    Tint("s8", "#25272c", "#a5a39c"),
)
BY_NAME = {tint.name: tint for tint in TINTS}


def tint(name: str) -> str:
    """The stand-in colour for a role, to hand to matplotlib."""
    return BY_NAME[name].stand_in
