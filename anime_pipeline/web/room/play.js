// Cuts played one after another as a film would have them, each with the take that stands for it.
import { file } from "./api.js";
import { make } from "./elements.js";

const dialog = document.getElementById("play");

/** Plays cuts from the first to the last; `open` is called with the one that is wanted for a closer look. */
export function play(title, cuts, open) {
  const pictures = new Map(); // of the cut on the screen and the next one, which is fetched meanwhile
  let index = 0;
  let shown = null;
  let isPlaying = true;
  let isOver = false;

  const fetched = (cut) => {
    if (cut?.take && !pictures.has(cut)) pictures.set(cut, file(cut.take.media_url).catch((error) => ({ error })));
    return pictures.get(cut);
  };
  const drop = (cut) => {
    pictures.get(cut)?.then(({ url }) => url && URL.revokeObjectURL(url));
    pictures.delete(cut);
  };

  const screen = make("div", { className: "picture quiet" });
  const caption = make("p", {});
  const place = make("span", { className: "quiet" });
  const pause = make("button", { onclick: () => toggle(), title: "Space" });

  async function go(to) {
    if (to < 0) return;
    shown?.pause();
    isOver = to >= cuts.length;
    if (isOver) return setPlaying(false);
    index = to;
    const cut = cuts[index];
    shown = null;
    place.textContent = `${index + 1} of ${cuts.length}`;
    caption.replaceChildren(make("strong", {}, cut.cut_key ?? `cut ${cut.number}`), ` ${cut.description ?? ""}`,
      ...(cut.dialogue ? [make("br"), make("span", { className: "quiet" }, cut.dialogue)] : []));
    const media = await fetched(cut);
    if (cut !== cuts[index] || !dialog.open) return; // gone on meanwhile
    for (const other of pictures.keys()) if (other !== cut) drop(other);
    shown = media?.type?.startsWith("video/") ? film(cut, media) : still(cut, media);
    if (isPlaying) shown.play();
    fetched(cuts[index + 1]);
  }
  const next = () => go(index + 1);

  function film(cut, { url }) {
    const video = make("video", { muted: true, playsInline: true, src: url });
    let left = cut.repeats;
    video.onended = () => ((left -= 1) ? video.play() : next());
    screen.replaceChildren(video);
    return video;
  }

  /** A picture, or a word in its place, for as long as the cut lasts; plays and pauses as a film does. */
  function still(cut, media) {
    const words = media?.error?.message ?? "no take";
    screen.replaceChildren(media?.url ? make("img", { src: media.url, alt: cut.description ?? "" }) : words);
    const clock = screen.animate([], { duration: 1000 * (cut.seconds || 1) });
    clock.pause();
    clock.onfinish = next;
    return clock;
  }

  function setPlaying(wanted) {
    isPlaying = wanted;
    pause.textContent = isPlaying ? "Pause" : "Play";
  }
  function toggle() {
    setPlaying(!isPlaying);
    if (isOver) return go(0);
    if (isPlaying) shown?.play();
    else shown?.pause();
  }

  dialog.onkeydown = (event) => {
    if (event.key === "ArrowLeft") go(index - 1);
    if (event.key === "ArrowRight") go(index + 1);
    if (event.key === " " && !event.target.matches("button")) {
      event.preventDefault();
      toggle();
    }
  };
  dialog.onclose = () => {
    shown?.pause();
    for (const cut of pictures.keys()) drop(cut);
    dialog.replaceChildren();
  };
  const closer = () => {
    dialog.close();
    open(cuts[index]);
  };
  dialog.replaceChildren(
    make("div", { className: "row" },
      make("h2", { id: "played" }, title),
      make("span", {},
        place, " ",
        make("button", { onclick: () => go(index - 1), title: "The cut before (←)", "aria-label": "The cut before" }, "‹"), " ", pause, " ",
        make("button", { onclick: () => go(index + 1), title: "The next cut (→)", "aria-label": "The next cut" }, "›"), " ",
        make("button", { onclick: closer }, "Open this cut"), " ",
        make("button", { onclick: () => dialog.close(), title: "Back to the board (Esc)" }, "Close"))),
    screen, caption);
  setPlaying(true);
  dialog.showModal();
  dialog.focus();
  go(0);
}
