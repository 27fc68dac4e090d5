// The keyboard: one table, which the page of help shows too.

import { compose } from "./compose/open.svelte";
import { openRow, rowsMeant, toggleSelected } from "./list/rows";
import { destroyRows, markRead, moveToRole, toggleStar, undoLast } from "./state/actions";
import { mail } from "./state/mail.svelte";
import { view } from "./state/view.svelte";

export interface Key {
  keys: string;
  says: string;
  run: () => void;
}

function move(by: number): void {
  const last = (mail.list?.total ?? 0) - 1;
  view.cursor = Math.max(0, Math.min(last, view.cursor + by));
  if (view.thread) openRow(view.cursor);
}

/** Do something with the rows meant; an open conversation makes room for the next one. */
function withRows(act: (rows: string[]) => Promise<void>): void {
  const rows = rowsMeant();
  if (!rows.length) return;
  void act(rows);
  if (view.thread) afterOpen();
}

/** After what is open has left the list: back to it. */
export function afterOpen(): void {
  view.cursor = Math.min(view.cursor, Math.max(0, (mail.list?.total ?? 1) - 1));
  view.close();
}

function emailsMeant() {
  return rowsMeant().flatMap((row) => mail.emailsOfRow(row));
}

function answer(kind: "reply" | "all" | "forward"): void {
  const newest = view.thread ? mail.membersOf(view.thread).at(-1) : undefined;
  if (newest) void compose.answer(newest, kind);
}

export const KEYS: { title: string; keys: Key[] }[] = [
  {
    title: "Moving",
    keys: [
      { keys: "j", says: "next conversation", run: () => move(1) },
      { keys: "k", says: "conversation before", run: () => move(-1) },
      { keys: "Enter", says: "open", run: () => openRow(view.cursor) },
      { keys: "u", says: "back to the list", run: () => view.close() },
      { keys: "/", says: "search", run: () => document.getElementById("search")?.focus() },
      { keys: "g i", says: "go to the Inbox", run: () => view.go("inbox") },
      { keys: "g s", says: "go to what is starred", run: () => view.go("starred") },
      { keys: "g t", says: "go to Sent", run: () => view.go("sent") },
      { keys: "g d", says: "go to Drafts", run: () => view.go("drafts") },
      { keys: "g a", says: "go to Archive", run: () => view.go("archive") },
    ],
  },
  {
    title: "Conversations",
    keys: [
      { keys: "e", says: "archive", run: () => withRows((rows) => moveToRole(rows, "archive")) },
      {
        keys: "#",
        says: "to Trash; from there, for good",
        run: () => withRows((rows) => (view.box === "trash" ? destroyRows(rows) : moveToRole(rows, "trash"))),
      },
      { keys: "!", says: "junk", run: () => withRows((rows) => moveToRole(rows, "junk")) },
      { keys: "s", says: "star", run: () => void toggleStar(emailsMeant()) },
      { keys: "I", says: "read", run: () => void markRead(emailsMeant(), true) },
      { keys: "U", says: "unread", run: () => void markRead(emailsMeant(), false) },
      {
        keys: "x",
        says: "select",
        run: () => {
          const id = mail.list?.at(view.cursor);
          if (id) toggleSelected(id, view.cursor);
        },
      },
      { keys: "z", says: "undo", run: undoLast },
    ],
  },
  {
    title: "Writing",
    keys: [
      { keys: "c", says: "new message", run: () => compose.blank() },
      { keys: "r", says: "reply", run: () => answer("reply") },
      { keys: "a", says: "reply to all", run: () => answer("all") },
      { keys: "f", says: "forward", run: () => answer("forward") },
    ],
  },
  { title: "More", keys: [{ keys: "?", says: "this page", run: () => (view.dialog = "help") }] },
];

const byKeys = new Map(KEYS.flatMap((group) => group.keys.map((key) => [key.keys, key] as const)));
let prefix = "";

/** What is typed anywhere but into a field. Also told by the frames that show messages. */
export function onKey(event: KeyboardEvent): void {
  const target = event.target as Element | null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || view.dialog) return;
  if (target?.closest?.("input, textarea, select, [contenteditable=true], dialog")) return;
  if (event.key === "Enter" && target?.closest?.("button, a")) return;
  if (event.key === "Escape") {
    if (view.drawer) view.drawer = false;
    else if (mail.selected.size) mail.selected.clear();
    else if (view.thread) view.close();
    return;
  }
  const pressed = { ArrowDown: "j", ArrowUp: "k" }[event.key] ?? event.key;
  const found = byKeys.get(prefix ? `${prefix} ${pressed}` : pressed);
  prefix = !prefix && pressed === "g" ? "g" : "";
  if (!found) return;
  event.preventDefault();
  found.run();
}
