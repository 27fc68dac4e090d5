// HTML from outside (what is answered, what is pasted) on its way into the editor: a tree of its own is
// built of what is allowed. Nothing is written out and read again, so nothing can change its meaning there.

const KEPT = new Set(
  "A B STRONG I EM U S STRIKE DEL SUB SUP CODE PRE P DIV SPAN BR UL OL LI BLOCKQUOTE H1 H2 H3 H4 HR IMG TABLE TBODY THEAD TR TD TH".split(
    " ",
  ),
);
const DROPPED = new Set("SCRIPT STYLE TITLE HEAD IFRAME OBJECT EMBED FORM SVG MATH TEMPLATE NOSCRIPT".split(" "));
const MOST_NODES = 20_000;
const DEEPEST = 100;

export function sanitise(html: string): DocumentFragment {
  const found = new DOMParser().parseFromString(html, "text/html");
  const made = document.createDocumentFragment();
  let left = MOST_NODES;
  const copy = (from: Node, to: Node, depth: number): void => {
    for (const child of from.childNodes) {
      if (!left-- || depth > DEEPEST) return;
      if (child instanceof Text || child.nodeType === Node.TEXT_NODE) {
        to.appendChild(document.createTextNode(child.textContent ?? ""));
      } else if (child.nodeType === Node.ELEMENT_NODE) {
        const element = child as Element;
        const name = element.tagName.toUpperCase();
        if (DROPPED.has(name)) continue;
        const next = KEPT.has(name) ? to.appendChild(keptOf(element, name)) : to;
        copy(element, next, depth + 1);
      }
    }
  };
  copy(found.body, made, 0);
  return made;
}

function keptOf(element: Element, name: string): Element {
  const made = document.createElement(name);
  if (name === "A") {
    const href = element.getAttribute("href") ?? "";
    if (/^(https?:|mailto:)/i.test(href)) made.setAttribute("href", href);
  } else if (name === "IMG") {
    // Only pictures that are in the message itself: `data-cid` names their part, blob: shows them here.
    const src = element.getAttribute("src") ?? "";
    if (src.startsWith("blob:")) made.setAttribute("src", src);
    for (const attribute of ["alt", "data-cid"]) {
      const value = element.getAttribute(attribute);
      if (value) made.setAttribute(attribute, value);
    }
  }
  return made;
}

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter] ?? "");
}

/** Plain text as HTML that looks the same. */
export function htmlOfText(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => `<div>${line ? escapeText(line) : "<br>"}</div>`)
    .join("");
}

/** HTML as text for the other half of a message. */
export function textOfHtml(root: Node): string {
  let text = "";
  const line = () => {
    if (text && !text.endsWith("\n")) text += "\n";
  };
  for (const child of root.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) text += (child.textContent ?? "").replace(/[ \t\n]+/g, " ");
    else if (child instanceof Element) {
      const name = child.tagName;
      if (name === "BR") text += "\n";
      else if (name === "BLOCKQUOTE") {
        line();
        text += `${textOfHtml(child).trimEnd().replace(/^/gm, "> ")}\n`;
      } else if (name === "LI") {
        line();
        text += `- ${textOfHtml(child).trim()}\n`;
      } else if (name === "A") {
        const said = textOfHtml(child);
        const href = child.getAttribute("href") ?? "";
        text += href && !href.includes(said.trim()) ? `${said} <${href}>` : said;
      } else if (/^(DIV|P|H\d|UL|OL|TABLE|TR|PRE|HR)$/.test(name)) {
        line();
        const inside = textOfHtml(child);
        text += inside.endsWith("\n") ? inside : `${inside}\n`;
      } else text += textOfHtml(child);
    }
  }
  return text;
}
