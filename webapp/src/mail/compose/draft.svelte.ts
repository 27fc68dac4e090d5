// A message that is being written: what it is, and how it is saved while it is written.

import { Offline } from "../../shared/api";
import { checked } from "../../shared/jmap";
import { mail } from "../state/mail.svelte";
import type { Address, Identity } from "../state/model";
import { sanitise, textOfHtml } from "./sanitise";

export interface Attachment {
  key: string;
  name: string;
  type: string;
  size: number;
  /** From 0 to 1; 1: the server has it. */
  share: number;
  blobId: string;
  error: string;
  /** For pictures within the text. */
  cid: string;
  stop?: AbortController;
}

export interface DraftGiven {
  to?: Address[];
  cc?: Address[];
  bcc?: Address[];
  subject?: string;
  html?: string;
  identity?: Identity;
  emailId?: string;
  inReplyTo?: string[];
  references?: string[];
  attachments?: Attachment[];
  answers?: { id: string; keyword: string };
}

const SAVE_AFTER_MS = 1500;

export class Draft {
  to = $state<Address[]>([]);
  cc = $state<Address[]>([]);
  bcc = $state<Address[]>([]);
  subject = $state("");
  /** What the editor holds; pictures with `data-cid`. */
  html = $state.raw("");
  attachments = $state<Attachment[]>([]);
  identity = $state.raw<Identity>();
  saved = $state<"" | "saving" | "saved" | "failed">("");
  closed = false;
  /** The draft on the server. */
  emailId = "";
  readonly given: DraftGiven;
  #timer = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(given: DraftGiven) {
    this.given = given;
    this.to = given.to ?? [];
    this.cc = given.cc ?? [];
    this.bcc = given.bcc ?? [];
    this.subject = given.subject ?? "";
    this.html = given.html ?? "";
    this.attachments = given.attachments ?? [];
    this.emailId = given.emailId ?? "";
    this.identity = given.identity ?? mail.identities.find((each) => each.email === mail.address) ?? mail.identities[0];
  }

  get recipients(): Address[] {
    return [...this.to, ...this.cc, ...this.bcc];
  }

  get uploading(): boolean {
    return this.attachments.some((each) => each.share < 1 && !each.error);
  }

  /** Something was typed: it is saved when there is a moment. */
  changed(): void {
    clearTimeout(this.#timer);
    if (this.closed) return;
    this.#timer = window.setTimeout(() => void this.save().catch(() => undefined), SAVE_AFTER_MS);
  }

  /** Save now; one after another. Raises what the server says. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    const drafts = mail.box("drafts");
    if (!drafts) return;
    this.saved = "saving";
    try {
      const batch = mail.batch();
      const old = this.emailId;
      const call = batch.add("Email/set", {
        create: { draft: this.toEmail(drafts.id) },
        ...(old ? { destroy: [old] } : {}),
      });
      await batch.send();
      const answer = call.result;
      // An old draft that is gone already does not matter.
      const { notDestroyed: _, ...rest } = answer;
      checked(rest);
      this.emailId = answer.created.draft.id;
      mail.wentOn(answer);
      this.saved = "saved";
    } catch (error) {
      this.saved = "failed";
      throw error;
    }
  }

  /** The Email object to be made (RFC 8621 §4.6). */
  toEmail(mailbox: string): Record<string, unknown> {
    const identity = this.identity;
    const body = sanitise(this.html);
    const text = textOfHtml(body).trimEnd();
    for (const image of body.querySelectorAll("img[data-cid]")) {
      image.setAttribute("src", `cid:${image.getAttribute("data-cid")}`);
      image.removeAttribute("data-cid");
    }
    // Mail readers have no style sheet of ours.
    for (const quote of body.querySelectorAll("blockquote")) {
      quote.setAttribute("style", "margin:0 0 0 0.8ex;border-left:2px solid #c8cdd8;padding-left:1ex");
    }
    const holder = document.createElement("div");
    holder.append(body);
    const used = (cid: string) => holder.innerHTML.includes(`cid:${cid}`);
    const files = this.attachments.filter((each) => each.blobId && (!each.cid || used(each.cid)));
    return {
      mailboxIds: { [mailbox]: true },
      keywords: { $draft: true, $seen: true },
      from: identity ? [{ name: identity.name || null, email: identity.email }] : null,
      ...(identity?.replyTo?.length ? { replyTo: identity.replyTo } : {}),
      to: this.to.length ? this.to : null,
      cc: this.cc.length ? this.cc : null,
      bcc: this.bcc.length ? this.bcc : null,
      subject: this.subject,
      ...(this.given.inReplyTo?.length ? { inReplyTo: this.given.inReplyTo } : {}),
      ...(this.given.references?.length ? { references: this.given.references } : {}),
      textBody: [{ partId: "text", type: "text/plain" }],
      htmlBody: [{ partId: "html", type: "text/html" }],
      bodyValues: {
        text: { value: `${text}\n` },
        html: { value: `<!doctype html><html><body>${holder.innerHTML}</body></html>` },
      },
      attachments: files.map(({ blobId, name, type, cid }) => ({
        blobId,
        name,
        type,
        ...(cid ? { cid, disposition: "inline" } : { disposition: "attachment" }),
      })),
    };
  }

  /** Upload a file; the one that is returned tells how far it is. */
  attach(file: File, cid = ""): Attachment {
    const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const stop = new AbortController();
    this.attachments.push({
      key,
      name: file.name || "picture.png",
      type: /^[\w.+-]+\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream",
      size: file.size,
      share: 0,
      blobId: "",
      error: "",
      cid,
      stop,
    });
    const made = this.attachments.at(-1) as Attachment;
    void this.#upload(made, file, stop);
    return made;
  }

  async #upload(made: Attachment, file: File, stop: AbortController): Promise<void> {
    const { jmap } = mail;
    const most = Number(jmap?.capability("urn:ietf:params:jmap:mail")?.maxSizeAttachmentsPerEmail ?? jmap?.maxUploadOctets);
    try {
      if (!jmap) throw new Offline();
      if (file.size > Math.min(most, jmap.maxUploadOctets)) throw new Error("This file is too large to be sent.");
      const told = await jmap.upload(file, (share) => (made.share = Math.min(share, 0.99)), stop.signal);
      made.blobId = told.blobId;
      made.share = 1;
      this.changed();
    } catch (error) {
      if (error instanceof DOMException) return;
      made.error = error instanceof Error ? error.message : String(error);
    }
  }

  detach(key: string): void {
    this.attachments.find((each) => each.key === key)?.stop?.abort();
    this.attachments = this.attachments.filter((each) => each.key !== key);
    this.changed();
  }

  /** Nothing more is saved. */
  close(): void {
    this.closed = true;
    clearTimeout(this.#timer);
  }

  /** Remove it from the server too. */
  async discard(): Promise<void> {
    this.close();
    for (const each of this.attachments) each.stop?.abort();
    await this.#saving.catch(() => undefined);
    if (this.emailId) await mail.jmap?.call("Email/set", { destroy: [this.emailId] });
    await mail.refresh();
  }
}
