// The episode at a glance: its scenes, and every cut with the take that stands for it.
import { make, phasePill, pill } from "./elements.js";
import { picture, replace } from "./pictures.js";

export const FILTERS = {
  all: () => true,
  "to look at": (cut) => !cut.take || cut.verdict?.verdict !== "passed",
  failed: (cut) => cut.verdict?.verdict === "failed",
  "no take": (cut) => !cut.take,
  "not selected": (cut) => cut.take && !cut.take.selected,
};

const short = (key) => key.split(".").slice(-2).join(" · ");

const FRAMES = 4; // in a thumbnail, side by side

function scrub(card, event) {
  const strip = card.querySelector("img");
  const frame = Math.min(FRAMES - 1, Math.floor((event.offsetX / card.clientWidth) * FRAMES));
  if (strip) strip.style.objectPosition = `${(100 * Math.max(0, frame)) / (FRAMES - 1)}%`;
}

function newCard(cut, open) {
  const take = cut.take;
  const button = make(
    "button", { className: "card", id: `card-${cut.id}`, onclick: () => open(cut) },
    picture(take?.thumbnail_url, ""), // the words below it say what it shows
    make(
      "div", { className: "words" },
      make("div", { className: "row" }, make("strong", {}, short(cut.cut_key ?? `cut ${cut.number}`)),
        cut.verdict ? pill(cut.verdict.verdict, cut.verdict.reason) : pill("not judged")),
      make("div", { className: "what" }, cut.description ?? ""),
      make("div", { className: "row quiet" },
        make("span", {}, `${cut.kind ?? "?"}, ${cut.seconds.toFixed(1)} s`),
        make("span", {}, take ? `take ${take.take_number}${take.selected ? ", selected" : ""}` : "")),
    ),
  );
  button.onpointermove = (event) => scrub(button, event);
  return button;
}

/** A scene's verdict; one that is stale is named, and coloured neither passed nor failed. */
function verdictPill(scene, { phase, verdict, reason, stale }) {
  return stale
    ? phasePill(scene.id, phase, "stale", `${verdict}, before a take, a measurement or a threshold changed: ${reason}`, ", stale")
    : phasePill(scene.id, phase, verdict, reason);
}

let cards = new Map(); // by what they show: a card that shows the same stays, with its picture

/** Words in place of the scenes. */
export function clear(board, ...words) {
  replace(board, ...words);
  cards = new Map();
}

/** Draw the scenes on the board: `open` is called with a cut that is clicked, `play` with a scene. */
export function draw(board, scenes, filter, open, play) {
  const kept = new Map();
  const card = (cut) => {
    const shows = JSON.stringify(cut);
    kept.set(shows, cards.get(shows) ?? newCard(cut, open));
    return kept.get(shows);
  };
  const sections = scenes.map((scene) => {
    const cuts = scene.cuts.filter(FILTERS[filter]);
    if (!cuts.length) return null;
    const where = [scene.location, scene.time_of_day, scene.mood].filter(Boolean).join(", ");
    return make(
      "section", {},
      make("div", { className: "place" },
        make("h2", {}, `${scene.number}. ${scene.name || "Scene"}`),
        make("button", { onclick: () => play(scene), title: "Play the scene through", id: `play-${scene.id}`, "aria-label": `Play scene ${scene.number}` }, "▶ Play"),
        make("span", { className: "quiet" }, `${where} — ${scene.seconds.toFixed(1)} s`),
        // Most scenes have too few cuts for a verdict of their own; that they are incomplete says nothing.
        ...scene.verdicts.filter((one) => one.verdict !== "incomplete").map((one) => verdictPill(scene, one))),
      make("div", { className: "cuts" }, ...cuts.map(card)),
    );
  }).filter(Boolean);
  const focused = board.contains(document.activeElement) ? document.activeElement.id : null;
  replace(board, ...(sections.length ? sections : [make("p", { className: "quiet" }, scenes.some((scene) => scene.cuts.length) ? "No cut is like that." : "No cut yet.")]));
  cards = kept;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
