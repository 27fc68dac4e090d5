// What is typed into the search field: words, and conditions such as `from:ann` or `is:unread`. Each
// condition is a chip, and together they are one filter of Email/query.

import type { Response } from "../../shared/jmap";
import { DRAFT, FLAGGED, type Mailbox, SEEN } from "./model";

export interface Term {
  /** "" for plain words. */
  key: string;
  value: string;
}

export interface Hint {
  text: string;
  says: string;
}

export const HINTS: Hint[] = [
  { text: "from:", says: "who sent it" },
  { text: "to:", says: "who got it" },
  { text: "subject:", says: "words of the subject" },
  { text: "in:", says: "a mailbox" },
  { text: "is:unread", says: "not read yet" },
  { text: "is:starred", says: "with a star" },
  { text: "has:attachment", says: "with files" },
  { text: "after:", says: "a day, as 2026-01-31" },
  { text: "before:", says: "a day, as 2026-01-31" },
  { text: "larger:", says: "a size, as 5MB" },
];

const KEYS = new Set(["from", "to", "cc", "subject", "body", "in", "is", "has", "after", "before", "larger"]);

/** Read a search; quotes keep words together: `subject:"two words"`. */
export function readSearch(text: string): Term[] {
  const terms: Term[] = [];
  const words: string[] = [];
  for (const match of text.matchAll(/(?:([a-z]+):)?("[^"]*"?|\S+)/gi)) {
    const key = match[1]?.toLowerCase() ?? "";
    const value = (match[2] ?? "").replace(/"/g, "");
    if (KEYS.has(key) && value) terms.push({ key, value });
    else words.push(match[0].replace(/"/g, ""));
  }
  const said = words.join(" ").trim();
  return said ? [...terms, { key: "", value: said }] : terms;
}

export function writeSearch(terms: Term[]): string {
  return terms
    .map(({ key, value }) => (key ? `${key}:${/\s/.test(value) ? `"${value}"` : value}` : value))
    .join(" ");
}

export function filterOf(terms: Term[], boxes: readonly Mailbox[]): Response | null {
  const conditions = terms.map((term) => conditionOf(term, boxes));
  if (!terms.some((term) => term.key === "in")) {
    const out = boxes.filter((box) => box.role === "trash" || box.role === "junk").map((box) => box.id);
    conditions.push({ inMailboxOtherThan: out });
  }
  return conditions.length === 1 ? (conditions[0] ?? null) : { operator: "AND", conditions };
}

function conditionOf({ key, value }: Term, boxes: readonly Mailbox[]): Response {
  const day = /^\d{4}-\d\d-\d\d$/.test(value) ? new Date(`${value}T00:00:00`) : undefined;
  switch (key) {
    case "from":
    case "to":
    case "cc":
    case "subject":
    case "body":
      return { [key]: value };
    case "in": {
      const wanted = value.toLowerCase();
      const box = boxes.find((each) => each.role === wanted || each.name.toLowerCase() === wanted);
      return box ? { inMailbox: box.id } : { text: value };
    }
    case "is":
      if (value === "read") return { hasKeyword: SEEN };
      if (value === "starred") return { hasKeyword: FLAGGED };
      if (value === "draft") return { hasKeyword: DRAFT };
      return { notKeyword: SEEN };
    case "has":
      return { hasAttachment: true };
    case "after":
    case "before":
      return day ? { [key]: day.toISOString().replace(/\.\d+/, "") } : { text: value };
    case "larger": {
      const match = /^(\d+(?:\.\d+)?)\s*(k|m|g)?b?$/i.exec(value);
      const unit = { k: 1e3, m: 1e6, g: 1e9 }[(match?.[2] ?? "").toLowerCase()] ?? 1;
      return { minSize: Math.round(Number(match?.[1] ?? 0) * unit) };
    }
    default:
      return { text: value };
  }
}

export function chipText({ key, value }: Term): string {
  if (key === "is" || key === "has") return `${key} ${value}`;
  return key ? `${key}: ${value}` : value;
}
