"""CA certificates that a site adds, so that the mock server accepts the cards that the site owns for testing."""

from pathlib import Path

from cryptography import x509

from config import ConfigError


def load_cas(path: Path) -> list[x509.Certificate]:
    """Read CA certificates from a file, PEM (any number) or DER (one). Raises ConfigError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        if b"-----BEGIN" in content:
            certificates = x509.load_pem_x509_certificates(content)
        else:
            certificates = [x509.load_der_x509_certificate(content)]
        for certificate in certificates:
            _check_ca(path, certificate)
    except ValueError:
        raise ConfigError(f"{path}: holds no readable certificate, PEM or DER") from None
    return certificates


def _check_ca(path: Path, certificate: x509.Certificate) -> None:
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca:
        raise ConfigError(f"{path}: holds a certificate that is not a CA's")
