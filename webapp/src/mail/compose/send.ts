// Sending: the server holds a message back for some seconds, or until a time, and gives it back when asked.

import { checked } from "../../shared/jmap";
import { toasts } from "../../shared/toasts.svelte";
import { setKeyword } from "../state/actions";
import { mail } from "../state/mail.svelte";
import { mediumDate } from "../state/model";
import type { Draft } from "./draft.svelte";
import { compose } from "./open.svelte";

const HOLD_KEY = "postroad.undo-seconds";

/** For how long what was sent can be taken back, in seconds, as chosen on this device. */
export function undoSeconds(): number {
  const value = Number(localStorage.getItem(HOLD_KEY) ?? 8);
  return Math.min(Number.isFinite(value) ? value : 8, mail.maxDelayedSend);
}

export function chooseUndoSeconds(seconds: number): void {
  localStorage.setItem(HOLD_KEY, String(seconds));
}

const ATTACHES = /\b(attach(ed|ing|ment)s?|enclosed|anbei|anhang|angehängt|beigefügt|pièces? jointes?|ci-joint|adjunt[oa]s?)\b/i;

/** Does the text, but for what it quotes, speak of a file that is not there? */
export function forgotAttachment(draft: Draft): boolean {
  if (draft.attachments.some((each) => !each.cid)) return false;
  const page = new DOMParser().parseFromString(draft.html, "text/html");
  for (const quote of page.querySelectorAll("blockquote")) quote.remove();
  return ATTACHES.test(`${draft.subject} ${page.body.textContent}`);
}

/** Send, now or at a time. Raises what the server says; the draft is then still there. */
export async function send(draft: Draft, at?: Date): Promise<void> {
  await draft.save();
  const drafts = mail.box("drafts")?.id ?? "";
  const sent = mail.box("sent")?.id ?? "";
  const seconds = undoSeconds();
  const hold: Record<string, string> = at
    ? { HOLDUNTIL: at.toISOString().replace(/\.\d+/, "") }
    : seconds
      ? { HOLDFOR: String(seconds) }
      : {};
  const all = new Map(draft.recipients.map((each) => [each.email.toLowerCase(), { email: each.email }]));
  const batch = mail.batch();
  const call = batch.add("EmailSubmission/set", {
    create: {
      sending: {
        emailId: draft.emailId,
        identityId: draft.identity?.id,
        envelope: {
          mailFrom: { email: draft.identity?.email, parameters: hold },
          rcptTo: [...all.values()],
        },
      },
    },
    onSuccessUpdateEmail: {
      "#sending": { [`mailboxIds/${drafts}`]: null, [`mailboxIds/${sent}`]: true, "keywords/$draft": null },
    },
  });
  await batch.send();
  const submission = checked(call.result).created.sending.id as string;
  const { emailId, given } = draft;
  draft.close();
  compose.draft = undefined;
  toasts.show(at ? `Leaves ${mediumDate(at)}` : "Sent", {
    seconds: at ? 8 : Math.max(seconds, 4),
    ...(at || seconds ? { action: { label: "Undo", run: () => void takeBack(submission, emailId) } } : {}),
  });
  const answered = given.answers && mail.emails.get(given.answers.id);
  if (answered && given.answers) void setKeyword([answered], given.answers.keyword, true);
  await mail.refresh();
  await mail.loadPending();
}

/** Stop what has not left yet, and go on writing it. */
export async function takeBack(submission: string, emailId: string): Promise<void> {
  const drafts = mail.box("drafts")?.id ?? "";
  try {
    const batch = mail.batch();
    const stopped = batch.add("EmailSubmission/set", {
      update: { [submission]: { undoStatus: "canceled" } },
      onSuccessUpdateEmail: { [submission]: { mailboxIds: { [drafts]: true }, "keywords/$draft": true } },
    });
    await batch.send();
    checked(stopped.result);
    await mail.refresh();
    await mail.loadPending();
    await compose.resume({ id: emailId });
    toasts.show("Not sent: it is a draft again.");
  } catch (error) {
    toasts.fail(error, "It could not be taken back");
  }
}
