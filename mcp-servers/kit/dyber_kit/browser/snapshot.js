// Runs in the page: returns plain copies of the named parts of its state, and the signs of a wall.
(wanted) => {
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
  const fromScript = (selector) => {
    const text = document.querySelector(selector)?.textContent.trim();
    if (!text) return null;
    try {
      return JSON.parse(text.startsWith("%") ? decodeURIComponent(text) : text);
    } catch {
      return null; // The script is not there to its end yet.
    }
  };
  const source = wanted.state;
  const state = source === "" ? null : source.startsWith("script") ? fromScript(source) : window[source];
  const at = (path) => {
    let value = unwrap(state);
    for (const key of path) {
      if (value === null || typeof value !== "object") return null;
      value = unwrap(value[key]);
    }
    return plain(value, 9);
  };
  const shown = (selector) => selector === "" ? undefined :
    [...document.querySelectorAll(selector)].find((element) => element.getClientRects().length > 0);
  const picture = (element) => element instanceof HTMLCanvasElement ? element.toDataURL() : element?.src ?? "";
  const blocked = shown(wanted.notices);
  return {
    url: location.href,
    complete: document.readyState === "complete",
    has_state: typeof state === "object" && state !== null,
    state: Object.fromEntries(Object.entries(wanted.paths).map(([name, path]) => [name, at(path)])),
    blocked_text: blocked ? blocked.innerText.slice(0, 300) : "",
    box: wanted.boxes.find(shown) ?? "",
    login_box: Boolean(shown(wanted.login_box)),
    qr: picture(shown(wanted.login_code)),
    code_input: Boolean([...document.querySelectorAll("input")].find(
      (input) => input.getClientRects().length > 0 && input.placeholder.includes(wanted.proof_words))),
    marks: Object.fromEntries(Object.entries(wanted.marks).map(([name, selector]) => [name, Boolean(shown(selector))])),
    title: document.title.slice(0, 300),
    text: document.body ? document.body.innerText.slice(0, 3000) : "",
  };
}
