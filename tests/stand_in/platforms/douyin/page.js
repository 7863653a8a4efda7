// Common script of the stand-in's pages: it loads their data by signed calls, as the site's own script does.
const signed = (path, values) => `/aweme/v1/web${path}/?${new URLSearchParams({ aid: 6383, ...values, a_bogus: "page" })}`;
const call = async (path, values) => {
  try {
    return JSON.parse(await (await fetch(signed(path, values))).text());
  } catch {
    return null;
  }
};
const list = document.querySelector("#list");
const later = (action) => setTimeout(action, PAGE.delay_ms);
// Loads parts of a list one after the other while the page is scrolled.
const scrolled = (load) => {
  let loading = null, more = true;
  const next = () => {
    if (!more || loading) return;
    loading = load().then((result) => { more = result; loading = null; });
  };
  later(next);
  addEventListener("scroll", next);
};
const grow = (count) => { list.style.height = `${900 + count * 200}px`; };

if (PAGE.member !== null) localStorage.setItem("HasUserLogin", PAGE.member ? "1" : "0");
if (PAGE.member) call("/user/profile/self", {});

if (PAGE.kind === "hot") later(() => call("/hot/search/list", { detail_list: 1 }));

if (PAGE.kind === "video") {
  later(async () => {
    const answer = await call("/aweme/detail", { aweme_id: PAGE.id });
    if (!answer?.aweme_detail) return;
    grow(1);
    let cursor = 0;
    scrolled(async () => {
      const part = await call("/comment/list", { aweme_id: PAGE.id, cursor, count: 10 });
      if (!part?.comments) return false;
      cursor = part.cursor;
      grow(cursor);
      return Boolean(part.has_more);
    });
  });
}

if (PAGE.kind === "user") {
  later(() => call("/user/profile/other", { sec_user_id: PAGE.id }));
  let cursor = 0;
  scrolled(async () => {
    const part = await call("/aweme/post", { sec_user_id: PAGE.id, max_cursor: cursor });
    if (!part?.aweme_list) return false;
    cursor = part.max_cursor;
    grow(cursor);
    return Boolean(part.has_more);
  });
}

if (PAGE.kind === "search") {
  let offset = 0;
  scrolled(async () => {
    const path = PAGE.stream ? "/general/search/stream" : "/general/search/single";
    const ask = async () => (await fetch(signed(path, { keyword: PAGE.id, offset, ...PAGE.filters }))).text();
    const text = (await ask()) || (await ask());
    const last = text.slice(text.lastIndexOf('{"status_code"'));
    offset += 10;
    grow(offset);
    try {
      return Boolean(JSON.parse(last.trim().split("\n")[0]).has_more);
    } catch {
      return false;
    }
  });
}

const panel = document.querySelector("#login-panel-new");
if (panel) {
  const code = panel.querySelector("#animate_qrcode_container img");
  const show = async () => {
    panel.hidden = false;
    const { data } = await (await fetch("/passport/web/get_qrcode/")).json();
    if (code) code.src = `data:image/png;base64,${data.qrcode}`;
    const poll = setInterval(async () => {
      const answer = await (await fetch(`/passport/web/check_qrconnect/?token=${data.token}`)).json();
      if (answer.data.status !== "3") return;
      clearInterval(poll);
      localStorage.setItem("HasUserLogin", "1");
      location.reload();
    }, 200);
  };
  document.querySelector("#login-button")?.addEventListener("click", show);
  if (!panel.hidden) later(show);
}
