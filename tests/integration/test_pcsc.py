"""What every card reader does alike, in process and through pcscd and pyscard; then what only PC/SC knows."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.card import (
    CardRemovedError,
    CardUnreadable,
    MyNumberCard,
    NoReader,
    PhotoTrust,
    Presence,
    ReaderBusy,
    ReaderStalled,
    ServiceDown,
)
from hardware.card.pcsc import PcscReader, reader_names
from hardware.simulation.pcscd import READER, SECOND_READER, BenchError, PcscdBench, service_folder
from hardware.simulation.virtual_card import RecordingCard, VpcdSlot, attach_to_vpcd, foreign_card
from reception.testing.testbench import RealBench
from tests import conftest
from tests.support import ROOT, cards
from tests.support.pcscd import BOTH_BENCHES, Bench, BenchOfFile, bench_of_kind, real_bench, running_pcscd


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The contract's benches; with --bench FILE a third one, where a person may be slow."""
    if "bench" in metafunc.fixturenames:
        benches = [pytest.param(kind, id=kind) for kind in BOTH_BENCHES]
        if conftest.bench_file is not None:
            slow = pytest.mark.timeout(900)
            benches.append(pytest.param(conftest.bench_file, id=conftest.bench_file.name, marks=slow))
        metafunc.parametrize("bench", benches, indirect=True)


@pytest.fixture(scope="session")
def real() -> Iterator[RealBench]:
    assert conftest.bench_file
    with real_bench(conftest.bench_file, allow_pin_miss=conftest.allow_pin_miss) as opened:
        yield opened


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if isinstance(request.param, str):
        with bench_of_kind(request.param) as made:
            yield made
        return
    opened: RealBench = request.getfixturevalue("real")
    if opened.trouble:
        pytest.fail(f"not run: {opened.trouble}", pytrace=False)
    bench = BenchOfFile(opened)
    for mark in request.node.iter_markers("needs"):
        missing = [what for what in mark.args if bench.lacks(what)]
        if missing:
            pytest.skip(f"{request.param.name} has no {', '.join(missing)}")
    opened.restore()
    yield bench
    if not opened.trouble:
        opened.restore()


@pytest.fixture
def pcscd() -> Iterator[PcscdBench]:
    with running_pcscd() as made:
        yield made


