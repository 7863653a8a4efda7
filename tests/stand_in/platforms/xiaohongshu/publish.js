// Script of the creator site's page: it uploads files one by one, then shows the form, then enables the button.
if (PAGE.kind === "publish") {
  let kind = "video";
  const files = [];
  const input = document.querySelector(".upload-input");
  const form = document.querySelector(".form");
  const button = form.querySelector("button, xhs-publish-btn");
  const editor = form.querySelector(".ql-editor");
  const topics = document.querySelector("#creator-editor-topic-container");
  const chosen = [];
  for (const tab of document.querySelectorAll("div.creator-tab")) {
    tab.addEventListener("click", () => {
      kind = tab.innerText === "上传图文" ? "image" : "video";
      input.accept = kind === "image" ? ".jpg,.jpeg,.png,.webp" : ".mp4,.mov";
    });
  }
  input.addEventListener("change", async () => {
    for (const file of [...input.files]) {
      const answer = await json(`/api/upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      await new Promise((done) => setTimeout(done, 100));
      files.push(answer);
      document.querySelector(".img-preview-area").insertAdjacentHTML("beforeend", "<div class='pr'></div>");
    }
    form.hidden = false;
    setTimeout(() => { button.disabled = false; button.setAttribute("submit-disabled", "false"); }, 150);
  });
  // The site allows a width of forty: each UTF-16 unit counts one if it is ASCII, else two.
  const title = form.querySelector(".d-input input");
  title.addEventListener("input", () => {
    const width = [...Array(title.value.length).keys()].reduce((sum, at) => sum + (title.value.charCodeAt(at) > 127 ? 2 : 1), 0);
    const suffix = form.querySelector(".max_suffix");
    suffix.innerText = `${Math.ceil(width / 2)}/20`;
    suffix.hidden = width <= 40;
  });
  editor.addEventListener("input", () => {
    const typed = /#([^#\s]+)$/.exec(editor.innerText);
    topics.hidden = !typed;
    if (typed) setTimeout(() => { topics.querySelector(".item").innerText = "#" + typed[1]; }, 100);
  });
  topics.querySelector(".item").addEventListener("click", () => {
    chosen.push(topics.querySelector(".item").innerText.slice(1));
    editor.innerText = editor.innerText.replace(/#[^#\s]+$/, "");
    editor.innerText += `[${chosen.at(-1)}] `;
    topics.hidden = true;
    getSelection().selectAllChildren(editor);
    getSelection().collapseToEnd();
  });
  button.addEventListener("click", async (event) => {
    if (button.tagName === "XHS-PUBLISH-BTN" && event.offsetX < button.clientWidth / 2) return; // The left button keeps a draft.
    const answer = await json("/web_api/sns/v2/note", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({
        kind, files, topics: chosen, content: editor.innerText.trim(), title: form.querySelector(".d-input input").value,
      }),
    });
    if (answer.success) location.href = "/publish/success";
  });
}
