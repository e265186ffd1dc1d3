"""Writes the data that `autotl demo` is shown on, with some of it held out to be predicted.

Images: the textile photos of the package conformal-clip-data (Megahed et al. 2025, arXiv:2501.12596; MIT).
Texts: messages to a bank, put together from phrases here.
"""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autotl.atomic import replacing
from autotl.errors import MissingExtraError, StorageError
from autotl.versions import install_command

#: Images of each class that are kept from the search.
_HELD_OUT = 3
#: Messages of each topic.
_MESSAGES = 60


@dataclass(frozen=True)
class DemoData:
    """What a demo runs on.

    Attributes:
        train: What `AutoTL.fit` takes.
        held_out: Inputs kept from it: image files, or one table.
        labels: Their labels, in the order in which they are predicted.
    """

    train: Path
    held_out: tuple[Path, ...]
    labels: tuple[str, ...]


def write_images(folder: Path) -> DemoData:
    """Write the textile photos as class folders.

    Args:
        folder: Where to; `textile/` and `textile_held_out/` are made in it, or used again.

    Raises:
        MissingExtraError: The package that brings the photos is not installed.
        StorageError: The folder cannot be written.
    """
    try:
        from conformal_clip_data import textile_simulated_root
    except ImportError as error:
        raise MissingExtraError(
            "the demo's photos are not installed", hint=f"Install them: {install_command('demo')}"
        ) from error
    source = Path(textile_simulated_root())
    train, held_out = folder / "textile", folder / "textile_held_out"
    labels = sorted(path.name for path in source.iterdir() if path.is_dir())
    files = {label: sorted((source / label).glob("*.jpg")) for label in labels}
    with _writing(folder):
        for label in labels:
            _copy(files[label][_HELD_OUT:], train / label)
            _copy(files[label][:_HELD_OUT], held_out / label)
    kept = [(held_out / label / path.name, label) for label in labels for path in files[label][:_HELD_OUT]]
    return DemoData(train, tuple(path for path, _ in kept), tuple(label for _, label in kept))


def write_texts(folder: Path, seed: int = 0) -> DemoData:
    """Write short messages as a CSV file with the columns `text` and `topic`.

    Args:
        folder: Where to; `messages.csv` and `messages_held_out.csv` are written.
        seed: Seed of the choice of phrases.

    Raises:
        StorageError: The folder cannot be written.
    """
    rng = random.Random(seed)
    rows = [(text, topic) for topic in _TOPICS for text in _messages(topic, rng)]
    rng.shuffle(rows)
    train, held_out = folder / "messages.csv", folder / "messages_held_out.csv"
    with _writing(folder):
        _write_csv(train, ["text", "topic"], rows)
        _write_csv(held_out, ["text"], [(text,) for text, _ in _UNSEEN])
    return DemoData(train, (held_out,), tuple(topic for _, topic in _UNSEEN))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Make a folder to write into; errors of the file system come out as `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError("cannot write the demo's data", found=f"{folder} ({error.strerror})") from error


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = folder / file.name
        if not target.is_file() or target.stat().st_size != file.stat().st_size:
            shutil.copyfile(file, target)


def _write_csv(path: Path, header: list[str], rows: Sequence[tuple[str, ...]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _messages(topic: str, rng: random.Random) -> list[str]:
    """Different messages on a topic: every phrase with every thing, some of them with a greeting."""
    phrases, things = _TOPICS[topic]
    cores = [phrase.format(thing) for phrase in phrases for thing in things]
    rng.shuffle(cores)
    return [f"{rng.choice(_GREETINGS)}{core}" for core in cores[:_MESSAGES]]


_GREETINGS = ("", "", "", "Hello, ", "Hi there, ", "Sorry to bother you, ", "Quick question: ")
_TOPICS = {
    "lost card": (
        (
            "I cannot find my {}",
            "my {} has been stolen",
            "I left my {} in a taxi",
            "please block my {} at once",
            "somebody took my {} yesterday",
            "I think I dropped my {} at the station",
            "what shall I do now that my {} is gone?",
            "how do I report a missing {}?",
        ),
        (
            *("card", "debit card", "credit card", "bank card", "new card", "travel card"),
            *("company card", "second card", "wallet with the card in it", "daughter's card"),
        ),
    ),
    "transfer": (
        (
            "I would like to send money to {}",
            "how long does a payment to {} take?",
            "my transfer to {} has not arrived",
            "can I cancel the payment I made to {}?",
            "what does it cost to transfer money to {}?",
            "I sent too much to {} by mistake",
            "please set up a monthly payment to {}",
            "the app will not let me pay {}",
        ),
        (
            *("my landlord", "my brother", "a shop abroad", "an account in Spain", "my savings account"),
            *("a friend", "the gas company", "a new payee", "my wife", "an account in the US"),
        ),
    ),
    "exchange rate": (
        (
            "what rate do you give for {}?",
            "how many {} do I get for a hundred pounds?",
            "why did the rate for {} change overnight?",
            "is there a fee for buying {}?",
            "the rate I got for {} was worse than you showed",
            "when is the best time to change {}?",
            "can I hold {} in my account?",
            "do you charge more for {} at the weekend?",
        ),
        (
            *("euros", "dollars", "yen", "Swiss francs", "Swedish kronor", "rupees", "zloty"),
            *("Canadian dollars", "pesos", "Turkish lira"),
        ),
    ),
    "login": (
        (
            "I forgot the {} for the app",
            "the app does not accept my {}",
            "how can I reset my {}?",
            "I am locked out because of a wrong {}",
            "I never got the message with my {}",
            "where do I change the {}?",
            "my {} has expired",
            "I got a new phone and lost my {}",
        ),
        (
            *("password", "passcode", "user name", "security code", "sign-in code", "memorable word"),
            *("login", "verification code", "recovery code", "access code"),
        ),
    ),
    "cash machine": (
        (
            "the {} kept my card",
            "the {} gave me less than I asked for",
            "is there a {} near the station?",
            "what is the most I can take out at a {}?",
            "why was I charged for using a {}?",
            "the {} was out of order but my account was debited",
            "can I pay in coins at a {}?",
            "the {} in the high street has no money",
        ),
        (
            *("cash machine", "ATM", "cashpoint", "machine at the airport", "cash machine abroad"),
            *("ATM in the supermarket", "machine in your branch", "cashpoint round the corner"),
        ),
    ),
}
_UNSEEN = (
    ("Help, my purse was snatched and all my cards were inside!", "lost card"),
    ("I moved 200 pounds to my sister on Monday and she still has nothing", "transfer"),
    ("How much is a pound in Danish money today?", "exchange rate"),
    ("It keeps telling me that my credentials are invalid", "login"),
    ("I withdrew 50 but only two notes came out", "cash machine"),
)
