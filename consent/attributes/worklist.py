"""The worklist of changed names and addresses: files in the receipt computer's folder, where such data may lie.

``attributes/patients`` holds what the clinic knew at the consent, ``pending`` what staff still have to look at, and
``notes`` what they accepted, for the receipt computer. Nothing here ever touches a file of the insurer's answer.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from consent.attributes.rules import Attribute

_LARGEST_FILE = 65_536
_ID = re.compile(r"[0-9a-f-]{8,64}")
_FOLDERS = ("patients", "pending", "notes")
SOURCE = "最新の利用者情報(4情報)提供サービス"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class WorklistError(Exception):
    """The folder cannot be used; ``str()`` says which file and why, with nothing of its content."""


@dataclass(frozen=True)
class Patient:
    """What the clinic knew of a customer at the consent."""

    customer: str
    reference_number: str = field(default="", repr=False)
    """診察券番号; empty where none is registered."""
    attributes: Mapping[Attribute, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Case:
    """One change that staff accept or refuse."""

    match_id: str
    customer: str
    found_at: datetime
    reference_number: str = field(repr=False)
    old: Mapping[Attribute, str] = field(repr=False)
    new: Mapping[Attribute, str] = field(repr=False)

    def side_by_side(self) -> tuple[tuple[Attribute, str, str, bool], ...]:
        """Return each attribute as (which, old, new, whether it changed); what was not consented to has no new one."""
        rows = []
        for each in Attribute:
            old, new = self.old.get(each, ""), self.new.get(each, "")
            if old or new:
                rows.append((each, old, new, bool(new) and _plain(old) != _plain(new)))
        return tuple(rows)


class Worklist:
    """The files below ``folder/attributes``; safe for one program at a time. Every method raises WorklistError."""

    def __init__(self, folder: Path, encoding: str = "utf-8", sync: Callable[[int], None] = os.fsync) -> None:
        self._folder, self._encoding, self._sync = folder / "attributes", encoding, sync

    def keep_patient(self, patient: Patient) -> None:
        """Keep what is known of a customer, in place of what was."""
        self._write(
            "patients",
            f"{_checked(patient.customer)}.json",
            _json(reference_number=patient.reference_number, attributes=_texts(patient.attributes)),
        )

    def forget_patient(self, customer: str) -> None:
        """Forget a customer, as after a withdrawal."""
        self._remove("patients", f"{_checked(customer)}.json")

    def patient(self, customer: str) -> Patient:
        """Return what is known of a customer; nothing where no file is."""
        told = self._read("patients", f"{_checked(customer)}.json") or {}
        return Patient(customer, str(told.get("reference_number", "")), _attributes(told.get("attributes")))

    def put(self, match_id: str, customer: str, found_at: datetime, new: Mapping[Attribute, str]) -> None:
        """Put a change on the list; again changes nothing."""
        patient = self.patient(customer)
        content = _json(
            customer=customer,
            found_at=found_at.isoformat(),
            reference_number=patient.reference_number,
            old=_texts(patient.attributes),
            new=_texts(new),
        )
        self._write("pending", f"{_checked(match_id)}.json", content)

    def cases(self) -> tuple[Case, ...]:
        """Return the changes to look at, oldest first."""
        found = [self.case(name) for name in self._names("pending")]
        return tuple(
            sorted((each for each in found if each), key=lambda each: (each.found_at, each.match_id))
        )

    def case(self, match_id: str) -> Case | None:
        """Return one change; None: it is not on the list, or no longer."""
        told = self._read("pending", f"{_checked(match_id)}.json")
        if told is None:
            return None
        try:
            return Case(
                match_id,
                str(told["customer"]),
                datetime.fromisoformat(str(told["found_at"])),
                str(told["reference_number"]),
                _attributes(told["old"]),
                _attributes(told["new"]),
            )
        except (KeyError, ValueError):
            raise WorklistError(f"{self._folder / 'pending' / match_id}.json: is damaged") from None

    def accept(self, match_id: str, by: str, at: datetime) -> bool:
        """Write the receipt computer's note of a change, and take it off the list; False: it is not on it."""
        case = self.case(match_id)
        if case is None:
            return False
        self._write("notes", f"AttributeNote_{at:%Y%m%d}_{match_id}.xml", _note(case, by, at, self._encoding))
        known = self.patient(case.customer)
        self.keep_patient(Patient(case.customer, known.reference_number, {**known.attributes, **case.new}))
        self._remove("pending", f"{match_id}.json")
        return True

    def refuse(self, match_id: str) -> bool:
        """Take a change off the list; False: it is not on it."""
        if self.case(match_id) is None:
            return False
        self._remove("pending", f"{match_id}.json")
        return True

    # --- Files --------------------------------------------------------------------------------------------------

    def _names(self, kind: str) -> Iterator[str]:
        try:
            yield from sorted(
                path.stem
                for path in (self._folder / kind).glob("*.json")
                if _ID.fullmatch(path.stem) and not path.is_symlink()
            )
        except OSError as error:
            raise self._trouble(self._folder / kind, error) from None

    def _read(self, kind: str, name: str) -> dict[str, Any] | None:
        path = self._folder / kind / name
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(descriptor, "rb") as file:
                told = json.loads(file.read(_LARGEST_FILE))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._trouble(path, error) from None
        except ValueError:
            raise WorklistError(f"{path}: is damaged") from None
        if not isinstance(told, dict):
            raise WorklistError(f"{path}: is damaged")
        return told

    def _write(self, kind: str, name: str, content: bytes) -> None:
        folder = self._folder / kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    self._sync(file.fileno())
                os.replace(temporary, folder / name)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise self._trouble(folder / name, error) from None

    def _remove(self, kind: str, name: str) -> None:
        try:
            (self._folder / kind / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble(self._folder / kind / name, error) from None

    @staticmethod
    def _trouble(path: Path, error: OSError) -> WorklistError:
        return WorklistError(f"{path}: cannot be used: {error.strerror or error}")


def is_number(name: str) -> bool:
    """Return whether this can be the number of a case or customer."""
    return _ID.fullmatch(name) is not None


def _checked(name: str) -> str:
    if not is_number(name):
        raise WorklistError("a case or customer has a number that was never given")
    return name


def _json(**content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8")


def _texts(attributes: Mapping[Attribute, str]) -> dict[str, str]:
    return {str(each): text for each, text in attributes.items()}


def _attributes(told: object) -> dict[Attribute, str]:
    known = told if isinstance(told, dict) else {}
    return {Attribute(each): str(text) for each, text in known.items() if each in list(Attribute)}


def _plain(text: str) -> str:
    """Compare without blanks of any width: they are written differently everywhere."""
    return "".join(text.split())


def _note(case: Case, by: str, at: datetime, encoding: str) -> bytes:
    """Return the note, in a format of our own; none that is published has a place for it."""
    root = ElementTree.Element("AttributeNote")
    values = {
        "ReferenceNumber": case.reference_number,
        "Source": SOURCE,
        "AcceptedAt": f"{at:%Y%m%d%H%M%S}",
        "AcceptedBy": by,
    }
    for name, value in values.items():
        ElementTree.SubElement(root, name).text = value
    for attribute, old, new, changed in case.side_by_side():
        if changed:
            entry = ElementTree.SubElement(root, "Changed", item=attribute.value)
            ElementTree.SubElement(entry, "Before").text = _NOT_IN_XML.sub("\ufffd", old)
            ElementTree.SubElement(entry, "After").text = _NOT_IN_XML.sub("\ufffd", new)
    body = ElementTree.tostring(root, encoding="unicode")
    declared = "UTF-8" if encoding == "utf-8" else "Shift_JIS"
    text = f'<?xml version="1.0" encoding="{declared}" standalone="no"?>\n{body}\n'
    # What the code page lacks becomes a character reference, which every XML reader turns back.
    return text.encode(encoding, "xmlcharrefreplace")
