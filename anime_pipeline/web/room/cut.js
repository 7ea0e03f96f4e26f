// One cut: its takes, alone or two side by side, what was measured of each, and what a director does about it.
import { read, send } from "./api.js";
import { make, pill, say } from "./elements.js";
import { filmOf, screening } from "./films.js";
import { picture, replace } from "./pictures.js";

const dialog = document.getElementById("cut");
const QUEUED = "queued; it is rendered while anime-pipeline dev runs";
let shownView = null; // answers for a cut or take that is no longer looked at come to nothing

/** Shows a cut. `changed` is called when something was done; `step` with -1 or 1 asks for a neighbour. */
export async function show(cut, changed, step) {
  const slots = Object.fromEntries(["screen", "takes", "numbers", "doing", "about"].map((name) => [name, make("div", { className: name })]));
  const view = { cut, changed, step, slots, takes: [], retakes: [], shown: null, beside: null, screening: null };
  shownView = view;
  dialog.onclose = () => {
    shownView = null;
    replace(dialog);
    document.getElementById(`card-${view.cut.id}`)?.focus(); // the board goes on where one has come to
  };
  dialog.onkeydown = (event) => pressed(view, event);
  replace(
    dialog,
    make("div", { className: "row" },
      make("h2", { id: "cut-key" }, cut.cut_key),
      make("span", {},
        make("button", { onclick: () => step(-1), title: "The cut before (←)", "aria-label": "The cut before" }, "‹"), " ",
        make("button", { onclick: () => step(1), title: "The next cut (→)", "aria-label": "The next cut" }, "›"), " ",
        make("button", { onclick: () => dialog.close(), title: "Back to the board (Esc)" }, "Close"))),
    make("div", { className: "sides" },
      make("div", { className: "look" }, slots.screen, slots.takes),
      make("div", { className: "judge" }, slots.numbers, slots.doing, retakeForm(view)),
      slots.about),
  );
  slots.screen.append(picture(null, "", "Loading …"));
  slots.about.append(story(cut));
  if (!dialog.open) dialog.showModal();
  dialog.focus();
  await load(view);
}

/** Looks again at the cut that is open, if one is: its takes may have gone on. */
export async function lookAgain() {
  if (shownView) await load(shownView);
}

function pressed(view, event) {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") view.step(-1);
  if (event.key === "ArrowRight") view.step(1);
  if (event.key === ",") view.screening?.step(-1);
  if (event.key === ".") view.screening?.step(1);
  if (event.key === " " && !event.target.matches("button, summary")) {
    event.preventDefault();
    view.screening?.toggle();
  }
}

async function load(view) {
  const [takes, retakes] = await Promise.all([
    read(`/api/anime/cuts/${view.cut.id}/takes`),
    read(`/api/anime/cuts/${view.cut.id}/retakes`),
  ]);
  if (view !== shownView) return;
  tellOfEnds(view, takes.items);
  view.takes = takes.items;
  view.retakes = retakes.items;
  const standing = view.takes.find(({ take }) => take.selected) ?? view.takes.at(-1);
  view.shown ??= standing?.take.job_id ?? null;
  await look(view);
}

/** A take that a director waits for ends in the background. */
function tellOfEnds(view, items) {
  const before = new Map(view.takes.map(({ take }) => [take.job_id, take.status]));
  for (const { take } of items) {
    const was = before.get(take.job_id);
    if (["queued", "processing"].includes(was) && was !== take.status) say(`Take ${take.take_number} is ${take.status.replaceAll("_", " ")}.`);
  }
}

const find = (view, id) => view.takes.find(({ take }) => take.job_id === id) ?? null;

async function look(view, shown = view.shown, beside = view.beside) {
  Object.assign(view, { shown, beside: beside === shown ? null : beside });
  const looked = [find(view, view.shown), find(view, view.beside)].filter(Boolean);
  const qualities = await Promise.all(looked.map(({ take }) => (filmOf(take) ? read(`/api/anime/jobs/${take.job_id}/quality`) : null)));
  if (view === shownView && view.shown === shown && view.beside === (beside === shown ? null : beside)) draw(view, looked, qualities);
}

function draw(view, looked, qualities) {
  const { slots } = view;
  const held = view.takes.find(({ choice }) => choice);
  // What is on the screen stays there, and plays on, as long as it is the same.
  once(slots.screen, looked.map(({ take }) => [take.job_id, take.status, take.media]), () => {
    dialog.classList.toggle("comparing", looked.length > 1);
    view.screening = looked.length ? screening(looked.map(({ take }) => take), view.cut.description || view.cut.cut_key) : null;
    return [view.screening?.element ?? picture(null)];
  });
  once(slots.takes, [view.takes, view.shown, view.beside], () => takeButtons(view));
  once(slots.numbers, [looked, qualities], () => (looked.length ? [verdict(view, looked.map(({ take }) => take), qualities)] : []));
  once(slots.doing, [looked[0], held], () => [actions(view, looked[0], held)]);
  once(slots.about, view.retakes, () => [story(view.cut), history(view)].filter(Boolean));
}

function once(slot, shows, children) {
  const now = JSON.stringify(shows);
  if (slot.shows === now) return;
  slot.shows = now;
  const focused = slot.contains(document.activeElement) ? document.activeElement.id : null;
  replace(slot, ...children());
  if (focused !== null) (document.getElementById(focused) ?? dialog).focus();
}

