"""``--auth mailhub-passwd:FILE`` for every program that uses ``twisted.cred``."""

from __future__ import annotations

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

HELP = """
Users in a file of lines user:{SCHEME}hash, as Dovecot's passwd-file. The hashes
may be of ARGON2ID, SCRYPT, PBKDF2, SSHA, SHA512-CRYPT, BLF-CRYPT and others.
"""


@implementer(ICheckerFactory, IPlugin)
class PasswdFileCheckerFactory:
    """Makes the checker; its module is imported only when it is asked for."""

    authType = "mailhub-passwd"
    authHelp = HELP
    argStringFormat = "the path of the file"
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> object:
        """A checker that reads the file named *argstring*."""
        make = namedAny("mailhub.auth.passwd_file.PasswdFileChecker")
        return make(argstring)


mailhub_passwd = PasswdFileCheckerFactory()
