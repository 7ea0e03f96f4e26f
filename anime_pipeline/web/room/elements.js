/** An element with properties, attributes (where a name has a hyphen) and children. Text is never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const pill = (word, title) => make("span", { className: `pill ${word}`, title }, word.replaceAll("_", " "));

/** A gate: `1 still 4/5`, coloured by how it stands; pressed, it says why, which a tooltip tells only a mouse. */
export function phasePill(scope, phase, verdict, reason, more = "") {
  const words = `${phase.replace(/^phase_(\d)_/, "$1 ")}${more}`;
  const told = words.endsWith(verdict) ? words : `${words}, ${verdict}`;
  return make("button", {
    id: `gate-${scope}-${phase}`, className: `pill ${verdict}`, title: `${phase}: ${reason}`,
    "aria-label": told, onclick: () => say(`${told}: ${reason}`),
  }, words);
}

export function say(words) {
  const line = document.getElementById("said");
  if (line.matches(":popover-open")) line.hidePopover();
  line.textContent = words;
  line.showPopover(); // what is shown last is on top, also of an open cut
  clearTimeout(say.timer);
  say.timer = setTimeout(() => line.hidePopover(), 8000);
}
