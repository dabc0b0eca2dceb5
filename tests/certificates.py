"""Certificates of this machine, or of another's name, each in one file with its key."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.links import LOOPBACK

HERE = x509.IPAddress(ip_address(LOOPBACK))
LOCALHOST = x509.DNSName("localhost")
ELSEWHERE = x509.DNSName("other.example")
DAY = timedelta(days=1)
Named = x509.GeneralName


def certificate(file: Path, *, name: Named = HERE, until: timedelta = DAY, issuer: x509.Name | None = None) -> None:
    """Self-signed; with an issuer, of somebody who is not there."""
    key, at = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registrar")])
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number())
    built = built.not_valid_before(at - 30 * DAY).not_valid_after(at + until)
    built = built.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    signed = built.sign(ec.generate_private_key(ec.SECP256R1()) if issuer else key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + signed.public_bytes(pem))
