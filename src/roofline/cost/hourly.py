"""What a chip costs per hour, on the basis that somebody has published, each with its date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roofline.cost.owner import Terms, owned
from roofline.errors import RooflineError

if TYPE_CHECKING:
    from roofline.specs.hardware import Hardware

Basis = Literal[
    "given", "rental-low", "rental-median", "rental-high", "owner-hyperscaler", "owner-neocloud", "contract", "owned"
]
#: Order in which a basis is chosen when the user names none: what one would pay today, then what an owner pays.
#: ``owned`` is not published but worked out here, and so only taken where it is asked for or every basis is shown.
PREFERRED: tuple[Basis, ...] = (
    "rental-median",
    "owner-neocloud",
    "owner-hyperscaler",
    "contract",
    "rental-low",
    "rental-high",
)


@dataclass(frozen=True, slots=True)
class Hourly:
    """Dollars per chip and hour.

    Attributes
    ----------
    usd : float
        [USD/h per chip].
    basis : str
        What the figure is: a rental offer, an owner's cost, published or worked out, or the user's own number.
    date : str or None
        When the figure was seen.
    source : str or None
    """

    usd: float
    basis: Basis
    date: str | None = None
    source: str | None = None

    @property
    def text(self) -> str:
        """The basis in words, with its date."""
        words = "--usd-per-hour" if self.basis == "given" else self.basis.replace("-", ", ")
        return f"{words}, {self.date}" if self.date else words


def bases(hardware: Hardware, terms: Terms | None = None) -> dict[Basis, Hourly]:
    """Return every hourly cost that the chip's file states, and that of owning it where a purchase price is known.

    Parameters
    ----------
    hardware : Hardware
    terms : Terms, optional
        On what terms it is owned.
    """
    found: dict[Basis, Hourly] = {}
    rental, owner = hardware.price.rental, hardware.price.owner
    named = [
        ("rental-low", rental, "low"),
        ("rental-median", rental, "median"),
        ("rental-high", rental, "high"),
        ("owner-hyperscaler", owner, "hyperscaler"),
        ("owner-neocloud", owner, "neocloud"),
        ("contract", owner, "contract"),
    ]
    for basis, table, field in named:
        figure = getattr(table, field) if table is not None else None
        if figure is not None and table is not None:
            found[basis] = Hourly(figure.value, basis, figure.checked or table.date, figure.source)  # type: ignore[index,arg-type]
    mine = owned(hardware, terms or Terms())
    if mine is not None:
        found["owned"] = Hourly(mine.usd, "owned", mine.date, mine.source)
    return found


def hourly(
    hardware: Hardware, usd_per_hour: float | None = None, basis: str | None = None, terms: Terms | None = None
) -> Hourly | None:
    """Return the hourly cost of one chip.

    Parameters
    ----------
    hardware : Hardware
    usd_per_hour : float, optional
        The user's own figure [USD/h]; overrides everything.
    basis : str, optional
        One of the keys of `bases`; by default the first of `PREFERRED` that the file has.
    terms : Terms, optional
        On what terms the chip is owned, for the basis ``owned``.

    Returns
    -------
    Hourly or None
        None where the chip has no published price.

    Raises
    ------
    RooflineError
        If the basis is unknown or the chip has no figure for it.
    """
    if usd_per_hour is not None:
        return Hourly(usd_per_hour, "given")
    known = bases(hardware, terms)
    if basis is not None:
        if basis not in known:
            has = ", ".join(known) or "none"
            raise RooflineError(f"{hardware.name} has no {basis!r} price (it has: {has}); use --usd-per-hour")
        return known[basis]
    return next((known[name] for name in PREFERRED if name in known), None)
