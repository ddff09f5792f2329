// SPDX-License-Identifier: Apache-2.0
// Closes menus when the person turns to something else, and keeps empty fields of the search form out of the URL.

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("focusin", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopImmediatePropagation();
  }
});

function closeMenus(target) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = menu.contains(target);
  }
}

document.addEventListener("formdata", (event) => {
  if (event.target.method === "get") {
    for (const [name, value] of [...event.formData]) {
      if (value === "" || (name === "range" && value === "custom")) {
        event.formData.delete(name);
      }
    }
  }
});
