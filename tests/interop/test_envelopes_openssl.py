"""Encryption both ways with `openssl cms`: every recipient and cipher it knows, in OpenSSL 3.0 and in 3.6."""

import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key
from support import openssl36
from support.certificates import rsa_key
from support.decryption import any_key, keys_of
from support.envelopes import CONTENT, certificate_for
from support.lasting_keys import seal_with_lasting_key

from sealwright.cms import enveloped
from sealwright.cms.decryptors import PasswordDecryptor, SymmetricKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.errors import DecryptionError, UnsupportedAlgorithmError
from sealwright.pkix.private_keys import load_private_key

KEYS = {
    "rsa": rsa_key(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "mlkem768": mlkem.MLKEM768PrivateKey.generate(),
    "mlkem1024": mlkem.MLKEM1024PrivateKey.generate(),
}
CERTIFICATES = {name: certificate_for(key.public_key(), name) for name, key in KEYS.items()}
CLASSICAL = [name for name in KEYS if not name.startswith("mlkem")]
CIPHERS = [f"aes-{bits}-{mode}" for bits in (128, 192, 256) for mode in ("cbc", "gcm")]


def openssl30(*arguments, folder):
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


PROGRAMS = {"3.0": (openssl30, CLASSICAL), "3.6": (openssl36.run, list(KEYS))}
BOTH = [(version, name) for version, (_, names) in PROGRAMS.items() for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("openssl")
    (made / "m").write_bytes(CONTENT)
    for name, key in KEYS.items():
        (made / f"{name}.pem").write_bytes(CERTIFICATES[name].public_bytes(Encoding.PEM))
        (made / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def decrypted(version, folder, name, message):
    (folder / "e").write_bytes(message)
    command = [
        "cms",
        "-decrypt",
        "-binary",
        "-inform",
        "DER",
        "-in",
        "e",
        "-inkey",
        f"{name}.key",
        "-recip",
        f"{name}.pem",
    ]
    return PROGRAMS[version][0](*command, folder=folder).stdout


def encrypted(version, folder, *options):
    command = ["cms", "-encrypt", "-binary", "-outform", "DER", "-in", "m", *options]
    return PROGRAMS[version][0](*command, folder=folder).stdout


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize(("version", "name"), BOTH)
def test_openssl_opens_what_we_encrypt(folder, version, name, cipher):
    message = enveloped.encrypt(CONTENT, [CERTIFICATES[name]], cipher=cipher)
    assert decrypted(version, folder, name, message) == CONTENT


@pytest.mark.parametrize("version", PROGRAMS)
def test_openssl_opens_oaep(folder, version):
    message = enveloped.encrypt(CONTENT, [CERTIFICATES["rsa"]], key_transport="rsa-oaep-sha256")
    assert decrypted(version, folder, "rsa", message) == CONTENT


@pytest.mark.parametrize("cipher", ["aes-128-gcm", "aes-256-cbc"])
@pytest.mark.parametrize(("version", "name"), BOTH)
def test_openssl_opens_mixed_recipients(folder, version, name, cipher):
    message = enveloped.encrypt(CONTENT, list(CERTIFICATES.values()), cipher=cipher)
    assert decrypted(version, folder, name, message) == CONTENT


@pytest.mark.parametrize("form", [[], ["-stream"], ["-keyid"]], ids=["der", "ber", "keyid"])
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize(("version", "name"), BOTH)
def test_we_open_what_openssl_encrypts(folder, version, name, cipher, form):
    message = encrypted(version, folder, f"-{cipher}", *form, f"{name}.pem")
    opened = enveloped.decrypt(message, keys_of((CERTIFICATES[name], KEYS[name])))
    assert (opened.content, opened.content_cipher, opened.authenticated) == (CONTENT, cipher, "gcm" in cipher)
    by_key_identifier = opened.recipient.subject_key_identifier is not None
    assert by_key_identifier is (form == ["-keyid"])


@pytest.mark.parametrize("version", PROGRAMS)
def test_we_open_mixed_recipients_of_openssl(folder, version):
    names = PROGRAMS[version][1]
    message = encrypted(version, folder, "-aes-256-gcm", *(f"{name}.pem" for name in names))
    for name in names:
        opened = enveloped.decrypt(message, keys_of((CERTIFICATES[name], KEYS[name])))
        assert opened.content == CONTENT
        assert opened.recipient.matches(CERTIFICATES[name])
        assert len(opened.recipients) == len(names)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["rsa_oaep_md:sha256"],
        ["rsa_oaep_md:sha224", "rsa_mgf1_md:sha1"],
        ["rsa_oaep_md:sha256", "rsa_mgf1_md:sha1"],
        ["rsa_oaep_md:sha1", "rsa_mgf1_md:sha512"],
        ["rsa_oaep_md:sha384", "rsa_oaep_label:6c6162656c"],
    ],
    ids=" ".join,
)
def test_we_open_oaep_with_any_parameters(folder, options):
    chosen = [word for option in ["rsa_padding_mode:oaep", *options] for word in ("-keyopt", option)]
    opened = enveloped.decrypt(encrypted("3.0", folder, "-aes256", "-recip", "rsa.pem", *chosen), any_key(KEYS["rsa"]))
    digest = options[0].removeprefix("rsa_oaep_md:") if options else "sha1"
    assert (opened.content, opened.key_management) == (CONTENT, f"rsa-oaep-{digest}")


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("cofactor", ["0", "1"])
@pytest.mark.parametrize("name", ["p256", "p521"])
def test_we_open_ecdh_with_any_kdf(folder, name, digest, cofactor):
    chosen = ["-keyopt", f"ecdh_kdf_md:{digest}", "-keyopt", f"ecdh_cofactor_mode:{cofactor}"]
    message = encrypted("3.0", folder, "-aes-128-gcm", "-recip", f"{name}.pem", *chosen)
    opened = enveloped.decrypt(message, any_key(KEYS[name]))
    assert (opened.content, opened.key_management, opened.warnings) == (CONTENT, f"ecdh-{digest}-kdf", ())


@pytest.mark.parametrize("size", [16, 24, 32])
def test_we_open_what_openssl_encrypts_under_a_key(folder, size):
    kek = bytes(range(size))
    message = encrypted("3.0", folder, "-aes256", "-secretkey", kek.hex(), "-secretkeyid", "0102")
    asked = []
    opened = enveloped.decrypt(message, lambda each: asked.append(each) or [SymmetricKeyDecryptor(kek)])
    assert (opened.content, opened.key_management) == (CONTENT, "kek")
    assert asked == [RecipientIdentifier(key_identifier=b"\1\2")]


@pytest.mark.parametrize("cipher", ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"])
def test_we_open_what_openssl_encrypts_under_a_password(folder, cipher):
    message = encrypted("3.0", folder, f"-{cipher}", "-pwri_password", "secret", "rsa.pem")
    opened = enveloped.decrypt(message, lambda each: [PasswordDecryptor(b"secret")] if each.is_password else [])
    assert (opened.content, opened.key_management) == (CONTENT, "password")
    assert enveloped.decrypt(message, any_key(KEYS["rsa"])).content == CONTENT


OLD = [("-des3", "des-ede3-cbc"), ("-rc2-128", "rc2-cbc"), ("-rc2-64", "rc2-64-cbc"), ("-rc2-40", "rc2-40-cbc")]


@pytest.mark.parametrize(("option", "name"), OLD)
def test_we_open_old_ciphers_on_demand(folder, option, name):
    message = encrypted("3.0", folder, option, "-provider", "legacy", "-provider", "default", "rsa.pem")
    with pytest.raises(DecryptionError, match=name):
        enveloped.decrypt(message, any_key(KEYS["rsa"]))
    opened = enveloped.decrypt(message, any_key(KEYS["rsa"]), allow_legacy=True)
    assert (opened.content, opened.content_cipher, opened.authenticated) == (CONTENT, name, False)
    assert opened.warnings == ("legacy-cipher",)


@pytest.mark.parametrize("name", ["p256", "p384", "p521"])
def test_we_open_triple_des_wrapped_for_a_curve_on_demand(folder, name):
    message = encrypted("3.0", folder, "-des3", f"{name}.pem")
    opened = enveloped.decrypt(message, any_key(KEYS[name]), allow_legacy=True)
    assert (opened.content, opened.content_cipher, opened.key_management) == (CONTENT, "des-ede3-cbc", "ecdh-sha1-kdf")
    with pytest.raises(DecryptionError, match="des-ede3-cbc"):
        enveloped.decrypt(message, any_key(KEYS[name]))


@pytest.mark.parametrize("by_key_identifier", [False, True])
def test_openssl_reads_agreement_with_a_lasting_key_as_we_do(folder, by_key_identifier):
    """It does not write it; the message is made by hand, so both must read the same."""
    sender = (certificate_for(KEYS["p256"].public_key(), "sender"), KEYS["p256"])
    recipient = ec.generate_private_key(ec.SECP256R1())
    certificate = certificate_for(recipient.public_key(), "recipient")
    (folder / "sender.pem").write_bytes(sender[0].public_bytes(Encoding.PEM))
    (folder / "r.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "r.key").write_bytes(recipient.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    message = seal_with_lasting_key(sender, (certificate, recipient), by_key_identifier=by_key_identifier)
    (folder / "e").write_bytes(message)
    command = "cms -decrypt -binary -inform DER -in e -originator sender.pem -inkey r.key -recip r.pem"
    assert openssl30(*command.split(), folder=folder).stdout == CONTENT
    opened = enveloped.decrypt(message, any_key(recipient), certificates=[CERTIFICATES["p384"], sender[0]])
    assert (opened.content, opened.key_management) == (CONTENT, "static-ecdh-sha256-kdf")


@pytest.mark.parametrize("size", ["768", "1024"])
def test_we_load_the_ml_kem_keys_that_openssl_makes(folder, size):
    """In its three output formats, and under a password."""
    generate = ["genpkey", "-algorithm", f"ML-KEM-{size}", "-out", "made.key"]
    for form in ("seed-only", "seed-priv", "priv-only"):
        openssl36.run(*generate, folder=folder, settings={"ml-kem.output_formats": form})
        encoded = (folder / "made.key").read_bytes()
        if form == "priv-only":
            with pytest.raises(UnsupportedAlgorithmError, match="without its seed"):
                load_private_key(encoded)
            continue
        public = openssl36.run("pkey", "-in", "made.key", "-pubout", folder=folder).stdout
        assert load_private_key(encoded).public_key() == load_pem_public_key(public)
    openssl36.run(*generate, "-aes-256-cbc", "-pass", "pass:secret", folder=folder)
    encoded = (folder / "made.key").read_bytes()
    public = openssl36.run("pkey", "-in", "made.key", "-passin", "pass:secret", "-pubout", folder=folder).stdout
    assert load_private_key(encoded, b"secret").public_key() == load_pem_public_key(public)
    with pytest.raises(DecryptionError):
        load_private_key(encoded, b"another")
