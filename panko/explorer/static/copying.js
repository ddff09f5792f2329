// SPDX-License-Identifier: Apache-2.0
// Buttons that copy: the text of each element with data-copy. Only browsers on HTTPS or localhost let a page copy.

function addButton(source) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.dataset.copy || source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    document.dispatchEvent(new CustomEvent("panko:announce", { detail: button.textContent }));
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  source.after(button);
}

function prepare(root) {
  for (const source of root.querySelectorAll("[data-copy]:not([data-copies])")) {
    source.dataset.copies = "";
    addButton(source);
  }
}

prepare(document);
document.addEventListener("panko:added", (event) => prepare(event.target));
