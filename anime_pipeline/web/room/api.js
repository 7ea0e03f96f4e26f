// The studio's own API. A key is kept for this tab only; on the machine itself none may be needed.
const KEY = "anime-pipeline key";

const headers = (more = {}) => {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
};

/** A problem in the words of the server, with what mends it. */
export class Refused extends Error {
  constructor(problem, status) {
    const said = problem.detail || problem.title || `The server answered ${status}.`;
    super(problem.remedy ? `${said.replace(/\.$/, "")}. To mend it: ${problem.remedy}` : said);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: headers(options.headers) }).catch(() => {
    throw new Refused({ detail: "The server cannot be reached.", remedy: "see whether anime-pipeline api runs, then try again" });
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401 && (await keyGiven(problem.detail))) return ask(path, options);
  throw new Refused(problem, answer.status);
}

let asking = null;
function keyGiven(why) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("ask-key");
    const field = document.getElementById("key");
    field.value = "";
    document.getElementById("why").textContent = sessionStorage.getItem(KEY) ? why : "";
    sessionStorage.removeItem(KEY);
    dialog.addEventListener("close", () => {
      const key = field.value.trim();
      field.value = "";
      if (key) sessionStorage.setItem(KEY, key);
      asking = null;
      resolve(Boolean(key));
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

export const read = async (path) => (await ask(path)).json();

/** Every item of a list, page by page. */
export async function readAll(path) {
  const items = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await read(`${path}${path.includes("?") ? "&" : "?"}limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next ?? null;
  }
  return items;
}

export const send = async (path, body = {}, method = "POST") => {
  const answer = await ask(path, {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(body),
  });
  return answer.status === 204 ? null : answer.json();
};

/** A file's type and an address for it that needs no header of its own. */
export async function file(path) {
  const blob = await (await ask(path)).blob();
  return { type: blob.type, url: URL.createObjectURL(blob) };
}

/** Calls `heard` with each event of each job until the page is left; `told` with whether it listens. */
export async function listen(heard, told) {
  try {
    let query = "";
    if (sessionStorage.getItem(KEY)) query = `?ticket=${encodeURIComponent((await send("/api/anime/events/ticket")).ticket)}`;
    const source = new EventSource(`/api/anime/events${query}`);
    source.onopen = () => told(true);
    for (const kind of ["progress", "complete", "error"]) {
      source.addEventListener(kind, (event) => event.data && heard(kind, JSON.parse(event.data)));
    }
    source.onerror = () => {
      told(false);
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => listen(heard, told), 5000); // a ticket is good for one connection
    };
  } catch {
    told(false);
    setTimeout(() => listen(heard, told), 5000);
  }
}
