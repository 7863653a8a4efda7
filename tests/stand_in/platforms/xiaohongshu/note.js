// Script of a note's page: scrolling loads comments, "show more" loads replies; a user can like, collect and write.
if (PAGE.kind === "note") {
  const note = PAGE.note;
  const comments = { list: [], cursor: "", hasMore: true, loading: undefined };
  const scroller = document.querySelector(".note-scroller");
  const container = document.querySelector(".comments-container");
  const post = (path, body) => json(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  let replyTo = null;

  const show = (comment) => {
    const parent = document.createElement("div");
    parent.className = "parent-comment";
    parent.innerHTML = `<div class="comment-item" id="comment-${comment.id}" style="height:60px"><div class="right">
      <div class="content"></div><div class="info"><div class="interactions"><span class="reply">回复</span></div></div>
      </div></div>`;
    parent.querySelector(".content").innerText = comment.content;
    parent.querySelector(".reply").addEventListener("click", () => { replyTo = comment.id; openInput(); });
    if (comment.subCommentHasMore) {
      const more = document.createElement("div");
      more.className = "show-more";
      more.innerText = `展开 ${comment.subCommentCount - comment.subComments.length} 条回复`;
      more.addEventListener("click", async () => {
        const { data } = await json(`/api/sns/web/v2/comment/sub/page?root_comment_id=${comment.id}&cursor=${comment.subCommentCursor}`);
        comment.subComments.push(...data.comments);
        comment.subCommentCursor = data.cursor;
        comment.subCommentHasMore = data.has_more;
        more.innerText = "展开更多回复";
        if (!data.has_more) more.remove();
      });
      parent.append(more);
    }
    container.append(parent);
  };

  let busy = false;
  const load = async () => {
    if (!comments.hasMore || busy) return;
    busy = true;
    const { success, data } = await json(`/api/sns/web/v2/comment/page?note_id=${PAGE.noteId}&cursor=${comments.cursor}`);
    if (!success) return;
    comments.list.push(...data.comments);
    data.comments.forEach(show);
    comments.cursor = data.cursor;
    comments.hasMore = data.has_more;
    if (!comments.hasMore) container.insertAdjacentHTML("beforeend", "<div class='end-container'>- THE END -</div>");
    busy = false;
  };

  const button = (selector, field, path) => {
    document.querySelector(selector).addEventListener("click", async () => {
      const next = !note.interactInfo[field];
      const answer = await post(path + (next ? "" : "/undo"), { note_id: PAGE.noteId });
      if (answer.success) note.interactInfo[field] = next;
    });
  };
  button(".interact-container .like-lottie", "liked", "/api/sns/web/v1/note/like");
  button(".interact-container .collect-icon", "collected", "/api/sns/web/v1/note/collect");

  const editor = document.querySelector(".content-input");
  const openInput = () => { document.querySelector(".input-box").classList.add("active"); editor.focus(); };
  if (editor) {
    document.querySelector(".content-edit > span").addEventListener("click", openInput);
    document.querySelector("button.submit").addEventListener("click", () => {
      post("/api/sns/web/v1/comment/post", { note_id: PAGE.noteId, content: editor.innerText, target_comment_id: replyTo });
    });
  }

  const other = { note: ref({ noteId: "0".repeat(24), title: "上一页" }), comments: rawOnly({ list: [], hasMore: false }) };
  if (PAGE.old_state) state.note.noteDetailMap["0".repeat(24)] = other;
  // Without the note in its HTML, the page requests it, and shows nothing when the request is refused.
  if (PAGE.feed_code) json(`/api/sns/web/v1/feed?code=${PAGE.feed_code}`);
  else later(() => {
    app.insertAdjacentText("afterbegin", note.desc);
    state.note.noteDetailMap[PAGE.noteId] = valueOnly({ note: ref(note), comments: rawOnly(comments) });
    if (PAGE.total === 0) {
      comments.hasMore = false;
      container.innerHTML = "<div class='no-comments-text'>这是一片荒地</div>";
      return;
    }
    load();
    scroller.addEventListener("scroll", load);
  });
}
