"""What the parts of ``./run bench`` need of the system; ``./run`` installs it where it may."""

import glob
import os
import shutil

_OPENSC = ("/usr/lib/*/opensc-pkcs11.so", "/usr/lib*/opensc-pkcs11.so", "/usr/lib*/pkcs11/opensc-pkcs11.so")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin"])


def opensc_modules() -> list[str]:
    """Return where OpenSC's PKCS#11 module is."""
    return sorted(path for pattern in _OPENSC for path in glob.glob(pattern))


def lacking() -> list[str]:
    """Return the Debian packages without which a part cannot be measured, or only without its baseline."""
    there = {
        "pcscd": shutil.which("pcscd", path=_PATH),
        "vsmartcard-vpcd": glob.glob("/usr/lib*/pcsc/drivers/serial/libifdvpcd.so"),
        "opensc": opensc_modules(),
        "xvfb": os.environ.get("DISPLAY") or shutil.which("Xvfb", path=_PATH),
        "postgresql": glob.glob("/usr/lib/postgresql/*/bin/initdb"),
    }
    return [package for package, found in there.items() if not found]