class TestEveryReader:
    """The contract of CardReader and CardChannel; the same tests on both benches, and on a real reader."""

    def test_an_empty_reader_is_empty_and_has_no_card_to_connect(self, bench: Bench) -> None:
        assert bench.reader.presence() is Presence.EMPTY
        with pytest.raises(CardRemovedError):
            bench.reader.connect()

    def test_a_card_that_is_in_before_anyone_waits_is_seen_at_once(self, bench: Bench) -> None:
        bench.insert_own()
        begin = time.monotonic()
        assert bench.reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        assert time.monotonic() - begin < 3
        assert bench.reader.presence() is Presence.PRESENT

    def test_a_wait_without_change_ends_at_its_timeout(self, bench: Bench) -> None:
        begin = time.monotonic()
        assert bench.reader.wait_for_change(Presence.EMPTY, 0.3) is Presence.EMPTY
        assert 0.25 < time.monotonic() - begin < 5

    def test_removal_wakes_the_waiting_thread(self, bench: Bench) -> None:
        bench.insert_own()
        threading.Timer(0.05, bench.remove).start()
        assert bench.reader.wait_for_change(Presence.PRESENT, bench.patience_s) is Presence.EMPTY

    def test_cancel_wakes_the_waiting_thread(self, bench: Bench) -> None:
        threading.Timer(0.1, bench.reader.cancel).start()
        begin = time.monotonic()
        assert bench.reader.wait_for_change(Presence.EMPTY, 10) is Presence.EMPTY
        assert time.monotonic() - begin < 2

    def test_a_cancel_just_before_the_wait_is_not_lost_and_counts_once(self, bench: Bench) -> None:
        bench.reader.cancel()
        begin = time.monotonic()
        bench.reader.wait_for_change(Presence.EMPTY, 10)
        assert time.monotonic() - begin < 5
        bench.reader.wait_for_change(Presence.EMPTY, 0.3)
        assert time.monotonic() - begin >= 0.25

    def test_pin_route(self, bench: Bench) -> None:
        card = bench.insert_own()
        channel = bench.reader.connect()
        patient = MyNumberCard(channel)
        facts = patient.read()
        assert (facts.medium, facts.pin_tries_left) == ("card", 3)
        assert hashlib.sha256(facts.certificate).hexdigest() == card.certificate_sha256
        patient.verify_pin(bytearray(card.pin))
        cards.check_signature(facts.certificate, b"challenge", patient.sign(b"challenge"))
        channel.close()
        assert bench.pin_tries_left() == 3

    def test_face_route(self, bench: Bench) -> None:
        card = bench.insert_own()
        if card.match_code_b is None:
            pytest.skip("照合番号B was not entered")
        channel = bench.reader.connect()
        patient = MyNumberCard(channel, cards.rules())
        patient.read()
        face, trust = patient.read_face(card.match_code_b)
        channel.close()
        assert face.photo_jp2
        assert card.photo in (None, face.photo_jp2)
        assert face.expires
        assert face.expires.year == int(card.match_code_b[6:10])
        # A real card's authority is none of the tests'.
        assert trust is (PhotoTrust.GENUINE if card.photo else PhotoTrust.AUTHORITY_UNKNOWN)

    def test_a_second_connection_is_refused_while_one_is_open(self, bench: Bench) -> None:
        bench.insert_own()
        channel = bench.reader.connect()
        with pytest.raises(ReaderBusy):
            bench.reader.connect()
        assert bench.reader.presence() is Presence.PRESENT
        channel.close()
        bench.reader.connect().close()

    def test_closing_powers_the_card_off_so_that_a_verified_pin_is_forgotten(self, bench: Bench) -> None:
        card = bench.insert_own()
        channel = bench.reader.connect()
        patient = MyNumberCard(channel)
        patient.read()
        patient.verify_pin(bytearray(card.pin))
        channel.close()
        channel.close()
        channel = bench.reader.connect()
        assert channel.transmit(bytes.fromhex("00A4040C0AD392F000260100000001")) == b"\x90\x00"
        sign = bytes.fromhex("802A009714") + bytes(20) + b"\x00"
        assert channel.transmit(sign) == b"\x69\x82"
        channel.close()

    @pytest.mark.needs("virtual card")
    def test_a_card_pulled_during_a_command_is_removed_and_the_channel_stays_dead(self, bench: Bench) -> None:
        card = RecordingCard(cards.card())
        card.after = lambda number, apdu: bench.slot.remove() if number == 3 else None
        bench.insert(card)
        channel = bench.reader.connect()
        patient = MyNumberCard(channel)
        with pytest.raises(CardRemovedError):
            patient.read()
        bench.slot.insert(card)
        bench.reader.wait_for_change(Presence.EMPTY, 5)
        with pytest.raises(CardRemovedError):
            patient.pin_tries_left()
        with pytest.raises(CardRemovedError):
            channel.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
        channel.close()
        again = bench.reader.connect()
        assert MyNumberCard(again).read().pin_tries_left == 3
        again.close()

    @pytest.mark.needs("virtual card")
    def test_a_card_swapped_while_nobody_looked_is_told_as_out_and_in(self, bench: Bench) -> None:
        bench.insert(cards.card())
        bench.reader.wait_for_change(Presence.PRESENT, 0.05)
        bench.slot.swap(cards.card("other"))
        time.sleep(0.5)  # pcscd polls this driver every 0.4 s and tells nobody else
        assert bench.reader.wait_for_change(Presence.PRESENT, 5) is Presence.EMPTY
        assert bench.reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT

    @pytest.mark.needs("virtual card")
    def test_a_swap_too_fast_for_the_reader_is_found_by_the_certificate(self, bench: Bench) -> None:
        bench.insert(cards.card())
        channel = bench.reader.connect()
        patient = MyNumberCard(channel)
        patient.read()
        patient.verify_pin(bytearray(b"1234"))
        other = cards.card("other")
        bench.slot.swap(other, unnoticed=True)
        with pytest.raises(CardRemovedError):
            patient.sign(b"challenge")
        channel.close()

    @pytest.mark.needs("virtual card")
    def test_a_card_swapped_in_while_the_patient_types_never_gets_the_pin(self, bench: Bench) -> None:
        bench.insert(cards.card())
        channel = bench.reader.connect()
        patient = MyNumberCard(channel)
        patient.read()
        other = cards.card("other", pin="9999")
        bench.slot.swap(other, unnoticed=True)
        with pytest.raises(CardRemovedError):
            patient.verify_pin(bytearray(b"1234"))
        channel.close()
        assert other.pin_tries_left == 3

    @pytest.mark.needs("virtual card")
    def test_a_mute_card_is_unreadable(self, bench: Bench) -> None:
        bench.insert(foreign_card("mute"))
        with pytest.raises(CardUnreadable):
            bench.reader.connect()

    def test_no_command_shorter_than_four_bytes_leaves_the_terminal(self, bench: Bench) -> None:
        bench.insert_own()
        channel = bench.reader.connect()
        with pytest.raises(ValueError, match="at least 4"):
            channel.transmit(b"\x00")
        channel.close()

    @pytest.mark.needs("stop_reader_service")
    def test_stopping_the_service_is_told_to_the_waiting_and_to_the_next_command(self, bench: Bench) -> None:
        bench.insert_own()
        channel = bench.reader.connect()
        threading.Timer(0.05, bench.stop_service).start()
        with pytest.raises(ServiceDown):
            bench.reader.wait_for_change(Presence.PRESENT, bench.patience_s)
        with pytest.raises(ServiceDown):
            channel.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
        channel.close()
        with pytest.raises(ServiceDown):
            bench.reader.presence()
        with pytest.raises(ServiceDown):
            bench.reader.connect()

    @pytest.mark.needs("stop_reader_service")
    def test_the_same_reader_object_works_again_after_the_service_restarts(self, bench: Bench) -> None:
        bench.insert_own()
        bench.stop_service()
        with pytest.raises(ServiceDown):
            bench.reader.presence()
        bench.start_service()
        assert bench.reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        channel = bench.reader.connect()
        assert MyNumberCard(channel).read().pin_tries_left == 3
        channel.close()


