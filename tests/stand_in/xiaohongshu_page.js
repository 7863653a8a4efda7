// What the stand-in's pages do: hold state in Vue-like refs and fill it late, as the platform's own script does.
const ref = (value) => {
  const box = { __v_isRef: true, _rawValue: value, _value: value, dep: undefined };
  box.dep = { owner: box }; // refs are circular, as in Vue
  Object.defineProperty(box, "value", { get: () => box._value, set: (next) => { box._value = next; box._rawValue = next; } });
  return box;
};
const rawOnly = (value) => ({ _rawValue: value, value: undefined });
const wrap = PAGE.plain ? (value) => value : ref;
const get = (holder) => (PAGE.plain ? holder : holder.value);

const feeds = wrap([]);
window.__INITIAL_STATE__ = {
  global: undefined,
  user: { userInfo: wrap(PAGE.user ?? { guest: true }), loggedIn: wrap(PAGE.loggedIn ?? false), token: undefined },
  search: { feeds, searchValue: undefined, userLists: wrap([]) },
  note: { noteDetailMap: {}, currentNoteId: undefined },
};
const state = window.__INITIAL_STATE__;

const later = (action) => setTimeout(action, PAGE.delay_ms ?? 50);
fetch("/api/sns/web/v2/user/me").catch(() => {});

if (PAGE.kind === "search" && !PAGE.never) {
  let page = 0, more = true, busy = false;
  const load = async () => {
    if (!more || busy) return;
    busy = true;
    page += 1;
    const answer = await fetch("/api/sns/web/v1/search/notes", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ keyword: PAGE.keyword, page }),
    });
    if (!answer.ok) return;
    const { data } = await answer.json();
    get(feeds).push(...data.items);
    more = data.has_more;
    document.getElementById("app").style.height = `${get(feeds).length * 100}px`;
    if (!get(feeds).length) document.getElementById("app").innerText = "没有找到相关内容";
    busy = false;
  };
  later(load);
  window.addEventListener("scroll", load);
}

if (PAGE.kind === "note") {
  const comments = { list: [], cursor: "", hasMore: true, loading: undefined };
  const scroller = document.querySelector(".note-scroller");
  const container = document.querySelector(".comments-container");
  let busy = false;
  const load = async () => {
    if (!comments.hasMore || busy) return;
    busy = true;
    const answer = await fetch(`/api/sns/web/v2/comment/page?note_id=${PAGE.noteId}&cursor=${comments.cursor}`);
    const { success, data } = await answer.json();
    if (!success) return;
    comments.list.push(...data.comments);
    comments.cursor = data.cursor;
    comments.hasMore = data.has_more;
    container.style.height = `${comments.list.length * 100}px`;
    if (!comments.hasMore) container.insertAdjacentHTML("beforeend", "<div class='end-container'>THE END</div>");
    busy = false;
  };
  later(() => {
    document.getElementById("app").insertAdjacentText("afterbegin", PAGE.note.desc);
    state.note.noteDetailMap[PAGE.noteId] = rawOnly({ note: ref(PAGE.note), comments: rawOnly(comments) });
    if (PAGE.total === 0) {
      comments.hasMore = false;
      container.innerHTML = "<div class='no-comments-text'>这是一片荒地</div>";
      return;
    }
    load();
    scroller.addEventListener("scroll", load);
  });
}
