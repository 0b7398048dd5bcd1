"""The settings of mosquitto for this fleet: TLS with client certificates, and who may write and read what."""

from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = """\
# The broker of the reception terminals (mosquitto 2). Written by ./run certificates; change it there.
per_listener_settings false
listener {port}{address}
protocol mqtt
cafile {folder}/ca.pem
certfile {folder}/broker.pem
keyfile {folder}/broker-key.pem
require_certificate true
# The certificate's common name is the user and the client: nobody takes another one's connection.
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/broker-acl
set_tcp_nodelay true
max_queued_messages 100000
max_inflight_messages 1000
message_size_limit 1048576
persistence true
persistence_location {data}/
persistent_client_expiration 2d
autosave_interval 60
log_dest stderr
log_type error
log_type warning
"""

PATTERNS = """\
# A terminal writes its own state and reads its own commands, nothing else.
pattern write reception/%u/state/#
pattern read reception/%u/command/#
"""
BOARD = """
user {board}
topic read reception/+/state/#
topic write reception/+/command/{board}
"""


def write_broker_files(
    folder: Path, boards: Sequence[str], *, port: int = 8883, host: str = "", data: Path | None = None
) -> list[Path]:
    """Write ``mosquitto.conf`` and ``broker-acl`` beside the broker's certificate; return their paths."""
    data = data or Path("/var/lib/mosquitto")
    address = f" {host}" if host else ""
    files = {
        "mosquitto.conf": CONFIGURATION.format(
            port=port, address=address, folder=folder.absolute(), data=data
        ),
        "broker-acl": PATTERNS + "".join(BOARD.format(board=board) for board in sorted(boards)),
    }
    for name, content in files.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o600)
    return [folder / name for name in files]