@pytest.mark.parametrize("kind", BOTH_BENCHES)
def test_a_stalled_card_is_given_up_and_the_reader_recovers(kind: str) -> None:
    with bench_of_kind(kind, stall_limit_s=0.3) as bench:
        bench.insert(cards.card())
        channel = bench.reader.connect()
        bench.slot.stall(2.5)
        begin = time.monotonic()
        with pytest.raises(ReaderStalled):
            MyNumberCard(channel).read()
        channel.close()
        with pytest.raises(ReaderStalled):
            bench.reader.presence()
        with pytest.raises(ReaderStalled):
            bench.reader.wait_for_change(Presence.PRESENT, 5)
        assert time.monotonic() - begin < 2.4
        deadline = time.monotonic() + 10
        while True:
            try:
                channel = bench.reader.connect()
                break
            except (ReaderBusy, ReaderStalled):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert bench.reader.presence() is Presence.PRESENT
        assert MyNumberCard(channel).read().pin_tries_left == 3
        channel.close()


@pytest.mark.parametrize("kind", BOTH_BENCHES)
def test_a_reader_that_fails_is_no_reader_and_works_again_when_it_is_back(kind: str) -> None:
    with bench_of_kind(kind, faults=True) as bench:
        bench.insert(cards.card())
        channel = bench.reader.connect()
        bench.service.fault()
        with pytest.raises(NoReader):
            channel.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
        channel.close()
        deadline = time.monotonic() + 5

        def watch() -> None:
            while time.monotonic() < deadline:
                bench.reader.wait_for_change(bench.reader.presence(), 1)

        with pytest.raises(NoReader):
            watch()
        with pytest.raises(NoReader):
            bench.reader.connect()
        bench.service.plug()
        while True:
            try:
                bench.reader.wait_for_change(Presence.EMPTY, 5)
                break
            except NoReader:
                assert time.monotonic() < deadline + 5
                time.sleep(0.05)
        channel = bench.reader.connect()
        assert MyNumberCard(channel).read().pin_tries_left == 3
        channel.close()


