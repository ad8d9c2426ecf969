"""The fixtures notice what a page must not do: without that, the tests of the explorer could not fail."""

import pytest

WRONG = {
    "console": ("<script>console.error('bad')</script>", "console: bad"),
    "exception": ("<script>nothing.at.all</script>", "uncaught: nothing is not defined"),
    "image": ("<img src='http://localhost:9/a.png'>", "request: http://localhost:9/a.png"),
    "file": ("<img src='other.png'>", "request: file:///"),
    "fetch": ("<script>fetch('http://localhost:9/').catch(() => 0)</script>", "request: http://localhost:9/"),
    "dialog": ("<script>alert(1)</script>", "dialog: 1"),
    "policy": (
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\"><script>1</script>",
        "console: Executing inline script violates",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_a_page_must_not_do_is_noticed(watched, tmp_path, kind):
    text, complaint = WRONG[kind]
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>page</title>{text}<p>here</p>")
    page = watched.open(tmp_path / "page.html")
    page.wait_for_timeout(50)
    assert page.inner_text("p") == "here"
    assert any(noted.startswith(complaint) for noted in watched.complaints), watched.complaints


def test_an_honest_page_is_left_alone(visit, tmp_path):
    (tmp_path / "page.html").write_text(
        "<!DOCTYPE html><title>page</title><link rel=icon href='data:,'><p></p>"
        "<script>document.querySelector('p').textContent = location.hash</script>"
    )
    assert visit(tmp_path / "page.html", "#here").inner_text("p") == "#here"
