// The films of one take, or of two side by side: played together and stepped frame by frame. The browser's own
// controls would lie over the picture of a film that is paused to be looked at.
import { make } from "./elements.js";
import { picture } from "./pictures.js";

export const filmOf = (take) => take.media.film ?? take.media.frame;

/** What shows `takes`, one or two: `element`; `step`, `goTo` and `toggle` do nothing where there is no film. */
export function screening(takes, description) {
  const frames = takes.map((take) => picture(filmOf(take), description, take.status));
  const leading = takes.findIndex((take) => take.media.film);
  const count = leading < 0 ? 0 : takes[leading].total_frames;
  const number = make("output", { className: "quiet", "aria-live": "off" }); // it changes with every frame
  const track = make("input", { type: "range", min: 0, max: count - 1, value: 0, oninput: () => goTo(Number(track.value)), "aria-label": "Frame" });
  const pause = make("button", { onclick: () => toggle(), title: "Space" }, "Pause");
  const films = () => frames.map((frame) => frame.querySelector("video"));
  const rate = (film, index) => takes[index].total_frames / film.duration;

  function goTo(frame) {
    films().forEach((film, index) => {
      if (!film) return;
      film.pause();
      film.loop = false; // or the last frame would lead to the first
      const within = Math.max(0, Math.min(takes[index].total_frames - 1, frame));
      film.currentTime = (within + 0.5) / rate(film, index); // its very beginning may round to the one before
    });
  }

  function step(by) {
    const lead = films()[leading];
    if (lead) goTo(Math.min(count - 1, Math.floor(lead.currentTime * rate(lead, leading) + 0.01)) + by);
  }

  function toggle() {
    const lead = films()[leading];
    if (lead) lead.paused ? lead.play() : lead.pause();
  }

  function follow(lead) {
    const others = (doing) => films().forEach((film) => film && film !== lead && doing(film));
    lead.onplay = () => {
      pause.textContent = "Pause";
      lead.loop = true;
      others((film) => {
        film.loop = true;
        film.play();
      });
    };
    lead.onpause = () => {
      pause.textContent = "Play";
      others((film) => film.pause());
    };
    lead.onseeked = () => others((film) => { film.currentTime = lead.currentTime; }); // also where it begins again
    const tell = (_, { mediaTime }) => {
      track.value = Math.round(mediaTime * rate(lead, leading));
      number.textContent = `frame ${track.value} (0–${count - 1})`;
      lead.requestVideoFrameCallback?.(tell);
    };
    lead.requestVideoFrameCallback?.(tell);
  }

  frames.forEach((frame, index) => frame.addEventListener("filled", () => {
    const [film, lead] = [films()[index], films()[leading]];
    if (!film) return;
    film.onclick = toggle;
    if (index === leading) return follow(film);
    if (lead) lead.currentTime = 0;
  }));

  const screen = make("div", { className: "films" }, ...frames);
  const bar = make("div", { className: "bar" },
    ...(leading < 0 ? [] : [
      pause,
      make("button", { onclick: () => step(-1), title: "A frame back (,)" }, "‹ frame"),
      make("button", { onclick: () => step(1), title: "A frame on (.)" }, "frame ›"),
      track, number]),
    make("button", { onclick: () => screen.requestFullscreen() }, "Full screen"));
  return { element: make("div", {}, screen, takes.some(filmOf) ? bar : null), step, goTo, toggle };
}