class TestPcscReader:
    def test_readers_are_chosen_by_name_pattern(self, pcscd: PcscdBench) -> None:
        assert reader_names() == [READER, SECOND_READER]
        phone_reader = PcscReader("*01")
        assert phone_reader.presence() is Presence.EMPTY
        assert phone_reader.name == SECOND_READER
        with pytest.raises(NoReader, match="Identiv"):
            PcscReader("Identiv*").presence()

    def test_two_readers_hold_two_cards(self, pcscd: PcscdBench) -> None:
        card_reader, phone_reader = PcscReader(READER), PcscReader(SECOND_READER)
        pcscd.slot.insert(cards.card())
        pcscd.second_slot.insert(cards.card(kind="phone-android"))
        media = []
        for reader in (card_reader, phone_reader):
            assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
            channel = reader.connect()
            media.append(MyNumberCard(channel).read().medium)
            channel.close()
        assert media == ["card", "android"]

    def test_many_sessions_leave_no_thread_and_no_file_open(self, pcscd: PcscdBench) -> None:
        reader = PcscReader(READER)
        pcscd.slot.insert(cards.card())
        reader.wait_for_change(Presence.EMPTY, 5)
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(250):  # more than the 200 contexts that pcscd allows
            channel = reader.connect()
            MyNumberCard(channel).pin_tries_left()
            channel.close()
            held = reader.connect()
            with pytest.raises(ReaderBusy):
                reader.connect()
            held.close()
        # What the test before still held may go meanwhile.
        assert threading.active_count() <= threads
        assert len(os.listdir("/proc/self/fd")) <= files

    def test_a_killed_service_leaves_nothing_on_stderr(self, tmp_path: Path) -> None:
        script = """
            from hardware.card import Presence, ReaderError
            from hardware.card.pcsc import PcscReader
            reader = PcscReader("*")
            for call in (reader.presence, reader.connect, lambda: reader.wait_for_change(Presence.EMPTY, 1)):
                try:
                    call()
                except ReaderError as error:
                    print(type(error).__name__)
            reader.close()
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=30,
        )
        assert done.stderr == ""
        assert len(done.stdout.split()) == 3

    @pytest.mark.parametrize("command", ["00A4", "00B0", "0020009804", "802A"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_card_pulled_at_a_command_is_removed_and_only_a_sent_verify_counts(
        self, pcscd: PcscdBench, command: str, moment: str
    ) -> None:
        reader, card = PcscReader(READER), RecordingCard(cards.card(pin_tries_left=2))

        def pull(_number: int, apdu: bytes) -> bool:
            hit = apdu.startswith(bytes.fromhex(command))
            if hit:
                pcscd.slot.remove()
            return hit

        setattr(card, moment, pull)
        pcscd.slot.insert(card)
        reader.wait_for_change(Presence.EMPTY, 5)
        channel = reader.connect()
        with pytest.raises(CardRemovedError):
            pin_route(MyNumberCard(channel))
        channel.close()
        verified = command == "802A" or (command.startswith("0020") and moment == "after")
        assert pcscd.slot.pin_tries_left() == (3 if verified else 2)

    def test_the_pin_route_takes_at_most_14_commands(self, pcscd: PcscdBench) -> None:
        reader, card = PcscReader(READER), RecordingCard(cards.card())
        pcscd.slot.insert(card)
        reader.wait_for_change(Presence.EMPTY, 5)
        channel = reader.connect()
        pin_route(MyNumberCard(channel))
        channel.close()
        assert card.count <= 14


def freeze(pid: int) -> None:
    """Stop a process, and return once none of its threads runs any more: they stop one after the other."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while any((task / "stat").read_text().rpartition(")")[2].split()[0] != "T" for task in tasks.iterdir()):
        time.sleep(0.001)


