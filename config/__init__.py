"""What a site sets: devices, delays, thresholds, rules; read once at start, never changed after."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from config.face_networks import NETWORKS, network_of
from config.toml_file import STRICT, ConfigError, TomlFile

__all__ = ["HOME", "Config", "ConfigError", "load"]

HOME = Path(__file__).parent
"""The folder of the shipped configuration: terminal.toml, people/."""

Seconds = Annotated[float, Field(ge=0.001, le=3600)]
Rest = Annotated[float, Field(ge=0.05, le=3600)]
"""Seconds between two tries; less would keep a core busy with them."""
Distance = Annotated[float, Field(gt=0, le=1)]
"""Distance of two face embeddings; how far it may be set is up to the network, see config.face_networks."""

Profile = Literal["leaflet-2023", "current"]


@dataclass(frozen=True, config=STRICT)
class Site:
    """Which terminal this is and where it stands."""

    terminal_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = "terminal-1"
    institution_code: Annotated[str, Field(pattern=r"^[0-9]{10}$")] = "1312345676"
    facility_kind: Literal["clinic", "pharmacy"] = "clinic"


@dataclass(frozen=True, config=STRICT)
class Reader:
    """A card reader, found by its PC/SC name."""

    name: Annotated[str, Field(min_length=1)] = "*"
    """Pattern in which * and ? stand for anything; all else is literal, brackets too. Letter case, the index and the
    serial number that PC/SC puts behind a name do not count. A card counts in every reader that matches.
    """


@dataclass(frozen=True, config=STRICT)
class PhoneReader:
    """The reader that phones are laid on, beside the one for cards."""

    name: str = ""
    """Pattern of its PC/SC name, as Reader.name; empty: there is none, and phones are not offered."""


@dataclass(frozen=True, config=STRICT)
class Card:
    """What is believed of cards, and what is not published yet of the next ones (docs/guide/card-authenticity.md)."""

    authorities: str = ""
    """File of the authorities whose word on a card's photo counts; empty: the shipped card_authorities.toml."""
    proof_limit_s: Annotated[float, Field(gt=0, le=5)] = 1.0
    """Longest time that a chip may take to sign a challenge; one that is elsewhere takes longer."""
    next_labels: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9]{1,32}$")], ...] = ("JPKIAPICCTOKEN3",)
    """What the JPKI application of the next card calls itself; unpublished."""
    next_application: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{10,32})?$")] = ""
    """AID of the next card's JPKI application, hex; empty: the same as today."""
    next_signs: Literal["digest", "message"] = "digest"
    """What the next card is given to sign with P-384: the SHA-384 digest, or what is to be signed; the other one is
    tried where the signature does not come out right.
    """
    next_sign_p1: Annotated[int, Field(ge=0, le=255)] = 0
    """P1 of its signing command."""


@dataclass(frozen=True, config=STRICT)
class Camera:
    """The patient camera, or recorded frames in its place."""

    index: Annotated[int, Field(ge=0)] = 0
    """Its number; once opened, it is found again when it comes back under another one."""
    device: str = ""
    """In place of the number: a path, best one in /dev/v4l/by-id, or a shell pattern for a name there."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that make its pictures upright, where it is mounted turned."""
    mirror: bool = False
    """Its driver gives mirrored pictures."""
    clip: str = ""
    """Folder of recorded frames; relative to the file that names it. Empty: the camera."""


@dataclass(frozen=True, config=STRICT)
class Gate:
    """What a frame must be like before its face is compared; lengths in px of the full frame."""

    min_face_px: Annotated[int, Field(ge=40)] = 90
    max_face_share: Annotated[float, Field(gt=0, le=1)] = 0.85
    """Largest face height as a share of the frame height."""
    min_score: float = 0.3
    max_roll_deg: Annotated[float, Field(gt=0, le=90)] = 20.0
    max_yaw: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Largest distance of the nose from the middle of the eyes, as a share of the distance between the eyes."""
    min_brightness: float = 35.0
    max_brightness: float = 225.0
    max_glare: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Largest share of px that are as bright as they can be, of the face, or of the frame that shows none."""
    min_sharpness: float = 0.015
    """Of Observation.sharpness. Measured: 0.026 and more on the shipped portraits in every light and size; on the two
    photographs 0.016 and more with a defocus of 1.5 px or 5 px of movement, which do no harm, and 0.013 and less with
    17 px of movement.
    """


