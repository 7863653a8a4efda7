// Runs in the page: returns plain copies of the named parts of its state, and the signs of a wall.
(paths) => {
  const isRef = (value) =>
    value !== null && typeof value === "object" && !Array.isArray(value) &&
    (value.__v_isRef === true || "_rawValue" in value || "_value" in value);
  const unwrap = (value) => {
    for (let hops = 0; hops < 4 && isRef(value); hops += 1) {
      value = value.value ?? value._value ?? value._rawValue ?? null;
    }
    return value ?? null;
  };
  const plain = (wrapped, depth) => {
    const value = unwrap(wrapped);
    if (value === null || typeof value === "function") return null;
    if (typeof value !== "object") return value;
    if (depth === 0) return null;
    if (Array.isArray(value)) return value.map((item) => plain(item, depth - 1));
    const copy = {};
    for (const key of Object.keys(value)) {
      if (!key.startsWith("__v") && key !== "dep") copy[key] = plain(value[key], depth - 1);
    }
    return copy;
  };
  const at = (path) => {
    let value = unwrap(window.__INITIAL_STATE__);
    for (const key of path) {
      if (value === null || typeof value !== "object") return null;
      value = unwrap(value[key]);
    }
    return plain(value, 9);
  };
  const shown = (selector) =>
    [...document.querySelectorAll(selector)].find((element) => element.getClientRects().length > 0);
  const blocked = shown(".access-wrapper, .error-wrapper, .not-found-wrapper, .blocked-wrapper");
  return {
    url: location.href,
    complete: document.readyState === "complete",
    has_state: typeof window.__INITIAL_STATE__ === "object" && window.__INITIAL_STATE__ !== null,
    state: Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, at(path)])),
    blocked_text: blocked ? blocked.innerText.slice(0, 300) : "",
    login_box: Boolean(shown(".login-container")),
    qr: shown(".login-container .qrcode-img")?.src ?? "",
    code_input: Boolean([...document.querySelectorAll("input")].find(
      (input) => input.getClientRects().length > 0 && input.placeholder.includes("验证码"))),
    no_comments: Boolean(shown(".no-comments-text")),
    end_marker: Boolean(shown(".end-container")),
    text: document.body ? document.body.innerText.slice(0, 3000) : "",
  };
}
