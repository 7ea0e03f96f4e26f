// The review room: choose an episode, look at its cuts, open one.
import { listen, read, readAll } from "./api.js";
import { clear, draw, FILTERS } from "./board.js";
import { lookAgain, show } from "./cut.js";
import { make, phasePill, say } from "./elements.js";
import { play } from "./play.js";

const PHASES = ["phase_0_animatic", "phase_1_still", "phase_2_loop", "phase_3_video"];
const at = (id) => document.getElementById(id);
const LOOK_AGAIN = 20_000; // ms; verdicts, choices and edits are no events of jobs
const state = { projects: [], episodes: [], scenes: [], filter: "all", project: null, episode: null };
const words = (said) => make("p", { className: "quiet" }, said);
const allCuts = () => state.scenes.flatMap((scene) => scene.cuts);

const isOf = (episode, key) => `${key}.`.startsWith(`${episode.episode_key}.`);

/** Shows the episode of that key, or that the key's cut is in, or the project's first. */
async function openProject(id, key = "") {
  state.project = id;
  const episodes = (await readAll(`/api/anime/projects/${id}/episodes`))
    .filter((one) => !one.omitted)
    .sort((one, other) => one.episode_number - other.episode_number);
  if (state.project !== id) return; // another one was chosen meanwhile
  at("episode").replaceChildren(...episodes.map((one) =>
    make("option", { value: one.id, title: one.episode_key }, `${one.episode_number}. ${one.title || one.episode_key}`)));
  state.episode = episodes.find((one) => isOf(one, key)) ?? episodes[0] ?? null;
  state.episodes = episodes;
  if (state.episode) at("episode").value = state.episode.id;
  await openEpisode();
}

async function openEpisode() {
  at("gates").replaceChildren();
  if (!state.episode) {
    state.scenes = [];
    showFilters();
    return clear(at("board"), words("No episode yet: anime-pipeline import FILE brings a story in."));
  }
  clear(at("board"), words("Loading …"));
  if (!isOf(state.episode, location.hash.slice(1))) location.hash = state.episode.episode_key;
  await refresh();
}

async function showGates() {
  const { episode, scenes } = state;
  const gates = await Promise.all(PHASES.map((phase) => read(`/api/anime/gates/${episode.episode_key}/${phase}`)));
  if (state.scenes !== scenes) return;
  const focused = at("gates").contains(document.activeElement) ? document.activeElement.id : null;
  at("gates").replaceChildren(...gates.filter((gate) => gate.cuts_total).map((gate) =>
    phasePill("episode", gate.phase, gate.state, gate.reason, ` ${gate.cuts_passed}/${gate.cuts_total}`)));
  if (focused) at(focused)?.focus();
}

function redraw() {
  draw(at("board"), state.scenes, state.filter, open, (scene) => play(`${scene.number}. ${scene.name || "Scene"}`, scene.cuts, open));
  showFilters();
}

function showFilters() {
  for (const [name, fits] of Object.entries(FILTERS)) {
    const id = `show-${name.replaceAll(" ", "-")}`;
    if (!at(id)) at("filters").append(make("button", { id, onclick: () => { state.filter = name; redraw(); } }));
    at(id).textContent = `${name} ${allCuts().filter(fits).length}`;
    at(id).setAttribute("aria-pressed", String(name === state.filter));
  }
}

function open(cut) {
  const order = allCuts().filter(FILTERS[state.filter]).map((one) => one.id);
  const step = (by) => {
    const next = order[order.indexOf(cut.id) + by];
    const found = allCuts().find((one) => one.id === next);
    if (found) open(found);
  };
  history.replaceState(null, "", `#${cut.cut_key}`);
  guarded(() => show(cut, refresh, step));
}

/** Shows what an address names: an episode, or one of its cuts. */
async function openAddressed(key) {
  const project = state.projects.find((one) => key.startsWith(`${one.slug}.`)) ?? state.projects[0];
  if (state.project !== project.id || !state.episode || !isOf(state.episode, key)) {
    at("project").value = project.id;
    await openProject(project.id, key);
  }
  if (!key || key === state.episode?.episode_key) return at("cut").close();
  const cut = allCuts().find((one) => one.cut_key === key);
  if (cut) open(cut);
  else say(`${key} is omitted, or there is no such cut or episode; this is what there is.`);
}

async function refresh() {
  const { episode } = state;
  if (!episode) return;
  const scenes = await readAll(`/api/anime/episodes/${episode.id}/scenes`);
  if (state.episode !== episode) return;
  state.scenes = scenes.sort((one, other) => one.number - other.number);
  redraw();
  await Promise.all([showGates(), lookAgain()]);
}

let waiting = null;
function heard(kind, event) {
  if (kind === "progress" || !event.cut_key?.startsWith(`${state.episode?.episode_key}.`)) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => guarded(refresh), 500); // a batch ends as many events at once
}

async function guarded(doing) {
  try {
    await doing();
  } catch (error) {
    say(error.message);
  }
}

async function begin() {
  state.projects = (await readAll("/api/anime/projects")).filter((one) => one.slug);
  at("project").replaceChildren(...state.projects.map((one) => make("option", { value: one.id }, one.name)));
  if (!state.projects.length) {
    return clear(at("board"), words("No production yet: anime-pipeline import FILE brings a story in."));
  }
  // A page that is loaded again, or sent to somebody, shows the same; so does the browser's way back.
  await openAddressed(location.hash.slice(1));
  at("project").onchange = (event) => guarded(() => openProject(Number(event.target.value)));
  at("episode").onchange = (event) => guarded(() => {
    state.episode = state.episodes.find((one) => String(one.id) === event.target.value);
    return openEpisode();
  });
  at("cut").addEventListener("close", () => history.replaceState(null, "", `#${state.episode.episode_key}`));
  window.addEventListener("hashchange", () => guarded(() => openAddressed(location.hash.slice(1))));
  setInterval(() => document.hidden || refresh().catch(() => {}), LOOK_AGAIN); // that it is lost, `live` says
  let missed = false;
  listen(heard, (live) => {
    at("live").textContent = live ? "● live" : "○ not live";
    if (live && missed) guarded(refresh); // what happened in between was not heard
    missed = !live;
  });
}

async function start() {
  try {
    await begin();
  } catch (error) {
    clear(at("board"), words(error.message), make("button", { onclick: start }, "Try again"));
  }
}

start();
