from playwright.sync_api import expect
def test_search_page(window):
    watched = window()
    page = watched.open()
    expect(page.locator("tr.row")).to_have_count(100)
    page.screenshot(path="/tmp/s1.png")
    watched.check_layout()