@dataclass(frozen=True, config=STRICT)
class Face:
    """The decision policy; the defaults' error rates: docs/guide/how-sure-is-the-face.md."""

    model: str = ""
    """Which network compares: "sface" (as ""), "dlib", or a file of other weights for either; as Camera.clip.

    A file that ends in .onnx is of SFace's kind (112 px), any other of face_recognition's (dlib's format, 150 px); both
    give 128 numbers. Thresholds belong to weights, so that those of such a file must stand beside it.
    """
    threshold: Distance = field(default=NETWORKS["sface"].threshold)
    """Largest distance between the card photo and the mean embedding of ``frames`` frames; default: the network's."""
    fast_accept: Distance = field(default=NETWORKS["sface"].fast_accept)
    """A single gated frame at most this far is accepted at once, if it is clear; default: the network's."""
    clear_score: float = 0.5
    """The finder's score from which a frame is clear enough to decide alone."""
    frames: Annotated[int, Field(ge=1, le=20)] = 3
    spacing_ms: Annotated[float, Field(ge=0, le=5000)] = 300.0
    every_frame: bool = False
    """Whether the good frames between those that are compared go into the mean. Means of more frames come out nearer to
    everybody, so that ``threshold`` must be measured anew; what was measured: docs/guide/how-sure-is-the-face.md.
    """
    max_frames: Annotated[int, Field(ge=1, le=50)] = 5
    """After this many compared frames that did not match, the face is refused."""
    time_limit_s: Seconds = 8.0
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """How often the face may fail in one visit before only the other ways are offered."""
    photo_check: bool = False
    """Whether a face that moves like a flat photograph is turned away; see docs/guide/how-sure-is-the-face.md."""
    challenge: Annotated[int, Field(ge=0, le=3)] = 0
    """How many moves (turn left, turn right; drawn anew each time) are asked for after the face matched."""
    challenge_step_s: Seconds = 5.0
    flash: bool = False
    """Whether the patient's window shows four colours for 1 s after the face matched, which the face must reflect.

    Stops most telephones and no print; measured on a model only, see docs/guide/how-sure-is-the-face.md.
    """
    presence: Annotated[str, Field(pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$")] = ""
    """What is asked of a depth or infrared camera of the site, as ``package.module:function``; empty: there is none.

    It takes nothing and returns at once: True, a person stands there; False, a picture or a mask; None, not known yet.
    It is asked once the face has matched and again with each frame, and nobody is accepted without True. A terminal
    does not start when it cannot be imported.
    """
    gate: Gate = field(default_factory=Gate)

    @model_validator(mode="before")
    @classmethod
    def _numbers_of_the_network(cls, given: Any) -> Any:
        """Fill in what belongs to the network; of a file's weights nothing is known, so its numbers must be given."""
        if isinstance(given, ArgsKwargs):
            given = dict(given.kwargs or {})
        model = given.get("model", "") if isinstance(given, dict) else None
        if not isinstance(model, str):
            return given
        if model and model not in NETWORKS and not {"threshold", "fast_accept"} <= given.keys():
            raise ValueError("face.model needs its own face.threshold and face.fast_accept")
        network = network_of(model)
        return {"threshold": network.threshold, "fast_accept": network.fast_accept, **given}

    @model_validator(mode="after")
    def _within_the_network(self) -> Self:
        network = network_of(self.model)
        if self.threshold > network.ceiling:
            raise ValueError(
                f"face.threshold should be at most {network.ceiling} with the network {network.name}"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Delays:
    """Every wait of the visit, in seconds. Waits for a person's answer warn ``warning_s`` before they end."""

    choice_s: Seconds = 60.0
    pin_s: Seconds = 60.0
    phone_s: Seconds = 60.0
    visual_s: Seconds = 180.0
    """How long staff may take to compare the patient with the photo."""
    question_s: Seconds = 60.0
    warning_s: Seconds = 20.0
    reading_s: Seconds = 20.0
    checking_s: Seconds = 30.0
    sending_s: Seconds = 30.0
    told_s: Seconds = 3.0
    """How long "your check-in is complete" stays when the card is already out."""
    reminder_s: Seconds = 10.0
    """Card still in after completion: time between two reminders."""
    farewell_s: Seconds = 3.0
    matched_s: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How long 本人確認ができました stays at least, before the next thing is asked; 0: it is not shown."""
    notice_s: Seconds = 10.0
    """How long a visit that ended early is explained on the welcome screen."""
    call_staff_s: Seconds = 60.0
    """How long the call-staff screen stays when no card is in."""
    settle_s: Seconds = 60.0
    """A visit whose sending broke off may still arrive; only after this is the server's "not recorded" believed."""
    device_retry_s: Rest = 2.0
    """How long a lost reader or camera is left alone before it is tried again."""


@dataclass(frozen=True, config=STRICT)
class Consents:
    """Which questions this facility asks, in profile ``current`` (facility switches; defaults of real readers)."""

    medication: bool = True
    diagnosis: bool = False
    operation: bool = False
    health_checkup: bool = True
    specific_disease: bool = False
    medical_subsidy: bool = False
    """医療費助成 (PMH): ask of each 受給者証 that holds on the day whether it is used."""
    record_sharing: bool = False
    """電子カルテ情報共有サービス: ask whether letters and the six kinds of records of other clinics may be seen."""
    prescription: bool = False
    """Ask in which form a prescription is wanted; only where ``facility_kind`` is ``clinic``."""
    bundled: bool = True
    """Offer 包括同意, one answer for all questions, beside one by one."""


@dataclass(frozen=True, config=STRICT)
class Attributes:
    """最新の利用者情報(4情報)提供サービス: the clinic learns of a patient's new name or address, after a consent."""

    offer: bool = False
    """Offer it on a page of its own after the check-in; needs ``receipt.folder``, where the worklist lies."""
    items: Annotated[
        tuple[Literal["name", "address", "birth_date", "sex"], ...], Field(min_length=1, max_length=4)
    ] = ("name", "address")
    """What is asked for, one question each."""
    ask_again_days: Annotated[int, Field(ge=0, le=3650)] = 365
    """Who said no is asked again after so many days."""
    method: Literal["crl", "ocsp"] = "crl"
    """How the operator finds ended certificates: by the daily list, or certificate by certificate."""
    nightly: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")] = ""
    """When the terminal looks for changes itself, as "02:00" (Japan), or as soon as it runs again; empty: never."""
    link_serials: bool = True
    """Let the operator follow a customer from the old certificate to the new one."""
    yen_per_case: Annotated[int, Field(ge=0, le=10_000)] = 0
    """What the operator charges for a delivered case; 0: not known."""
    url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    """The platform operator; empty: the same as ``server.url``."""


@dataclass(frozen=True, config=STRICT)
class Announcements:
    """Dated lines on the patient's window."""

    file: str = ""
    """Relative to the file that names it; empty: the shipped ``announcements.toml``."""


@dataclass(frozen=True, config=STRICT)
class Ticket:
    """What the patient has in hand after the check-in."""

    number: bool = False
    """Give a queue number, which begins anew every day."""
    prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,2}$")] = ""
    """Before the number; of several terminals each has its own."""
    wait_at: Annotated[str, Field(max_length=20)] = ""
    """Where to wait, as "2番窓口"; empty: the usual words."""
    print_command: tuple[str, ...] = ()
    """Program and arguments that print what comes on standard input, as ("lp", "-d", "ticket"); empty: only shown."""


@dataclass(frozen=True, config=STRICT)
class Server:
    """The eligibility-confirmation server and how patiently it is asked."""

    url: Annotated[str, Field(pattern=r"^https?://")] = "http://127.0.0.1:8470"
    connect_timeout_s: Seconds = 3.0
    read_timeout_s: Seconds = 5.0
    budget_s: Seconds = 15.0
    """Longest time for one question to the server, all retries included."""
    ca: str = ""
    """Who issued the server's certificate (PEM); empty: those that the system trusts. Paths as in Receipt.folder."""
    cert: str = ""
    """This terminal's certificate (PEM), for a server that asks for one."""
    key: str = ""
    """The key of ``cert``; empty: it is in the same file."""


@dataclass(frozen=True, config=STRICT)
class Receipt:
    """The folder shared with the receipt computer (レセコン), with ``face``, ``req`` and ``res`` in it."""

    folder: str = ""
    """Relative to the file that names it. Empty: no files are written."""
    encoding: Literal["utf-8", "cp932"] = "utf-8"
    """cp932 is what receipt computers call Shift_JIS."""
    answer_requests: bool = True
    """Of several terminals with one folder, only one may answer requests."""
    prescription_in: Literal["body", "result"] = "body"
    """Where the patient's choice of the prescription's form stands: readers look in one place or the other."""
    flags_2025: bool = False
    """Write the six consent flags that came in 2025, for receipt computers that know them."""


@dataclass(frozen=True, config=STRICT)
class Fhir:
    """FHIR Bundles for charts that read no face files, beside each of them; off unless a place is named.

    Paths as in Receipt.folder. Needs ``receipt.folder`` and the extra ``fhir``.
    """

    folder: str = ""
    webhook: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    """Address that each Bundle is posted to, signed by the secret."""
    secret_file: str = ""
    """File with the secret of the signature (HMAC-SHA-256), at least 16 characters; needed for a webhook."""
    ca: str = ""
    """Who issued the webhook's certificate (PEM); empty: those that the system trusts."""


@dataclass(frozen=True, config=STRICT)
class Journal:
    """What the terminal keeps of past visits, without personal data."""

    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30


@dataclass(frozen=True, config=STRICT)
class Counter:
    """The counter's page, and what the terminal keeps for it."""

    hide_after_s: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """A name is forgotten so long after its visit."""
    logout_after_s: Annotated[float, Field(ge=10, le=43_200)] = 900.0
    """Who does not use the page so long is logged out."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address that the page's program listens on; any other than this machine's own needs ``cert`` and ``key``."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8480
    names: str = ""
    """By which other names browsers know this machine, with spaces between them."""
    cert: str = ""
    """The page's certificate for TLS (PEM). Paths as in Receipt.folder."""
    key: str = ""


@dataclass(frozen=True, config=STRICT)
class Fleet:
    """The broker (MQTT over TLS) by which boards watch and steer this terminal."""

    broker: str = ""
    """Its host; empty: no broker."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    ca: str = ""
    """Who issues the certificates of broker, boards and terminals (PEM). Paths as in Receipt.folder."""
    cert: str = ""
    """This machine's certificate (PEM); its common name is the terminal's or board's id."""
    key: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.broker and not (self.ca and self.cert and self.key):
            raise ValueError("fleet.broker needs fleet.ca, fleet.cert and fleet.key")
        return self


@dataclass(frozen=True, config=STRICT)
class Sound:
    """The voice at the patient's window."""

    voice: bool = True
    volume: Annotated[int, Field(ge=0, le=100)] = 80
    """Percent of the recordings' own loudness; the machine's mixer comes on top."""


@dataclass(frozen=True, config=STRICT)
class Screen:
    """The patient's display; a window that is taller than wide is laid out in one column, another one in two."""

    width: Annotated[int, Field(ge=800, le=4096)] = 800
    height: Annotated[int, Field(ge=600, le=4096)] = 1280
    """px of the window; a kiosk fills its display instead, and elsewhere a window is made smaller until it fits."""
    density_dpi: Annotated[float, Field(ge=0, le=300)] = 0.0
    """px per inch of the display; 0: as the system knows it. 150 is 800 x 1280 on 10.1 inch, 170 is 1024 x 600 on 7."""

    @model_validator(mode="after")
    def _is_large_enough(self) -> Self:
        if self.height >= self.width and self.height < 1280:
            raise ValueError("screen.height must be at least 1280 where it is not below screen.width")
        if self.height < self.width < 1024:
            raise ValueError("screen.width must be at least 1024 where it is above screen.height")
        if 0 < self.density_dpi < 60:
            raise ValueError(
                "screen.density_dpi must be 0, which means as the system knows it, or from 60 to 300"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Config:
    """Everything that terminal.toml may hold."""

    profile: Profile = "leaflet-2023"
    grace_months: Annotated[int, Field(ge=0, le=12)] = 3
    """Months after the month in which the certificate expired, for eligibility without consents (sources differ)."""
    confirm_answers: bool = True
    """Show every answer once more before they are sent."""
    site: Site = field(default_factory=Site)
    reader: Reader = field(default_factory=Reader)
    phone_reader: PhoneReader = field(default_factory=PhoneReader)
    card: Card = field(default_factory=Card)
    camera: Camera = field(default_factory=Camera)
    face: Face = field(default_factory=Face)
    delays: Delays = field(default_factory=Delays)
    consents: Consents = field(default_factory=Consents)
    server: Server = field(default_factory=Server)
    attributes: Attributes = field(default_factory=Attributes)
    ticket: Ticket = field(default_factory=Ticket)
    announcements: Announcements = field(default_factory=Announcements)
    receipt: Receipt = field(default_factory=Receipt)
    fhir: Fhir = field(default_factory=Fhir)
    journal: Journal = field(default_factory=Journal)
    counter: Counter = field(default_factory=Counter)
    fleet: Fleet = field(default_factory=Fleet)
    sound: Sound = field(default_factory=Sound)
    screen: Screen = field(default_factory=Screen)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.face.fast_accept > self.face.threshold:
            raise ValueError("face.fast_accept must not be above face.threshold")
        if self.face.max_frames < self.face.frames:
            raise ValueError("face.max_frames must not be below face.frames")
        if self.server.budget_s > self.delays.sending_s:
            # Else consents would still be sent after the patient was told that nothing came of it.
            raise ValueError("server.budget_s must not be above delays.sending_s")
        if (self.fhir.folder or self.fhir.webhook) and not self.receipt.folder:
            raise ValueError("fhir needs receipt.folder: a Bundle stands beside a face file")
        if self.fhir.webhook and not self.fhir.secret_file:
            raise ValueError("fhir.webhook needs fhir.secret_file")
        if bool(self.counter.cert) != bool(self.counter.key):
            raise ValueError("counter.cert and counter.key go together")
        if self.attributes.offer and not self.receipt.folder:
            raise ValueError("attributes.offer needs a receipt.folder")
        if self.attributes.nightly and not self.attributes.offer:
            raise ValueError("attributes.nightly needs attributes.offer")
        if self.face.photo_check and self.face.time_limit_s < 2:
            raise ValueError("face.photo_check needs a face.time_limit_s of at least 2")
        return self


def load(path: Path | None = None, *overrides: tuple[dict[str, Any], TomlFile]) -> Config:
    """Read a terminal.toml (the shipped one by default), with tables of other files laid over it.

    Each override is a table and the file it came from, so that a mistake in it is reported there.
    Raises ConfigError naming file, line, key, value and what is allowed.
    """
    file = TomlFile.read(path or HOME / "terminal.toml")
    data = _located(file.data, file.path)
    config = file.parse(Config, data)
    for table, source in overrides:
        data = _laid_over(data, _located(table, source.path))
        try:
            config = file.parse(Config, data)
        except ConfigError:
            # The base was right, so the mistake stands in what was laid over it.
            config = source.parse(Config, data, at=("config",))
    return config


_PATHS = (
    ("camera", "clip"),
    ("card", "authorities"),
    ("face", "model"),
    ("receipt", "folder"),
    ("announcements", "file"),
    *((table, key) for table in ("server", "fleet") for key in ("ca", "cert", "key")),
    *(("counter", key) for key in ("cert", "key")),
    *(("fhir", key) for key in ("folder", "secret_file", "ca")),
)


def _located(data: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the table with its paths, which are relative to the file that names them, from the root on."""
    found = dict(data)
    for table, key in _PATHS:
        inside = found.get(table)
        named = inside.get(key) if isinstance(inside, dict) else None
        if isinstance(named, str) and named and not (key == "model" and named in NETWORKS):
            found[table] = {**found[table], key: str((file.parent / named).absolute())}
    return found


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return result
