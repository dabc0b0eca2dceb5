"""What people do at the entrance."""

from playwright.sync_api import Page, expect

_SEND = """([ending, csrf]) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = location.pathname + ending;
    form.innerHTML = `<input name="csrf" value="${csrf}">`;
    document.body.append(form);
    form.submit();
}"""


def sign_in(page: Page, path: str = "/") -> None:
    """By the button of the page that says who may not see it; it leads back to where they wanted to be."""
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not signed in")
    page.locator("main").get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Not signed in")


def refused_form(page: Page, ending: str) -> None:
    """Sends what the page has no form for, as somebody would who knows how, and waits for the answer."""
    with page.expect_navigation():
        page.evaluate(_SEND, [ending, page.locator(".who [name=csrf]").input_value()])
