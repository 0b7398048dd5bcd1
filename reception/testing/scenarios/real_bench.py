"""Scenarios on the bench of a file: what its devices and hands can play is known before anything is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from config import Camera
from config.toml_file import ConfigError, TomlFile
from reception.testing.scenarios import Play, Rule
from reception.testing.testbench import BenchKind, RealBench
from reception.testing.testbench.file import BenchPlan
from reception.testing.testbench.one_card import TRIES_KEPT
from reception.testing.testbench.operators import HANDS
from reception.testing.testbench.real import FULL_TRIES

_CAMERA_HANDS = frozenset(("unplug_camera", "plug_camera", "black_camera", "freeze_camera"))


@dataclass(frozen=True)
class Opened:
    """A bench file's devices, ready for ``play_all``."""

    kind: BenchKind | RealBench
    camera: Camera | None
    plays: list[Play]

    @property
    def trouble(self) -> str:
        """Return what ended the run, if anything did."""
        return self.kind.trouble if isinstance(self.kind, RealBench) else ""


@contextmanager
def opened(plan: BenchPlan, plays: Sequence[Play], *, allow_pin_miss: bool = False) -> Iterator[Opened]:
    """Open a bench file's devices for these scenarios; raises ConfigError, BenchTrouble."""
    camera = plan.file.camera.real
    plays = [replace(play, clip=play.clip or plan.clip) for play in plays]
    if not plan.real:
        yield Opened(plan.simulated_kind, camera, plays)
        return
    real = RealBench(plan, allow_pin_miss=allow_pin_miss)
    for play in plays:
        check(play, real)
    with real:
        yield Opened(real, camera, plays)


def check(play: Play, real: RealBench) -> None:
    """Refuse a scenario that this bench cannot play, or that could block its card; raises ConfigError."""
    file = TomlFile.read(play.path)
    _check_person(play, real, file)
    if play.scenario.clip and real.plan.file.camera.real is not None:
        raise file.mistake(("clip",), "this bench has a real camera")
    misses = 0
    for number, rule in enumerate(play.scenario.on):
        refusal = _refusal(rule, real)
        if rule.do == "type_pin":
            misses = 0 if rule.value == "card" else misses + 1
            if FULL_TRIES - misses < TRIES_KEPT:
                refusal = f"could leave the card less than {TRIES_KEPT} tries"
        if refusal:
            raise _mistake(file, number, rule, refusal)


def _check_person(play: Play, real: RealBench, file: TomlFile) -> None:
    card, refusal = play.person.card, ""
    if card.kind == "phone-android":
        refusal = "shows its certificate after the PIN only, so a bench could not tell whose phone it is"
    elif card.is_phone and real.phone_reader is None:
        refusal = "this bench has no phone reader"
    elif (
        card.forgery
        or card.generation != "current"
        or card.kind not in ("standard", "phone-ios")
        or card.pin_tries_left != FULL_TRIES
    ):
        refusal = "only a virtual card is like that"
    elif play.person.certificate.status != "good":
        refusal = "only a virtual card's certificate is like that"
    if refusal:
        raise file.mistake(("person",), f"{play.scenario.person}: {refusal}")


def _refusal(rule: Rule, real: RealBench) -> str:
    camera_is_real = real.plan.file.camera.real is not None
    hands = real.can if camera_is_real else real.can | _CAMERA_HANDS
    match rule.do:
        case "swap_card":
            return "this bench may touch one card only"
        case "insert_card" | "tap_phone" if rule.person:
            return "this bench has one card, and nobody else's"
        case "show" if camera_is_real:
            return "this bench has a real camera"
        case "type_pin" if rule.value != "card" and not real.allow_pin_miss:
            return "spends a PIN try of a real card; --allow-pin-miss allows it"
        case "fail_power_ups" | "lose_exchanges" | "reader_quirk":
            return "only a virtual reader does that when asked to"
        case verb if verb in HANDS and verb not in hands:
            return f"this bench's operator ({real.plan.file.operator.kind}) cannot do that"
    return ""


def _mistake(file: TomlFile, number: int, rule: Rule, refusal: str) -> ConfigError:
    return file.mistake(("on", number, "do"), f"{rule.do}: {refusal}")
