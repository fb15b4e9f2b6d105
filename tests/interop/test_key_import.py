"""Old keys as other programs export them: OpenSSL, NSS, gpgsm, Java's keytool and OpenSSL 3.6's PBMAC1 (RFC 9579)."""


from support.openssl36 import *  # noqa: F403 - what it offers is looked at below