class TestFrozenService:
    """pcscd that runs but answers nobody, as after SIGSTOP or in a deadlock: the C calls would wait for ever."""

    def test_it_is_told_as_down_in_bounded_time_and_works_again_with_no_thread_left(
        self, pcscd: PcscdBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hardware.card.pcsc._ANSWER_LIMIT_S", 0.3)
        reader = PcscReader(READER)
        assert reader.presence() is Presence.EMPTY
        before = threading.active_count()
        assert pcscd.pid
        freeze(pcscd.pid)
        try:
            begin = time.monotonic()
            with pytest.raises(ServiceDown, match="did not answer within"):
                reader.wait_for_change(Presence.EMPTY, 0.2)
            with pytest.raises(ServiceDown, match="has not answered for long"):
                reader.presence()
            reader.cancel()
            assert time.monotonic() - begin < 2
        finally:
            os.kill(pcscd.pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while threading.active_count() > before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pcscd.slot.insert(cards.card())
        assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT

    def test_a_card_session_under_it_is_given_up_like_any_stall(self, pcscd: PcscdBench) -> None:
        reader = PcscReader(READER, stall_limit_s=0.3)
        pcscd.slot.insert(cards.card())
        assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
        channel = reader.connect()
        assert pcscd.pid
        freeze(pcscd.pid)
        try:
            with pytest.raises(ReaderStalled):
                channel.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
            with pytest.raises(ReaderStalled):
                reader.presence()
        finally:
            os.kill(pcscd.pid, signal.SIGCONT)
        channel.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                assert reader.presence() is Presence.PRESENT
                break
            except ReaderStalled:
                assert time.monotonic() < deadline
                time.sleep(0.01)


class TestPcscdBench:
    def test_the_virtual_readers_port_is_closed_to_the_rest_of_the_machine(self, pcscd: PcscdBench) -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 0x8C7B), timeout=1)

    def test_a_second_bench_in_one_process_is_refused(self, pcscd: PcscdBench) -> None:
        with pytest.raises(BenchError, match="this process runs a pcscd already"):
            PcscdBench().__enter__()
        assert reader_names()

    def test_the_service_of_the_system_is_left_alone(self, pcscd: PcscdBench) -> None:
        script = "from hardware.card.pcsc import reader_names; print(reader_names())"
        environment = {name: value for name, value in os.environ.items() if name != "PCSCLITE_CSOCK_NAME"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            check=False,
        )
        assert READER not in done.stdout

    def test_a_missing_pcscd_is_told_with_the_command_that_installs_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hardware.simulation.pcscd._PCSCD", "no-such-pcscd")
        with pytest.raises(BenchError, match="apt install pcscd vsmartcard-vpcd"):
            PcscdBench().__enter__()

    def test_nothing_is_left_after_an_exception(self) -> None:
        pids = []

        def fail() -> None:
            with running_pcscd() as bench:
                pids.append(bench.pid)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        (pid,) = pids
        assert not Path(f"/proc/{pid}").exists()
        assert not list(service_folder().iterdir())
        assert not [thread for thread in threading.enumerate() if "pcscd" in thread.name]

    def test_nothing_is_left_after_a_kill_of_the_service(self, pcscd: PcscdBench) -> None:
        pcscd.stop_service(kill=True)
        assert not list(service_folder().iterdir())
        pcscd.start_service()
        assert reader_names()

    @pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
    def test_pcscd_ends_with_the_program_that_started_it(self, sent: signal.Signals) -> None:
        with running_pcscd():
            pass  # so that a machine without pcscd skips, and one in use is waited for
        script = """
            import time
            from hardware.simulation.pcscd import PcscdBench, service_folder
            with PcscdBench() as bench:
                print(bench.pid, service_folder(), flush=True)
                time.sleep(60)
        """
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        with program:
            assert program.stdout
            pid, folder = program.stdout.readline().split()
            program.send_signal(sent)
        deadline = time.monotonic() + 5
        while _runs(int(pid)) or list(Path(folder).glob("*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def test_another_program_puts_a_card_in_through_the_door_and_takes_it_out(self) -> None:
        with running_pcscd(port=0) as pcscd:
            assert pcscd.vpcd_port
            reader, stop = PcscReader(READER), threading.Event()
            told: list[bool] = []
            arguments = (cards.card(), "127.0.0.1", pcscd.vpcd_port, stop, told.append)
            program = threading.Thread(target=attach_to_vpcd, args=arguments)
            program.start()
            assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT
            channel = reader.connect()
            assert MyNumberCard(channel).read().pin_tries_left == 3
            channel.close()
            stop.set()
            program.join()
            assert reader.wait_for_change(Presence.PRESENT, 5) is Presence.EMPTY
            assert told == [True, False]

    def test_a_card_comes_back_by_itself_when_vpcd_restarts(self, pcscd: PcscdBench) -> None:
        reader = PcscReader(READER)
        pcscd.slot.insert(cards.card())
        reader.wait_for_change(Presence.EMPTY, 5)
        pcscd.stop_service(kill=True)
        pcscd.start_service()
        assert reader.wait_for_change(Presence.EMPTY, 5) is Presence.PRESENT

    def test_a_vpcd_that_is_not_there_is_asked_again_until_the_card_is_taken_away(self) -> None:
        asked = threading.Event()

        def refuse() -> socket.socket:
            asked.set()
            raise ConnectionRefusedError

        slot = VpcdSlot(refuse)
        slot.insert(cards.card())
        assert asked.wait(20)
        asked.clear()
        assert asked.wait(20)
        slot.remove()


def pin_route(terminal: MyNumberCard) -> bytes:
    terminal.read()
    terminal.verify_pin(bytearray(b"1234"))
    return terminal.sign(b"challenge")


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    # A container without an init process keeps it as a zombie.
    return stat.rpartition(")")[2].split()[0] != "Z"
