// What people do to conversations: at once on the screen, then on the server, with a way back.

import { checked } from "../../shared/jmap";
import { toasts } from "../../shared/toasts.svelte";
import { mail } from "./mail.svelte";
import { type Email, FLAGGED, type Mailbox, type Role, SEEN } from "./model";

type Patch = Record<string, unknown>;

/** What undoes the last thing, for the key `z`. */
let back: (() => void) | undefined;

export function undoLast(): void {
  const run = back;
  back = undefined;
  if (run) run();
  else toasts.show("There is nothing to undo.");
}

async function update(patches: Record<string, Patch>): Promise<void> {
  const ids = Object.keys(patches);
  // The server has a limit for one request (maxObjectsInSet); 100 is below any.
  for (let start = 0; start < ids.length; start += 100) {
    const some = Object.fromEntries(ids.slice(start, start + 100).map((id) => [id, patches[id]]));
    const batch = mail.batch();
    const call = batch.add("Email/set", { update: some });
    await batch.send();
    mail.wentOn(checked(call.result));
  }
}

async function attempt(patches: Record<string, Patch>, what: string): Promise<boolean> {
  try {
    await update(patches);
    return true;
  } catch (error) {
    toasts.fail(error, what);
    await mail.refresh();
    return false;
  }
}

/** Give emails a keyword, or take it. */
export async function setKeyword(emails: Email[], keyword: string, on: boolean): Promise<void> {
  const changed = emails.filter((email) => Boolean(email.keywords[keyword]) !== on);
  if (!changed.length) return;
  for (const email of changed) {
    const { [keyword]: _, ...rest } = email.keywords;
    mail.emails.set(email.id, { ...email, keywords: on ? { ...rest, [keyword]: true } : rest });
  }
  const patch = { [`keywords/${keyword}`]: on ? true : null };
  await attempt(Object.fromEntries(changed.map(({ id }) => [id, patch])), "This could not be changed");
}

export function markRead(emails: Email[], read: boolean): Promise<void> {
  return setKeyword(emails, SEEN, read);
}

/** Star the newest of a conversation, or take all its stars. */
export function toggleStar(emails: Email[]): Promise<void> {
  return mail.isStarred(emails) ? setKeyword(emails, FLAGGED, false) : setKeyword(emails.slice(-1), FLAGGED, true);
}

const DONE: Record<Role, string> = {
  archive: "Archived",
  trash: "Moved to Trash",
  junk: "Marked as junk",
  inbox: "Moved to the Inbox",
  drafts: "Moved to Drafts",
  sent: "Moved to Sent",
};

/** Move rows of the list into a mailbox, with a way back. */
export async function moveRows(rows: string[], to: Mailbox): Promise<void> {
  const here = mail.list?.filter?.inMailbox as string | undefined;
  const emails = rows.flatMap((row) => mail.emailsOfRow(row)).filter((email) => {
    if (email.mailboxIds[to.id]) return false;
    return here ? email.mailboxIds[here] : email;
  });
  if (!emails.length) return;
  const before = emails.map((email) => [email.id, Object.keys(email.mailboxIds)[0]] as const);
  for (const email of emails) mail.emails.set(email.id, { ...email, mailboxIds: { [to.id]: true } });
  if (here || to.role === "trash" || to.role === "junk") mail.list?.remove(new Set(rows));
  mail.selected.clear();
  const patches = Object.fromEntries(emails.map(({ id }) => [id, { mailboxIds: { [to.id]: true } }]));
  const undo = async () => {
    const returned = Object.fromEntries(before.map(([id, box]) => [id, { mailboxIds: { [box ?? ""]: true } }]));
    if (await attempt(returned, "This could not be undone")) {
      for (const [id, box] of before) {
        const email = mail.emails.get(id);
        if (email && box) mail.emails.set(id, { ...email, mailboxIds: { [box]: true } });
      }
      await mail.refresh();
    }
  };
  const text = to.role ? DONE[to.role] : `Moved to ${to.name}`;
  const many = rows.length > 1 ? ` (${rows.length})` : "";
  const toast = toasts.show(text + many, { action: { label: "Undo", run: () => void undo() }, seconds: 8 });
  back = () => {
    toasts.close(toast);
    void undo();
  };
  if (await attempt(patches, "This could not be moved")) {
    void mail.list?.ensure(...mail.window);
  } else toasts.close(toast);
}

export async function moveToRole(rows: string[], role: Role): Promise<void> {
  const box = mail.box(role);
  if (box) await moveRows(rows, box);
}

/** Remove for good what is in Trash or Junk. */
export async function destroyRows(rows: string[]): Promise<void> {
  const ids = rows.flatMap((row) => mail.emailsOfRow(row)).map((email) => email.id);
  mail.list?.remove(new Set(rows));
  mail.selected.clear();
  try {
    for (let start = 0; start < ids.length; start += 100) {
      const batch = mail.batch();
      const call = batch.add("Email/set", { destroy: ids.slice(start, start + 100) });
      await batch.send();
      mail.wentOn(checked(call.result));
    }
    toasts.show(ids.length > 1 ? `${ids.length} messages deleted` : "Deleted");
  } catch (error) {
    toasts.fail(error, "This could not be deleted");
  }
  await mail.refresh();
}
