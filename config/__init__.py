"""What a site sets: devices, delays, thresholds, rules; read once at start, never changed after."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from config.toml_file import STRICT, ConfigError, TomlFile

__all__ = ["HOME", "Config", "ConfigError", "load"]

HOME = Path(__file__).parent
"""The folder of the shipped configuration: terminal.toml, people/."""

Seconds = Annotated[float, Field(gt=0, le=3600)]
Distance = Annotated[float, Field(gt=0, le=0.45)]
"""Distance of two face embeddings. Above 0.45 more than 1 % of strangers pass (facts: measured on 40 identities)."""

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
    """Shell pattern; the first reader that matches is used."""


@dataclass(frozen=True, config=STRICT)
class PhoneReader:
    """The reader that phones are laid on, beside the one for cards."""

    name: str = ""
    """Shell pattern of its PC/SC name; empty: there is none, and phones are not offered."""


@dataclass(frozen=True, config=STRICT)
class Camera:
    """The patient camera, or recorded frames in its place."""

    index: Annotated[int, Field(ge=0)] = 0
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
    """The decision policy; the defaults' error rates stand in README, measured with facts/face.md's method."""

    model: str = ""
    """File of other weights for face_recognition's network (dlib's format, 150 px, 128 numbers); as Camera.clip.

    Thresholds belong to a model, so that those of such a file must stand beside it. Empty: the installed weights.
    """
    threshold: Distance = 0.36
    """Largest distance between the card photo and the mean embedding of ``frames`` frames."""
    fast_accept: Distance = 0.35
    """A single gated frame at most this far is accepted at once, if it is clear."""
    clear_score: float = 0.5
    """HOG score from which a frame is clear enough to decide alone; frontal faces in even light have 1 and more.

    Measured: in patchy light a 50/50 morph came as near as 0.349 to one of its persons in a frame of score 0.40.
    """
    frames: Annotated[int, Field(ge=1, le=20)] = 3
    spacing_ms: Annotated[float, Field(ge=0, le=5000)] = 300.0
    every_frame: bool = False
    """Whether the good frames between those that are compared go into the mean. Means of more frames come out nearer to
    everybody, so that ``threshold`` must be measured anew; what was measured: README.
    """
    max_frames: Annotated[int, Field(ge=1, le=50)] = 5
    """After this many compared frames that did not match, the face is refused."""
    time_limit_s: Seconds = 8.0
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """How often the face may fail in one visit before only the other ways are offered."""
    photo_check: bool = False
    """Whether a face that moves like a flat photograph is turned away; what that stops, and what not: README."""
    challenge: Annotated[int, Field(ge=0, le=3)] = 0
    """How many moves (turn left, turn right, blink; drawn anew each time) are asked for after the face matched."""
    challenge_step_s: Seconds = 5.0
    gate: Gate = field(default_factory=Gate)

    @model_validator(mode="before")
    @classmethod
    def _thresholds_of_the_model(cls, given: Any) -> Any:
        if (
            isinstance(given, dict)
            and given.get("model")
            and not {"threshold", "fast_accept"} <= given.keys()
        ):
            raise ValueError("face.model needs its own face.threshold and face.fast_accept")
        return given


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
    notice_s: Seconds = 10.0
    """How long a visit that ended early is explained on the welcome screen."""
    call_staff_s: Seconds = 60.0
    """How long the call-staff screen stays when no card is in."""
    settle_s: Seconds = 60.0
    """A visit whose sending broke off may still arrive; only after this is the server's "not recorded" believed."""
    device_retry_s: Seconds = 2.0
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
    """医療費助成 (PMH): ask whether the certificate of entitlement may be used."""
    prescription: bool = False
    """Ask in which form a prescription is wanted; only where ``facility_kind`` is ``clinic``."""
    bundled: bool = True
    """Offer 包括同意, one answer for all questions, beside one by one."""


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
    """The counter's window."""

    hide_after_s: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """A name is forgotten so long after its visit, and the window locks itself when nobody uses it so long."""


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
    """px of the window; a kiosk fills its display instead, whatever its size."""
    density_dpi: Annotated[float, Field(ge=60, le=170)] = 150.0
    """px per inch: 150 is 800 x 1280 on 10.1 inch, 170 is 1024 x 600 on 7 inch. Targets are 20 and 12 mm by it."""

    @model_validator(mode="after")
    def _is_large_enough(self) -> Self:
        if self.height >= self.width and self.height < 1280:
            raise ValueError("screen.height must be at least 1280 where it is not below screen.width")
        if self.height < self.width < 1024:
            raise ValueError("screen.width must be at least 1024 where it is above screen.height")
        return self


@dataclass(frozen=True, config=STRICT)
class Config:
    """Everything that terminal.toml may hold."""

    profile: Profile = "leaflet-2023"
    grace_months: Annotated[int, Field(ge=0, le=12)] = 3
    """Months after the month in which the certificate expired, for eligibility without consents (sources differ)."""
    site: Site = field(default_factory=Site)
    reader: Reader = field(default_factory=Reader)
    phone_reader: PhoneReader = field(default_factory=PhoneReader)
    camera: Camera = field(default_factory=Camera)
    face: Face = field(default_factory=Face)
    delays: Delays = field(default_factory=Delays)
    consents: Consents = field(default_factory=Consents)
    server: Server = field(default_factory=Server)
    receipt: Receipt = field(default_factory=Receipt)
    fhir: Fhir = field(default_factory=Fhir)
    journal: Journal = field(default_factory=Journal)
    counter: Counter = field(default_factory=Counter)
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
    ("face", "model"),
    ("receipt", "folder"),
    *(("server", key) for key in ("ca", "cert", "key")),
    *(("fhir", key) for key in ("folder", "secret_file", "ca")),
)


def _located(data: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the table with its paths, which are relative to the file that names them, from the root on."""
    found = dict(data)
    for table, key in _PATHS:
        inside = found.get(table)
        if isinstance(inside, dict) and isinstance(inside.get(key), str) and inside[key]:
            found[table] = {**inside, key: str((file.parent / inside[key]).absolute())}
    return found


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return result
