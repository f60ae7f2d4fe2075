"""A question: one request at one load, asked again and again with single figures moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roofline import evaluate, service
from roofline.errors import RooflineError, suggest
from roofline.report.record import Record, clean, decode_records, prefill_records
from roofline.resolve import Request, resolve

if TYPE_CHECKING:
    from roofline.whatif.levers import Lever

#: What each phase is asked by default, and its price.
DEFAULT = {"decode": "tokens_per_second_per_user", "prefill": "ttft_seconds", "serve": "tokens_per_second_per_chip"}
#: The loads of each phase and what they are where nobody says.
LOADS: dict[str, dict[str, float | None]] = {
    "decode": {"batch": 1, "context": 8192},
    "prefill": {"batch": 1, "isl": 4096, "past": 0},
    "serve": {"isl": 4096, "osl": 1024, "concurrency": None},
}
_PRICE = {"decode": "output", "prefill": "input", "serve": "output"}


@dataclass(frozen=True)
class Question:
    """One deployment at one load.

    Attributes
    ----------
    request : Request
    phase : {"decode", "prefill", "serve"}
    load : dict of str to float
        decode: batch, context; prefill: batch, isl, past; serve: isl, osl, and concurrency unless it is saturated.
    usd_per_hour, basis, utilisation
        As in ``evaluate.pricing``.
    estimate : str or None
        Spatial chips: ``no_speculation`` (by default) or ``as_served``.
    """

    request: Request
    phase: str
    load: dict[str, float]
    usd_per_hour: float | None = None
    basis: str | None = None
    utilisation: float = 1.0
    estimate: str | None = None

    def settled(self) -> Question:
        """Return the question on the deployment that it has now, which stays the same whatever is moved.

        Raises
        ------
        RooflineError
            If it does not fit there.
        """
        record = self.record()
        names = ("chips",) if record["execution"] == "spatial" else ("chips", "tp", "pp", "dp", "ep")
        if not record["fits"]:
            one = f"batch {self.load.get('batch', 1):,.0f} at {self._tokens():,.0f} tokens"
            raise RooflineError(
                f"{record['model']} does not fit on {record['chips']:,} x {record['hardware']} with {one}; "
                "`roofline fit` says what would"
            )
        return replace(self, request=replace(self.request, **{name: record[name] for name in names}))

    def moved(self, lever: Lever, value: float) -> Question:
        """Return the question with one lever at another value."""
        if lever.path in ("usd_per_hour", "utilisation"):
            changes: dict[str, Any] = {lever.path: value}
            return replace(self, **changes)
        if lever.part == "load":
            return replace(self, load=self.load | {lever.path: value})
        text = f"{lever.path}={int(value) if lever.whole else repr(value)}"
        return replace(self, request=replace(self.request, set=(*self.request.set, text)))

    def _tokens(self) -> float:
        load = self.load
        return load.get("context", load.get("isl", 0.0) + load.get("past", 0.0) + load.get("osl", 0.0))

    def record(self) -> Record:
        """Return the flat record of the answer; without times and rates where it does not fit."""
        if self.phase == "serve":
            return self._served()
        batch, tokens = self.load["batch"], self._tokens()
        system = resolve(self.request, batch, tokens)
        price = evaluate.pricing(system, self.usd_per_hour, self.basis, self.utilisation)
        if self.phase == "prefill":
            found = prefill_records(system, batch, self.load["isl"], self.load["past"], price, None)
        else:
            found = decode_records(system, batch, tokens, price, None, None)
        if self.estimate is None or not found[0]["fits"]:
            return clean(found[0])
        for record in found:
            if record["estimate"] == self.estimate:
                return clean(record)
        known = ", ".join(record["estimate"] for record in found)
        raise RooflineError(f"--estimate {self.estimate}: {system.names[0]} has {known}")

    def _served(self) -> Record:
        if self.estimate is not None:
            raise RooflineError(f"--estimate {self.estimate}: belongs to decode; services are predicted in one way")
        users = self.load.get("concurrency")
        load = ("concurrency", users) if users else ("saturated", None)
        isl, osl = self.load["isl"], self.load["osl"]
        money = {"usd_per_hour": self.usd_per_hour, "basis": self.basis, "utilisation": self.utilisation}
        [record] = service.serve([self.request], [isl], [osl], [load], **money)  # type: ignore[list-item,arg-type]
        return record

    def output(self, name: str | None) -> str:
        """Return the record key that a user's word for an output means.

        Raises
        ------
        RooflineError
            If the answer has no such number.
        """
        record = self.record()
        short = {"toks/s/user": "tokens_per_second_per_user", "tok/s": "tokens_per_second"}
        short |= {"tok/s/user": "tokens_per_second_per_user", "tok/s/chip": "tokens_per_second_per_chip"}
        short |= {"$/M": f"usd_per_million_{_PRICE[self.phase]}_tokens"}
        wanted = short.get(name or "", name) or DEFAULT[self.phase]
        echoed = {"chips", "tp", "pp", "dp", "ep", "batch", "usd_per_hour", "utilisation", *self.load}
        known = [
            key
            for key, value in record.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in echoed
        ]
        for key in (wanted, f"{wanted}_seconds"):
            if key in known:
                return key
        if wanted.startswith("usd_per_million"):
            raise RooflineError(f"--output {name}: {record['hardware']} has no published price; give --usd-per-hour")
        raise RooflineError(f"--output {name}: not among the numbers of {self.phase}{suggest(wanted, known)}")
