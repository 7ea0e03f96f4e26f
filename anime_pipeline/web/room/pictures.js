// Films and stills, fetched when they come into view and dropped when they are replaced.
import { file } from "./api.js";

const drawn = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    drawn.unobserve(target);
    fill(target);
  }
}, { rootMargin: "400px" });

async function fill(frame) {
  try {
    const { type, url } = await file(frame.dataset.path);
    if (!frame.isConnected) return URL.revokeObjectURL(url); // replaced while it was fetched
    const shown = document.createElement(type.startsWith("video/") ? "video" : "img");
    if (shown.tagName === "VIDEO") Object.assign(shown, { loop: true, muted: true, autoplay: true, playsInline: true, ariaLabel: frame.dataset.alt });
    else shown.alt = frame.dataset.alt;
    shown.src = url;
    frame.addEventListener("removed", () => URL.revokeObjectURL(url), { once: true });
    frame.replaceChildren(shown);
    frame.dispatchEvent(new Event("filled"));
  } catch (error) {
    frame.textContent = error.message;
  }
}

/** A frame that shows the file at `path` once it comes into view; without one, the word `absent`. */
export function picture(path, alt, absent = "no take") {
  const frame = document.createElement("div");
  frame.className = "picture quiet";
  if (!path) {
    frame.textContent = absent;
    return frame;
  }
  Object.assign(frame.dataset, { path, alt });
  frame.textContent = "…";
  drawn.observe(frame);
  return frame;
}

/** Put `children` in place of what `parent` has, and let go of the files that are no longer shown there. */
export function replace(parent, ...children) {
  const before = [...parent.querySelectorAll(".picture")];
  parent.replaceChildren(...children);
  for (const frame of before) if (!frame.isConnected) frame.dispatchEvent(new Event("removed"));
}
