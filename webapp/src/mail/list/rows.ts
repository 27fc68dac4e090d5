// What clicks and keys do with rows.

import { compose } from "../compose/open.svelte";
import { mail } from "../state/mail.svelte";
import { DRAFT } from "../state/model";
import { view } from "../state/view.svelte";

let anchor = 0;

/** Open the row at that place: a draft to be written on, all else to be read. */
export function openRow(index: number): void {
  const id = mail.list?.at(index);
  const email = id ? mail.emails.get(id) : undefined;
  if (!id || !email) return;
  view.cursor = anchor = index;
  if (email.keywords[DRAFT] && mail.emailsOfRow(id).length === 1) void compose.resume(email);
  else view.open(email.threadId);
}

export function toggleSelected(id: string, index: number): void {
  anchor = index;
  if (!mail.selected.delete(id)) mail.selected.add(id);
}

export function selectTo(index: number): void {
  const [from, to] = anchor < index ? [anchor, index] : [index, anchor];
  for (let each = from; each <= to; each++) {
    const id = mail.list?.at(each);
    if (id) mail.selected.add(id);
  }
}

/** The rows that an action is for: what is selected, what is open, or where the cursor is. */
export function rowsMeant(): string[] {
  if (mail.selected.size) return [...mail.selected];
  const id = mail.list?.at(view.cursor);
  return id ? [id] : [];
}
