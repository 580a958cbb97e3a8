"""Imports: a file comes in whatever is wrong with parts of it, and a killed worker loses nothing."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.http.request import UnreadablePostError
from pytest_django.fixtures import Settings

from dialer.campaigns import imports
from dialer.models import Campaign, CampaignContact, Contact, Import, ImportPart, ImportProblem
from dialer.rules.contact_file import LONGEST_ROW
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, make_campaign, make_contact, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


def received(workspace: Workspace, *chunks: str | bytes, campaign: Campaign | None = None) -> Import:
    encoded = [chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks]
    campaign_id = campaign.id if campaign else None
    return imports.receive(
        workspace.id, encoded, file_name="contacts.csv", campaign_id=campaign_id, actor=SYSTEM, now=NOW
    )


def read(source: Import) -> Import:
    while imports.read_batch(source.id, now=NOW):
        pass
    source.refresh_from_db()
    return source


def counts(source: Import) -> tuple[int, int, int, int]:
    return source.rows_read, source.rows_good, source.rows_duplicate, source.rows_bad


def problems(source: Import) -> list[tuple[int, str, str]]:
    return list(ImportProblem.objects.filter(source=source).order_by("line").values_list("line", "column", "reason"))


def rows(numbers: Iterable[int]) -> str:
    return "".join(f"+4930{number:08d},Contact {number}\n" for number in numbers)


def test_good_rows_come_in_and_bad_ones_are_kept_with_line_column_and_reason(workspace: Workspace) -> None:
    source = read(
        received(
            workspace,
            "Mobile;Name;TZ;City\n+49 30 901820;Ann;;Rome\n\nnonsense;Bob;;\n+4930901821;Cid;Mars;\n",
            '+4930901822;"Dan\nthe second";Asia/Tokyo;\n+4930901823;Eve;;;more\n',
        )
    )

    assert source.status == "done"
    assert source.finished_at == NOW
    assert counts(source) == (5, 2, 0, 3)
    assert problems(source) == [
        (4, "Mobile", "must start with + and the country code"),
        (5, "TZ", "is not a known IANA time zone, such as Europe/Berlin"),
        (8, "", "has more cells than the header"),
    ]
    assert list(Contact.objects.order_by("id").values_list("phone", "name", "time_zone", "metadata")) == [
        ("+4930901820", "Ann", "", {"City": "Rome"}),
        ("+4930901822", "Dan\nthe second", "Asia/Tokyo", {}),
    ]


def test_bad_rows_come_back_as_a_file_that_can_be_mended_and_sent_again(workspace: Workspace) -> None:
    source = read(received(workspace, "\ufeffphone,name,city\n0301,Ann,Rome\n+4930901820,Bob,Bonn\n"))

    back = "".join(imports.problems_csv(source))

    assert list(csv.reader(io.StringIO(back))) == [
        ["line", "column", "reason", "phone", "name", "city"],
        ["2", "phone", "must start with + and the country code", "0301", "Ann", "Rome"],
    ]
    again = read(received(workspace, back.replace("0301", "+49301234567")))
    assert counts(again) == (1, 1, 0, 0)
    assert Contact.objects.get(name="Ann").metadata == {"city": "Rome"}


def test_bad_rows_hold_nothing_that_a_spreadsheet_would_run_and_read_back_as_they_were(workspace: Workspace) -> None:
    given = [["0301", "=1+1", "@x", "it's"], ["-49 30 1", "\t=2", "'quoted'", "+49 30 1234567"]]
    file = io.StringIO()
    csv.writer(file).writerows([["phone", "name", "=city", "note"], *given])
    source = read(received(workspace, file.getvalue()))

    back = "".join(imports.problems_csv(source))

    assert [row[3:] for row in csv.reader(io.StringIO(back))] == [
        ["phone", "name", "'=city", "note"],
        ["0301", "'=1+1", "'@x", "it's"],
        ["'-49 30 1", "'\t=2", "'quoted'", "'+49 30 1234567"],
    ]
    read(received(workspace, back.replace("0301", "+4930901820").replace("'-49 30 1", "+4930901821")))
    assert list(Contact.objects.order_by("phone").values_list("name", "metadata")) == [
        ("=1+1", {"=city": "@x", "note": "it's"}),
        ("=2", {"=city": "'quoted'", "note": "+49 30 1234567"}),
    ]


def test_importing_the_same_file_again_brings_duplicates_only(workspace: Workspace) -> None:
    text = "phone,external_id,name\n+4930901820,1,Ann\n+4930901821,,Bob\n+49 30 901821,,Bobby\n"

    first = read(received(workspace, text))
    second = read(received(workspace, text))
    changed = read(received(workspace, text.replace("Ann", "Anna")))

    assert counts(first) == (3, 2, 1, 0)
    assert counts(second) == (3, 0, 3, 0)
    assert counts(changed) == (3, 1, 2, 0)
    assert Contact.objects.get(external_id="1").name == "Anna"
    assert Contact.objects.count() == 2


def test_contacts_of_an_import_with_a_campaign_are_put_into_it_each_once(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    make_contact(workspace, phone="+4930901820")

    first = read(received(workspace, "phone\n+4930901820\n+4930901821\n+4930901820\n", campaign=campaign))
    second = read(received(workspace, "phone\n+4930901820\n", campaign=campaign))

    assert counts(first) == (3, 2, 1, 0)
    assert counts(second) == (1, 0, 1, 0)
    assert CampaignContact.objects.filter(campaign=campaign, due_at=NOW).count() == 2


def test_an_import_into_a_campaign_that_ends_meanwhile_fails_and_says_why(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    source = received(workspace, "phone\n+4930901820\n", campaign=campaign)
    Campaign.objects.update(status="cancelled")

    read(source)

    assert source.status == "failed"
    assert "cancelled" in source.failure
    assert not Contact.objects.exists()
    with pytest.raises(TransitionConflict):
        received(workspace, "phone\n", campaign=campaign)
    with pytest.raises(Campaign.DoesNotExist):
        received(workspace, "phone\n", campaign=make_campaign(make_workspace()))


@pytest.mark.parametrize("text", ["", "\n \n", "Ann,+4930901820\n", "name,city\nAnn,Rome\n"])
def test_a_file_without_header_or_rows_fails_and_says_why(workspace: Workspace, text: str) -> None:
    source = read(received(workspace, text))

    assert (source.status, source.finished_at) == ("failed", NOW)
    assert source.failure
    assert "".join(imports.problems_csv(source)) == "line,column,reason\r\n"


def test_a_large_file_is_kept_in_parts_and_read_in_batches_over_their_borders(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 1_000)
    monkeypatch.setattr(imports, "ROWS", 100)
    text = "phone,name\n" + rows(range(250))
    source = received(workspace, text[:10], text[10:3_333], text[3_333:])

    assert ImportPart.objects.count() == -(-len(text) // 1_000)
    assert imports.read_batch(source.id, now=NOW)
    source.refresh_from_db()
    assert (source.status, source.rows_read, source.lease_until) == ("running", 100, NOW + imports.LEASE)
    assert 0 < source.bytes_read < source.bytes_total == len(text)

    read(source)

    assert counts(source) == (250, 250, 0, 0)
    assert Contact.objects.get(phone="+493000000249").name == "Contact 249"
    assert bytes(ImportPart.objects.get().content) == b"phone,name\n"


def test_what_a_killed_worker_had_not_committed_is_read_again_and_nothing_twice(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "ROWS", 10)
    source = received(workspace, "phone,name\n" + rows(range(25)))
    imports.read_batch(source.id, now=NOW)

    class Killed(BaseException):
        pass

    def kill(execute: object, sql: str, *rest: object) -> object:
        if "UPDATE" in sql and "dialer_import" in sql:
            raise Killed
        return execute(sql, *rest)  # type: ignore[operator]

    with pytest.raises(Killed), connection.execute_wrapper(kill):
        imports.read_batch(source.id, now=NOW)

    assert Contact.objects.count() == 10
    assert imports.resume_open(now=NOW) == []
    assert imports.resume_open(now=NOW + imports.LEASE) == [source.id]
    read(source)
    assert counts(source) == (25, 25, 0, 0)


def test_an_import_whose_message_was_lost_is_found_and_an_ended_one_is_left_alone(workspace: Workspace) -> None:
    waiting = received(workspace, "phone\n+4930901820\n")
    read(received(workspace, "phone\n+4930901820\n"))

    assert imports.resume_open(now=NOW) == [waiting.id]


def test_an_upload_that_was_broken_off_fails_after_six_hours(workspace: Workspace) -> None:
    source = Import.objects.create(workspace=workspace, created_at=NOW)

    assert imports.resume_open(now=NOW + timedelta(hours=5)) == []
    source.refresh_from_db()
    assert source.status == "uploading"

    imports.resume_open(now=NOW + timedelta(hours=6))
    source.refresh_from_db()
    assert (source.status, source.failure) == ("failed", "the upload was broken off")


def test_a_line_without_end_is_one_problem_and_what_follows_is_read(workspace: Workspace) -> None:
    source = read(received(workspace, "phone,name\n+4930901820,", "x" * (LONGEST_ROW * 2), "\n", rows(range(3))))

    assert counts(source) == (4, 3, 0, 1)
    assert [(line, reason) for line, _, reason in problems(source)] == [(2, "the row has more than 262,144 bytes")]


def test_rows_in_other_encodings_and_with_nul_are_problems_that_can_be_kept(workspace: Workspace) -> None:
    source = read(
        received(
            workspace, "phone,name\n", "+4930901820,Jürgen\n".encode("latin-1"), "+4930901821,A\x00\n+4930901822,B\n"
        )
    )

    assert source.status == "done"
    assert counts(source) == (3, 1, 0, 2)
    assert [(line, reason) for line, _, reason in problems(source)] == [
        (2, "is not UTF-8; save the file as “CSV UTF-8”"),
        (3, "contains NUL bytes"),
    ]


def test_problems_of_a_later_batch_have_the_lines_of_the_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "ROWS", 2)

    source = read(received(workspace, "phone,name\n", rows(range(5)), "nonsense,Bob\n"))

    assert counts(source) == (6, 5, 0, 1)
    assert [line for line, _, _ in problems(source)] == [7]


@pytest.mark.parametrize(
    ("name", "most", "said"),
    [("IMPORT_LARGEST_FILE_MB", 0, "more than 0 MB"), ("IMPORT_MOST_LINES", 2, "more than 2 lines")],
)
def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    workspace: Workspace, settings: Settings, name: str, most: int, said: str
) -> None:
    setattr(settings, name, most)

    with pytest.raises(imports.FileTooLarge, match=said):
        received(workspace, "phone\n", rows(range(2)))

    assert not Import.objects.exists()
    assert not ImportPart.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_upload_whose_sender_breaks_off_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", 4)

    def broken_off() -> Iterator[bytes]:
        yield b"phone\n+49301234567\n"
        assert ImportPart.objects.exists()
        raise UnreadablePostError

    with pytest.raises(UnreadablePostError):
        imports.receive(workspace.id, broken_off(), actor=SYSTEM, now=NOW)

    assert not Import.objects.exists()
    assert not ImportPart.objects.exists()


def test_a_workspace_has_so_many_imports_under_way_and_no_more(workspace: Workspace, settings: Settings) -> None:
    settings.IMPORTS_AT_ONCE = 2
    first, _ = received(workspace, "phone\n+4930901820\n"), received(workspace, "phone\n")

    with pytest.raises(imports.TooManyImports):
        received(workspace, "phone\n")
    received(make_workspace(), "phone\n")
    read(first)

    assert received(workspace, "phone\n").status == "waiting"
