// One cut: its takes side by side, what was measured of each, and what a director does about it.
import { read, send } from "./api.js";
import { make, pill, say } from "./elements.js";
import { picture, replace } from "./pictures.js";

const dialog = document.getElementById("cut");
const QUEUED = "queued; it is rendered while anime-pipeline dev runs";
let shownView = null; // answers for a cut or take that is no longer looked at come to nothing

/** Shows a cut. `changed` is called when something was done; `step` with -1 or 1 asks for a neighbour. */
export async function show(cut, changed, step) {
  const view = { cut, changed, step, takes: [], retakes: [], shown: null };
  shownView = view;
  if (!dialog.open) dialog.showModal();
  dialog.onclose = () => {
    shownView = null;
    replace(dialog);
  };
  dialog.onkeydown = (event) => {
    if (event.target.matches("input, textarea")) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  };
  await load(view);
}

async function load(view) {
  const [takes, retakes] = await Promise.all([
    read(`/api/anime/cuts/${view.cut.id}/takes`),
    read(`/api/anime/cuts/${view.cut.id}/retakes`),
  ]);
  if (view !== shownView) return;
  view.takes = takes.items;
  view.retakes = retakes.items;
  const standing = view.takes.find(({ take }) => take.job_id === (view.shown ?? view.cut.take?.job_id));
  await look(view, standing ?? view.takes.at(-1));
}

async function look(view, one) {
  const shown = (view.shown = one?.take.job_id);
  const finished = one && filmOf(one.take);
  const quality = finished ? await read(`/api/anime/jobs/${one.take.job_id}/quality`) : null;
  if (view === shownView && view.shown === shown) draw(view, one, quality);
}

function draw(view, one, quality) {
  const { cut } = view;
  const take = one?.take;
  const held = view.takes.find(({ choice }) => choice);
  replace(
    dialog,
    make("div", { className: "row" },
      make("h2", { id: "cut-key" }, cut.cut_key),
      make("span", {},
        make("button", { onclick: () => view.step(-1), title: "The cut before (←)" }, "‹"), " ",
        make("button", { onclick: () => view.step(1), title: "The next cut (→)" }, "›"), " ",
        make("button", { onclick: () => dialog.close() }, "Close"))),
    make("div", { className: "sides" },
      make("div", {},
        picture(take && filmOf(take), cut.description ?? "", take ? take.status : "no take"),
        make("div", { className: "takes" }, ...view.takes.map((other) => takeButton(view, other))),
        story(cut),
        history(view.retakes)),
      make("div", {},
        take ? verdict(take, quality) : null,
        actions(view, one, held),
        retakeForm(view))),
  );
}

const filmOf = (take) => take.media.film ?? take.media.frame;

function takeButton(view, other) {
  const { take, choice } = other;
  const marks = [take.selected && "selected", choice && `chosen by ${choice.chosen_by}`,
    take.reproduces_job_id && "a reproduction", take.status !== "completed" && take.status];
  return make("button", {
    onclick: () => look(view, other), "aria-pressed": String(take.job_id === view.shown), title: choice?.note ?? "",
  }, [`Take ${take.take_number}`, ...marks.filter(Boolean)].join(", "));
}

function story(cut) {
  const facts = [["Seen", cut.description], ["Camera", cut.camera_angle], ["Action", cut.action_notes],
    ["Said", cut.dialogue], ["Length", `${cut.duration_frames ?? "?"} frames at ${cut.fps ?? "?"} a second`]];
  return make("table", {}, ...facts.filter(([, value]) => value).map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))));
}

function verdict(take, quality) {
  if (!quality) return make("p", { className: "quiet" }, take.error_message ?? `This take is ${take.status}.`);
  const rows = quality.scores.map((score) => {
    const asked = score.threshold_min !== null ? `≥ ${score.threshold_min}`
      : score.threshold_max !== null ? `≤ ${score.threshold_max}` : "reported";
    const value = score.score_value === null ? score.state.replaceAll("_", " ") : score.score_value.toFixed(4);
    const word = score.passed === null ? "" : score.passed ? "passed" : "failed";
    return make("tr", { title: [score.reason, score.remedy, score.backend].filter(Boolean).join(" — ") },
      make("th", { scope: "row" }, score.metric_name.replaceAll("_", " ")),
      make("td", { className: word }, value), make("td", { className: "quiet" }, asked));
  });
  return make("div", {},
    make("p", {}, quality.verdict ? pill(quality.verdict) : pill("not judged"), ` ${quality.reason ?? ""}`),
    make("table", {}, ...rows),
    quality.failing.length ? make("div", {}, make("p", { className: "quiet" }, "The worst frame"),
      picture(`/api/anime/jobs/${take.job_id}/worst-frame`, "the worst frame")) : null);
}

function actions(view, one, held) {
  const take = one?.take;
  const doing = [];
  if (take?.status === "completed" && !take.reproduces_job_id) {
    if (!one.choice) doing.push(act(view, `Choose take ${take.take_number}`, "main", `/api/anime/jobs/${take.job_id}/choose`));
    doing.push(act(view, "Reproduce", "", `/api/anime/jobs/${take.job_id}/reproduce`, QUEUED));
  }
  if (held) doing.push(act(view, "Release the choice", "", `/api/anime/cuts/${view.cut.id}/release`));
  if (["failed", "cancelled"].includes(take?.status)) doing.push(act(view, "Try again", "", `/api/anime/jobs/${take.job_id}/retry`, QUEUED));
  if (["queued", "processing"].includes(take?.status)) doing.push(act(view, "Cancel", "", `/api/anime/jobs/${take.job_id}/cancel`));
  return make("menu", {}, ...doing);
}

function act(view, words, className, path, outcome) {
  return make("button", { className, onclick: (event) => done(view, words, event.currentTarget, path, {}, outcome) }, words);
}

async function done(view, words, button, path, body, outcome = "done") {
  button.disabled = true; // a second click would be a second retake
  try {
    await send(path, body);
    say(`${words}: ${outcome}.`);
    await view.changed();
    await load(view);
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
}

function retakeForm(view) {
  const field = (name, label, tag = "input") => make("label", {}, label, make(tag, { name }));
  const form = make("form", { className: "retake" },
    make("h2", {}, "Ask for a retake"),
    field("note", "What is wrong", "textarea"),
    field("prompt", "Add to the prompt"),
    field("camera", "Camera instead"),
    field("action", "Action instead"),
    make("menu", {}, make("button", { className: "main" }, "Retake")));
  form.onsubmit = (event) => {
    event.preventDefault();
    const said = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    done(view, "Retake", form.querySelector("button"), `/api/anime/cuts/${view.cut.id}/retakes`, said, QUEUED);
  };
  return form;
}

function history(retakes) {
  if (!retakes.length) return null;
  const rows = retakes.map((one) => make("tr", {},
    make("td", {}, one.automatic ? one.strategy.replaceAll("_", " ") : one.asked_by),
    make("td", {}, one.note || one.reason || Object.entries(one.changes).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")),
    make("td", { className: "quiet" }, one.withdrawn_at ? "withdrawn" : one.answered_by_take ? `take ${one.answered_by_take}, ${one.answer_verdict ?? one.answer_status}` : "waits")));
  return make("div", {}, make("h2", {}, "Retakes"), make("table", {}, ...rows));
}
