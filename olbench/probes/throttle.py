"""Why a GPU runs slower than it could: the bits of the series "gpu0.throttle" in words. Pure."""

# Bit -> words; the bits are nvmlClocksEventReason... of nvml.h (…ThrottleReason… before driver 535).
WORDS = {
    0x001: "idle",
    0x002: "clocks set by a user",
    0x004: "power limit",
    0x008: "hardware slowdown",
    0x010: "kept in step with other GPUs",
    0x020: "heat (the driver's limit)",
    0x040: "heat (the hardware's limit)",
    0x080: "the power supply asked for less",
    0x100: "clocks set for the display",
    0x200: "limit of the board",
    0x400: "voltage limit for reliability",
}
# The bits that mean: under load it was slower than it is when cool and fed.
SLOWED = 0x004 | 0x008 | 0x020 | 0x040 | 0x080


def words(bits: float) -> tuple[str, ...]:
    """The reasons that `bits` hold, lowest first: 5 -> ("idle", "power limit"); () when nothing holds it back."""
    known = tuple(name for bit, name in WORDS.items() if int(bits) & bit)
    rest = int(bits) & ~sum(WORDS)
    return (*known, f"unknown reason {rest:#x}") if rest else known