function takeButtons(view) {
  const others = view.takes.filter(({ take }) => filmOf(take) && take.job_id !== view.shown);
  const beside = make("select", { id: "beside", onchange: (event) => look(view, view.shown, Number(event.target.value) || null) },
    make("option", { value: "" }, "nothing"),
    ...others.map(({ take }) => make("option", { value: take.job_id, selected: take.job_id === view.beside }, `take ${take.take_number}`)));
  return [...view.takes.map((other) => takeButton(view, other)),
    others.length && filmOf(find(view, view.shown).take) ? make("label", {}, "Beside it ", beside) : ""];
}

function takeButton(view, { take, choice }) {
  const marks = [take.selected && "selected", choice && `chosen by ${choice.chosen_by}`,
    take.reproduces_job_id && "a reproduction", take.status !== "completed" && take.status];
  return make("button", {
    id: `take-${take.job_id}`, onclick: () => look(view, take.job_id), "aria-pressed": String(take.job_id === view.shown), title: choice?.note ?? "",
  }, [`Take ${take.take_number}`, ...marks.filter(Boolean)].join(", "));
}

function story(cut) {
  const facts = [["Seen", cut.description], ["Camera", cut.camera_angle], ["Action", cut.action_notes],
    ["Said", cut.dialogue], ["Length", `${cut.duration_frames ?? "?"} frames at ${cut.fps ?? "?"} a second`]];
  return make("table", { "aria-label": "The cut as written" }, ...facts.filter(([, value]) => value).map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))));
}

/** What was measured of the take that is shown, and the values of the one beside it. */
function verdict(view, takes, [quality, other]) {
  if (!quality) return make("p", { className: "quiet" }, takes[0].error_message ?? `This take is ${takes[0].status}.`);
  const rows = quality.scores.map((score) => {
    const asked = score.threshold_min !== null ? `≥ ${score.threshold_min}`
      : score.threshold_max !== null ? `≤ ${score.threshold_max}` : "reported";
    const compared = other?.scores.find((one) => one.metric_name === score.metric_name);
    return make("tr", { title: score.backend },
      make("th", { scope: "row" }, score.metric_name.replaceAll("_", " ")),
      valueCell(score), other ? valueCell(compared) : null, make("td", { className: "quiet" }, asked));
  });
  const heads = other ? make("tr", {}, make("th"), ...takes.map((take) => make("th", { scope: "col" }, `Take ${take.take_number}`)), make("th")) : null;
  return make("div", {},
    ...[quality, other].filter(Boolean).map((one, index) =>
      make("p", {}, other ? `Take ${takes[index].take_number} ` : "", pill(one.verdict ?? "not judged"), ` ${one.reason ?? ""}`)),
    make("table", { "aria-label": "Numbers" }, heads, ...rows),
    unmeasured(quality),
    worst(view, quality));
}

function valueCell(score) {
  const word = (score?.passed ?? null) === null ? "" : score.passed ? "passed" : "failed";
  const value = !score ? "–" : score.score_value === null ? score.state.replaceAll("_", " ") : score.score_value.toFixed(4);
  return make("td", { className: word }, value);
}

/** Why metrics have no value, and what mends it; a tooltip would tell neither a keyboard nor a tablet. */
function unmeasured(quality) {
  const without = quality.scores.filter((score) => score.score_value === null);
  if (!without.length) return null;
  return make("details", {}, make("summary", {}, `Without a value: ${without.length}`),
    ...without.map((score) => make("p", {}, make("strong", {}, score.metric_name.replaceAll("_", " ")), ` ${score.reason ?? score.state}`,
      ...(score.remedy ? [make("br"), make("code", {}, score.remedy)] : []))));
}

/** Where the first metric that fails is worst; those of the whole take are worst nowhere. */
function worst(view, quality) {
  const failed = quality.failing.find((one) => one.worst_frame !== null);
  if (!failed) return null;
  const go = () => view.screening.goTo(failed.worst_frame);
  return make("div", {},
    make("p", { className: "quiet" }, `The worst frame, by ${failed.metric.replaceAll("_", " ")}: `,
      make("button", { onclick: go, title: "Go to it in the film" }, `frame ${failed.worst_frame}`)),
    picture(`/api/anime/jobs/${quality.job_id}/frames/${failed.worst_frame}`, "the worst frame"));
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
    return true;
  } catch (error) {
    say(error.message);
    return false;
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
  form.onsubmit = async (event) => {
    event.preventDefault();
    const said = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    if (await done(view, "Retake", form.querySelector("button"), `/api/anime/cuts/${view.cut.id}/retakes`, said, QUEUED)) form.reset();
  };
  return form;
}

function history(view) {
  if (!view.retakes.length) return null;
  const rows = view.retakes.map((one) => {
    const changes = Object.entries(one.changes).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    const ends = !one.withdrawn_at && (changes.length || one.answer_status === "queued");
    return make("tr", {},
      make("td", {}, one.automatic ? one.strategy.replaceAll("_", " ") : one.asked_by),
      make("td", {}, [one.note || one.reason, ...changes].filter(Boolean).join(" — ")),
      make("td", { className: "quiet" }, one.withdrawn_at ? "withdrawn" : one.answered_by_take ? `take ${one.answered_by_take}, ${one.answer_verdict ?? one.answer_status}` : "waits"),
      make("td", {}, ends ? act(view, "Withdraw", "", `/api/anime/retakes/${one.id}/withdraw`) : null));
  });
  return make("div", {}, make("h2", {}, "Retakes"), make("table", { "aria-label": "Retakes" }, ...rows));
}
