// Common script of the stand-in's pages: like the platform's, it holds the state in Vue-like refs and fills it late.
const ref = (value) => {
  const box = { __v_isRef: true, _rawValue: value, _value: value, dep: undefined };
  box.dep = { owner: box }; // refs are circular, as in Vue
  Object.defineProperty(box, "value", { get: () => box._value, set: (next) => { box._value = next; box._rawValue = next; } });
  return box;
};
const rawOnly = (value) => ({ _rawValue: value, value: undefined });
const valueOnly = (value) => ({ _value: value });
const wrap = PAGE.plain ? (value) => value : ref;
const app = document.getElementById("app");
const json = async (path, options) => (await fetch(path, options)).json();
const later = (action, ms) => setTimeout(action, ms ?? PAGE.delay_ms ?? 50);

window.__INITIAL_STATE__ = {
  global: undefined,
  user: {
    userInfo: wrap(PAGE.user ?? { guest: true }), loggedIn: wrap(PAGE.loggedIn ?? false), token: undefined,
    userPageData: wrap({}), notes: wrap([[], [], [], []]), activeTab: wrap({ index: 0, query: "note" }),
  },
  search: { feeds: wrap(PAGE.old_feeds ?? []), searchContext: wrap({ keyword: PAGE.old_keyword ?? PAGE.keyword }), userLists: wrap([]) },
  feed: { feeds: wrap([]), currentChannel: "homefeed_recommend" },
  note: { noteDetailMap: {}, currentNoteId: undefined },
};
const state = window.__INITIAL_STATE__;
const set = (holder, key, value) => {
  if (PAGE.plain) holder[key] = value;
  else holder[key].value = value;
};
const get = (holder, key) => (PAGE.plain ? holder[key] : holder[key].value);
fetch("/api/sns/web/v2/user/me").catch(() => {});

if (PAGE.kind === "search" && !PAGE.never) {
  let page = 0, more = true, busy = false;
  const chosen = {};
  const load = async () => {
    if (!more || busy) return;
    busy = true;
    page += 1;
    const answer = await fetch("/api/sns/web/v1/search/notes", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ keyword: PAGE.keyword, page, filters: Object.entries(chosen).map(([type, tag]) => ({ type, tags: [tag] })) }),
    });
    if (!answer.ok) return;
    const { data } = await answer.json();
    if (!data) return;
    if (page === 1) {
      set(state.search, "feeds", []);
      set(state.search, "searchContext", { keyword: PAGE.keyword });
    }
    get(state.search, "feeds").push(...data.items);
    more = data.has_more;
    document.getElementById("cards").style.height = `${get(state.search, "feeds").length * 100}px`;
    document.getElementById("cards").innerText = get(state.search, "feeds").length ? "" : "没有找到相关内容";
    busy = false;
  };
  later(load);
  window.addEventListener("scroll", load);
  const filter = document.querySelector("div.filter");
  const panel = document.querySelector("div.filter-panel");
  if (filter) {
    filter.addEventListener("mouseenter", () => later(() => { panel.style.display = "block"; }, 150));
    filter.addEventListener("mouseleave", () => { panel.style.display = "none"; });
    for (const tag of document.querySelectorAll("div.tags")) {
      tag.addEventListener("click", () => {
        const group = tag.closest("div.filters");
        group.querySelectorAll("div.tags").forEach((other) => other.classList.toggle("active", other === tag));
        chosen[group.querySelector(":scope > span").innerText] = tag.innerText.trim();
        // The old results stay for a moment; then the list is emptied and filled.
        page = 0; more = true; busy = true;
        later(() => { set(state.search, "feeds", []); later(() => { busy = false; load(); }, 150); }, 100);
      });
    }
  }
}

const usersTab = document.querySelector("#search-type #user");
if (usersTab && PAGE.kind === "search") {
  let page = 0, more = true, busy = true;
  const load = async () => {
    if (!more || busy) return;
    busy = true;
    page += 1;
    const answer = await fetch("/api/sns/web/v1/search/usersearch", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ search_user_request: { keyword: PAGE.keyword, page, page_size: 15, biz_type: "web_search_user" } }),
    });
    if (!answer.ok) return;
    const { data } = await answer.json();
    get(state.search, "userLists").push(...data.users);
    more = data.has_more;
    document.getElementById("cards").style.height = `${get(state.search, "userLists").length * 200}px`;
    busy = false;
  };
  usersTab.addEventListener("click", () => { busy = false; load(); });
  window.addEventListener("scroll", load);
}

if (PAGE.kind === "home") {
  let page = 0;
  const load = async () => {
    const { data } = await json(`/api/sns/web/v1/homefeed?page=${page}`, { method: "POST" });
    page += 1;
    get(state.feed, "feeds").push(...data.items);
    document.getElementById("cards").style.height = `${get(state.feed, "feeds").length * 100}px`;
  };
  if (PAGE.feed) {
    later(load);
    window.addEventListener("scroll", () => { if (page * 10 < PAGE.feed) load(); });
  }
}

if (PAGE.kind === "user") {
  let start = 0, busy = false;
  const load = async () => {
    if (busy || start >= PAGE.total) return;
    busy = true;
    const call = ["v1/user_posted", "v2/note/collect/page", "v1/note/like/page"][PAGE.tab];
    const { data } = await json(`/api/sns/web/${call}?user_id=${PAGE.userId}&cursor=${start}`);
    if (!data) return;
    start += data.notes.length;
    get(state.user, "notes")[PAGE.tab].push(...data.notes);
    app.style.height = `${start * 100 + 900}px`;
    busy = false;
  };
  later(() => { set(state.user, "userPageData", PAGE.pageData); load(); });
  window.addEventListener("scroll", load);
}

const box = document.getElementById("search-input");
if (box) {
  box.addEventListener("click", () => json("/api/sns/web/v1/search/querytrending?source=Explore"));
  box.addEventListener("input", () => json(`/api/sns/web/v1/search/recommend?keyword=${encodeURIComponent(box.value)}`));
}

const login = document.querySelector(".login-container .qrcode-img");
if (login) {
  later(async () => {
    const { data } = await json("/api/sns/web/v1/login/qrcode/create", { method: "POST" });
    if (!data) return;
    login.src = data.picture;
    const poll = setInterval(async () => {
      const answer = await json(`/api/sns/web/v1/login/qrcode/status?qr_id=${data.qr_id}`);
      const { code_status: status, proof } = answer.data;
      if (status !== 2) return;
      clearInterval(poll);
      if (proof === "captcha") location.href = "/website-login/captcha?redirectPath=x&verifyType=124";
      else if (proof) document.querySelector(".login-container").innerHTML = PAGE.proofs[proof];
      else location.reload();
    }, 200);
  });
}
