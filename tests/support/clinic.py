"""A clinic of tests: a terminal with a receipt folder beside an eligibility server, and a patient who comes there."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from config import Consents, Profile, Receipt, Server, Site
from config.person import Insurance
from consent.choices import ConsentAnswer, Item, PrescriptionForm
from consent.eligibility import EligibilityClient
from consent.receipt_files.answers import receipt_folder_service
from consent.receipt_files.files import ResponseFile, read_result
from consent.receipt_files.folder import SETTLED_S, ReceiptFolderService
from tests.support.servers import TERMINAL, Bench, person

SITE = Site(institution_code="1311111111")
TARO = person(
    "taro",
    name_kana="ヨシダ　タロウ",
    birth_date=date(1954, 3, 1),
    sex=1,
    post_number="1020082",
    insurance=Insurance(
        insurer_number="138057",
        symbol="12",
        number="4260",
        branch="01",
        family=True,
        insured_name="𠮷田 一郎",
        share=20,
        limit_category="B04",
        specific_diseases=(1, 3),
    ),
)
TARO = replace(TARO, name="𠮷田 太郎")


class Clinic:
    """A terminal with a receipt folder and an eligibility server."""

    def __init__(self, made: Bench, root: Path, budget_s: float = 1.0, **settings: Any) -> None:
        for name in ("face", "req", "res"):
            (root / name).mkdir()
        self.made = made
        self.root = root
        self.budget_s = budget_s
        self.seconds = 0.0
        self.receipt = Receipt(folder=root.name, **settings)
        self.client = self.client_of("leaflet-2023")
        self.computer = self.started()

    def client_of(self, profile: Profile, **switches: bool) -> EligibilityClient:
        identity = self.made.authority.enrol_terminal(TERMINAL)
        settings = Server(url=self.made.server.url, budget_s=self.budget_s)
        client = EligibilityClient(settings, identity, profile, Consents(**switches), SITE)
        self.made.clients.append(client)
        return client

    def started(self) -> ReceiptFolderService:
        computer = receipt_folder_service(
            self.receipt, SITE, self.client, self.root.parent, seconds=lambda: self.seconds
        )
        assert computer
        return computer

    def visit(
        self,
        visit_id: str,
        answers: dict[Item, ConsentAnswer],
        someone: Any = TARO,
        subsidies: tuple[ConsentAnswer, ...] = (),
    ) -> None:
        certificate = self.made.certificate(someone)
        told = self.client.identify_by_face(visit_id, self.client.challenge(), certificate, 0.3)
        form = PrescriptionForm.PAPER if told.prescription_offered else None
        # What a test does not speak of is declined: the server wants every question answered.
        declined = dict.fromkeys(told.questions, ConsentAnswer.DECLINED)
        said = dict(zip([offer.id for offer in told.subsidies], subsidies, strict=True))
        self.client.send_consents(visit_id, declined | answers, form, said)

    def face(self) -> ResponseFile:
        (name,) = os.listdir(self.root / "face")
        return read_result((self.root / "face" / name).read_bytes())

    def answer(self, request: str, name: str) -> ResponseFile:
        (self.root / "req" / name).write_bytes(request.encode("cp932" if "Shift_JIS" in request else "utf-8"))
        self.computer.look()
        self.seconds += SETTLED_S + 0.01
        report = self.computer.look()
        assert (report.answered, report.problem) == (1, "")
        return read_result((self.root / "res" / name.replace("req", "res")).read_bytes())
