// Which message is being written, and how writing begins: blank, as an answer, or with a draft.

import { toasts } from "../../shared/toasts.svelte";
import { mail } from "../state/mail.svelte";
import { ANSWERED, type Address, BODY_PROPERTIES, DETAIL_PROPERTIES, type Email, FORWARDED, type Identity, bareSubject, nameOf, wholeDate, written } from "../state/model";
import { type Attachment, Draft } from "./draft.svelte";
import { escapeText, htmlOfText } from "./sanitise";

type Kind = "reply" | "all" | "forward";

class Compose {
  draft = $state.raw<Draft>();

  async blank(to: Address[] = []): Promise<void> {
    const draft = new Draft({ to, html: "" });
    await this.show(new Draft({ to, html: `<div><br></div>${signature(draft.identity)}` }));
  }

  /** Show another; the one before is saved. */
  async show(draft: Draft): Promise<void> {
    await this.put();
    this.draft = draft;
  }

  /** Put away what is written, saved as a draft if anything was. */
  async put(): Promise<void> {
    const before = this.draft;
    this.draft = undefined;
    if (!before || before.closed) return;
    before.close();
    if (before.saved) {
      await before.save().catch((error) => toasts.fail(error, "The draft could not be saved"));
      await mail.refresh();
    }
  }

  async answer(email: Email, kind: Kind): Promise<void> {
    const whole = await read(email.id);
    const { detail } = whole;
    const own = new Set(mail.identities.map((each) => each.email.toLowerCase()));
    const mine = (each: Address) => own.has(each.email.toLowerCase());
    const others = [...(whole.to ?? []), ...(detail?.cc ?? [])];
    const identity = mail.identities.find((each) => others.some((other) => other.email.toLowerCase() === each.email.toLowerCase()));
    const sent = (whole.from ?? []).some(mine);
    const to = sent ? (whole.to ?? []) : (detail?.replyTo ?? whole.from ?? []);
    const cc = (sent ? (detail?.cc ?? []) : others).filter((each) => !mine(each) && !to.some((one) => one.email === each.email));
    const quoted = quotable(whole);
    const forward = kind === "forward";
    const intro = forward
      ? `<div>---------- Forwarded message ----------</div><div>From: ${escapeText((whole.from ?? []).map(written).join(", "))}</div>` +
        `<div>Date: ${escapeText(wholeDate(detail?.sentAt ?? whole.receivedAt))}</div><div>Subject: ${escapeText(whole.subject ?? "")}</div>` +
        `<div>To: ${escapeText((whole.to ?? []).map(written).join(", "))}</div><div><br></div>${quoted}`
      : `<div>On ${escapeText(wholeDate(detail?.sentAt ?? whole.receivedAt))}, ${escapeText(nameOf(whole.from?.[0]))} wrote:</div><blockquote>${quoted}</blockquote>`;
    await this.show(
      new Draft({
        identity,
        to: forward ? [] : to,
        cc: kind === "all" ? cc : [],
        subject: `${forward ? "Fwd" : "Re"}: ${bareSubject(whole.subject)}`,
        html: `<div><br></div>${signature(identity ?? mail.identities[0])}<div><br></div>${intro}`,
        inReplyTo: forward ? [] : (detail?.messageId ?? []),
        references: forward ? [] : [...(detail?.references ?? []), ...(detail?.messageId ?? [])],
        attachments: forward ? kept(whole) : [],
        answers: { id: whole.id, keyword: forward ? FORWARDED : ANSWERED },
      }),
    );
  }

  /** Go on with a draft. */
  async resume(email: { id: string }): Promise<void> {
    try {
      const whole = await read(email.id);
      const { detail } = whole;
      await this.show(
        new Draft({
          emailId: whole.id,
          identity: mail.identities.find((each) => each.email === whole.from?.[0]?.email),
          to: whole.to ?? [],
          cc: detail?.cc ?? [],
          bcc: detail?.bcc ?? [],
          subject: whole.subject ?? "",
          html: quotable(whole),
          inReplyTo: (detail as { inReplyTo?: string[] } | undefined)?.inReplyTo ?? [],
          references: detail?.references ?? [],
          attachments: kept(whole),
        }),
      );
    } catch (error) {
      toasts.fail(error, "The draft could not be opened");
    }
  }
}

function signature(identity: Identity | undefined): string {
  if (!identity) return "";
  const html = identity.htmlSignature || (identity.textSignature ? htmlOfText(identity.textSignature) : "");
  return html ? `<div>-- </div>${html}` : "";
}

async function read(id: string): Promise<Email> {
  const answer = await mail.jmap?.call("Email/get", {
    ids: [id],
    properties: ["id", "threadId", "from", "to", "subject", "receivedAt", "inReplyTo", ...DETAIL_PROPERTIES],
    bodyProperties: BODY_PROPERTIES,
    fetchTextBodyValues: true,
    fetchHTMLBodyValues: true,
    maxBodyValueBytes: 500_000,
  });
  const found = answer?.list[0];
  if (!found) throw new Error("The message is not there any more.");
  return { ...found, detail: found } as Email;
}

/** What a message says, as HTML that the editor cleans before it shows it. */
function quotable({ detail }: Email): string {
  const part = detail?.htmlBody[0];
  const value = detail?.bodyValues[part?.partId ?? ""]?.value ?? "";
  if (part?.type !== "text/html") return htmlOfText(value.trimEnd());
  // Pictures of the message itself are fetched as its parts.
  return value.replace(/(<img\b[^>]*?)\bsrc\s*=\s*(["'])cid:([^"'<>]+)\2/gi, (whole, start: string, _quote, cid: string) => {
    const file = detail?.attachments.find((each) => each.cid === cid);
    return file ? `${start}data-cid="${escapeText(cid)}"` : whole;
  });
}

/** The files of a message, as they are sent on. */
function kept({ detail }: Email): Attachment[] {
  return (detail?.attachments ?? [])
    .filter((part) => part.blobId)
    .map((part) => ({
      key: part.blobId ?? "",
      name: part.name ?? "file",
      type: part.type,
      size: part.size,
      share: 1,
      blobId: part.blobId ?? "",
      error: "",
      cid: part.disposition === "inline" ? (part.cid ?? "") : "",
    }));
}

export const compose = new Compose();
