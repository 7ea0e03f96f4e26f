// The review room: choose an episode, look at its cuts, open one.
import { listen, read, readAll } from "./api.js";
import { draw, FILTERS } from "./board.js";
import { show } from "./cut.js";
import { make, phasePill, say } from "./elements.js";

const PHASES = ["phase_0_animatic", "phase_1_still", "phase_2_loop", "phase_3_video"];
const at = (id) => document.getElementById(id);
const state = { scenes: [], filter: "all", project: null, episode: null };

/** Shows the episode of that key, or that the key's cut is in, or the project's first. */
async function openProject(id, key) {
  state.project = id;
  const episodes = (await readAll(`/api/anime/projects/${id}/episodes`))
    .filter((one) => !one.omitted)
    .sort((one, other) => one.episode_number - other.episode_number);
  if (state.project !== id) return; // another one was chosen meanwhile
  at("episode").replaceChildren(...episodes.map((one) =>
    make("option", { value: one.id, title: one.episode_key }, `${one.episode_number}. ${one.title || one.episode_key}`)));
  state.episode = episodes.find((one) => `${key}.`.startsWith(`${one.episode_key}.`)) ?? episodes[0] ?? null;
  state.episodes = episodes;
  if (state.episode) at("episode").value = state.episode.id;
  await openEpisode();
}

async function openEpisode() {
  if (!state.episode) {
    at("board").replaceChildren(make("p", { className: "quiet" }, "No episode yet: anime-pipeline import FILE brings a story in."));
    at("gates").replaceChildren();
    return;
  }
  location.hash = state.episode.episode_key;
  await refresh();
}

async function showGates() {
  const { episode } = state;
  const gates = await Promise.all(PHASES.map((phase) => read(`/api/anime/gates/${episode.episode_key}/${phase}`)));
  if (state.episode !== episode) return;
  at("gates").replaceChildren(...gates.filter((gate) => gate.cuts_total).map((gate) =>
    phasePill(gate.phase, gate.state, gate.reason, ` ${gate.cuts_passed}/${gate.cuts_total}`)));
}

function redraw() {
  draw(at("board"), state.scenes, state.filter, open);
  at("filters").replaceChildren(...Object.entries(FILTERS).map(([name, fits]) => {
    const count = state.scenes.flatMap((scene) => scene.cuts).filter(fits).length;
    return make("button", {
      "aria-pressed": String(name === state.filter),
      onclick: () => { state.filter = name; redraw(); },
    }, `${name} ${count}`);
  }));
}

function open(cut) {
  const shown = () => state.scenes.flatMap((scene) => scene.cuts).filter(FILTERS[state.filter]);
  const order = shown().map((one) => one.id);
  const step = (by) => {
    const next = order[order.indexOf(cut.id) + by];
    const found = state.scenes.flatMap((scene) => scene.cuts).find((one) => one.id === next);
    if (found) open(found);
  };
  history.replaceState(null, "", `#${cut.cut_key}`);
  guarded(() => show(cut, refresh, step));
}

/** Opens the cut that the address names, if it names one. */
function openAddressed(key) {
  if (!key || key === state.episode?.episode_key) return;
  const cut = state.scenes.flatMap((scene) => scene.cuts).find((one) => one.cut_key === key);
  if (cut) open(cut);
  else say(`There is no cut and no episode ${key}; this is what there is.`);
}

async function refresh() {
  const { episode } = state;
  const scenes = await readAll(`/api/anime/episodes/${episode.id}/scenes`);
  if (state.episode !== episode) return;
  state.scenes = scenes.sort((one, other) => one.number - other.number);
  redraw();
  await showGates();
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
  const projects = (await readAll("/api/anime/projects")).filter((one) => one.slug);
  at("project").replaceChildren(...projects.map((one) => make("option", { value: one.id }, one.name)));
  at("project").onchange = (event) => guarded(() => openProject(event.target.value));
  at("episode").onchange = (event) => guarded(() => {
    state.episode = state.episodes.find((one) => String(one.id) === event.target.value);
    return openEpisode();
  });
  if (!projects.length) {
    at("board").replaceChildren(make("p", { className: "quiet" }, "No production yet: anime-pipeline import FILE brings a story in."));
    return;
  }
  const key = location.hash.slice(1); // a page that is loaded again, or sent to somebody, shows the same
  const project = projects.find((one) => key.startsWith(`${one.slug}.`)) ?? projects[0];
  at("project").value = project.id;
  at("cut").addEventListener("close", () => history.replaceState(null, "", `#${state.episode.episode_key}`));
  await openProject(project.id, key);
  openAddressed(key);
  let missed = false;
  listen(heard, (live) => {
    at("live").textContent = live ? "● live" : "○ not live";
    if (live && missed && state.episode) guarded(refresh); // what happened in between was not heard
    missed = !live;
  });
}

async function start() {
  try {
    await begin();
  } catch (error) {
    at("board").replaceChildren(make("p", {}, error.message), make("button", { onclick: start }, "Try again"));
  }
}

start();
