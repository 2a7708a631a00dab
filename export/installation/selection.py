"""Chooses the model of a pair: the first source that has one, and of its models the best."""

from collections.abc import Sequence
from importlib.util import find_spec

from bundle.languages import best_direction
from export.errors import InstallError
from export.installation.offers import Offer, Pair, Source
from export.installation.settings import InstallSettings
from export.installation.sources import argos, firefox, opus
from export.installation.transfer import Transfers

SOURCES = (firefox.NAME, opus.NAME, argos.NAME)
"""Sources in the order of asking: Firefox's students are the best models made for a CPU."""
PIVOT = "en"


def open_sources(
    settings: InstallSettings, transfers: Transfers, names: Sequence[str] = ()
) -> list[Source]:
    """The sources of these names; of no names, all that can be asked.

    Args:
        settings: Where their indexes are.
        transfers: Reads them.
        names: As `--from` calls them.
    """
    has_hub = find_spec("huggingface_hub") is not None
    chosen = names or [name for name in SOURCES if name != opus.NAME or has_hub]
    opened: dict[str, Source] = {
        firefox.NAME: firefox.FirefoxSource(settings, transfers),
        opus.NAME: opus.OpusSource(settings),
        argos.NAME: argos.ArgosSource(settings, transfers),
    }
    return [opened[name] for name in chosen]


def best_offer(sources: Sequence[Source], pair: Pair) -> Offer | None:
    """The best model of the first source that has one; released ones before all others.

    Of several pairs that fit, the one that the service would choose comes first.

    Raises:
        InstallError: An index cannot be read.
    """
    for source in sources:
        offers = [offer for offer in source.offers(pair) if pair.fits(offer.pair)]
        if offers:
            pairs = sorted({(offer.pair.source, offer.pair.target) for offer in offers})
            nearest = best_direction(pair.source, pair.target, pairs)
            fitting = [o for o in offers if (o.pair.source, o.pair.target) == nearest]
            return max(fitting, key=lambda offer: (offer.is_released, offer.rank))
    return None


def choose(sources: Sequence[Source], pair: Pair) -> list[Offer]:
    """The model of a pair, or the two that lead through English.

    Raises:
        InstallError: There are none, or an index cannot be read.
    """
    direct = best_offer(sources, pair)
    if direct is not None:
        return [direct]
    asked = ", ".join(source.name for source in sources)
    if PIVOT in (pair.source, pair.target):
        raise InstallError(f"no model translates {pair} ({asked}): see `pellucid search`")
    legs = [Pair(source=pair.source, target=PIVOT), Pair(source=PIVOT, target=pair.target)]
    found = [best_offer(sources, leg) for leg in legs]
    missing = [str(leg) for leg, offer in zip(legs, found, strict=True) if offer is None]
    if missing:
        raise InstallError(
            f"no model translates {pair} ({asked}), and none {' and '.join(missing)}, to go "
            "through English: see `pellucid search`"
        )
    return [offer for offer in found if offer is not None]
