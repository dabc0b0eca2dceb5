"""A real SMTP server on a socket: it says what it is told to, and keeps the mail that it takes."""

import base64
import socketserver
import ssl
import threading
from types import TracebackType
from typing import Self

USER, PASSWORD = "registrar@example.com", "hunter2 & more"


class Mailbox:
    """answers: by command (CONNECT, MAIL, RCPT, DATA, END, AUTH), instead of yes; RCPT also by address.

    tls: a certificate's context; with it STARTTLS is offered, or with `from_the_start` spoken at once.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []
        self.heard: list[str] = []
        self.answers: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        self.tls: ssl.SSLContext | None = None
        self.from_the_start = False
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if mailbox.from_the_start:
                    self.secure()
                self.say(mailbox.answers.get("CONNECT", "220 mail.example.com"))
                self.sender, self.to = "", []
                while line := self.rfile.readline():
                    said = line.decode().strip()
                    mailbox.heard.append(said.split(maxsplit=1)[0].upper())
                    if not self.hear(said):
                        return

            def hear(self, said: str) -> bool:
                verb, answers = said.split(maxsplit=1)[0].upper(), mailbox.answers
                match verb:
                    case "EHLO":
                        offered = ["AUTH PLAIN", *(["STARTTLS"] if mailbox.tls else [])]
                        lines = ["mail.example.com", *offered]
                        for line in lines[:-1]:
                            self.say(f"250-{line}")
                        self.say(f"250 {lines[-1]}")
                    case "STARTTLS":
                        self.say("220 go on")
                        self.secure()
                    case "AUTH":
                        _, user, password = base64.b64decode(said.split()[2]).decode().split("\0")
                        mailbox.logins.append((user, password))
                        right = (user, password) == (USER, PASSWORD)
                        self.say(answers.get("AUTH", "235 welcome" if right else "535 no"))
                    case "MAIL":
                        self.sender = said
                        self.say(answers.get("MAIL", "250 ok"))
                    case "RCPT":
                        address = said.partition("<")[2].partition(">")[0]
                        self.to.append(address)
                        self.say(answers.get(address, answers.get("RCPT", "250 ok")))
                    case "DATA":
                        self.say("354 go on")
                        self.take()
                    case "QUIT":
                        self.say(answers.get("QUIT", "221 bye"))
                        return False
                    case _:
                        self.say("250 ok")
                return True

            def take(self) -> None:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                answer = mailbox.answers.get("END", "250 taken")
                if answer.startswith("2"):
                    mailbox.mails.append((self.sender, self.to, b"".join(lines)))
                self.say(answer)

            def secure(self) -> None:
                assert mailbox.tls
                self.connection = mailbox.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

        return Handler
