// The mail of one account in this browser: what was asked of the server, kept up to date by its events.

import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { Offline } from "../../shared/api";
import { type Batch, type Call, Jmap, type Session } from "../../shared/jmap";
import { toasts } from "../../shared/toasts.svelte";
import { forget, keep, kept, keptMany } from "../offline/keep";
import { List, type PageCalls, addPage, emailsOf } from "./list.svelte";
import {
  BODY_PROPERTIES,
  DETAIL_PROPERTIES,
  type Email,
  FLAGGED,
  type Identity,
  LIST_PROPERTIES,
  type Mailbox,
  type Role,
  SEEN,
} from "./model";

export interface Pending {
  id: string;
  emailId: string;
  sendAt: string;
}

const ROLES: (Role | null)[] = ["inbox", "drafts", "sent", "archive", "junk", "trash"];

class Mail {
  jmap = $state.raw<Jmap>();
  ready = $state(false);
  failed = $state("");
  /** The server is reached: its events come. */
  online = $state(true);
  mailboxes = $state.raw<Mailbox[]>([]);
  identities = $state.raw<Identity[]>([]);
  /** What was sent and still waits: by email. */
  pending = new SvelteMap<string, Pending>();
  emails = new SvelteMap<string, Email>();
  threads = new SvelteMap<string, string[]>();
  list = $state.raw<List>();
  /** Rows in sight: they are asked for first when something changed. */
  window: [number, number] = [0, 0];
  openThread = $state("");
  selected = new SvelteSet<string>();
  #state = "";
  #refreshing = false;
  #again = false;

  async open(): Promise<void> {
    this.failed = "";
    try {
      this.jmap = await Jmap.open();
      const before = await kept<Session>("things", "session");
      if (before && before.username !== this.jmap.session.username) await forget();
      await this.#first();
      void keep("things", [["session", this.jmap.session]]);
      this.jmap.watch(
        (states) => this.#changed(states),
        (is) => {
          if (is && !this.online) void this.refresh();
          this.online = is;
        },
      );
    } catch (error) {
      if (error instanceof Offline && (await this.#fromKept())) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
  }

  async #first(): Promise<void> {
    const batch = this.batch();
    const boxes = batch.add("Mailbox/get", {});
    const identities = batch.add("Identity/get", {});
    const state = batch.add("Email/get", { ids: [] });
    const pending = this.#askPending(batch);
    await batch.send();
    this.#state = state.result.state;
    this.#takeBoxes(boxes);
    this.identities = identities.result.list;
    this.#takePending(pending);
    this.ready = true;
    void keep("things", [["identities", this.identities]]);
  }

  async #fromKept(): Promise<boolean> {
    const session = await kept<Session>("things", "session");
    const boxes = await kept<Mailbox[]>("things", "mailboxes");
    if (!session || !boxes) return false;
    this.jmap = new Jmap(session, Object.values(session.primaryAccounts)[0] ?? "");
    this.mailboxes = boxes;
    this.identities = (await kept<Identity[]>("things", "identities")) ?? [];
    this.online = false;
    this.ready = true;
    addEventListener("online", () => void this.open(), { once: true });
    return true;
  }

  batch(): Batch {
    if (!this.jmap) throw new Offline();
    return this.jmap.batch();
  }

  get address(): string {
    return this.jmap?.session.username ?? "";
  }

  /** How long the server holds back what is sent, at most, in seconds; 0: not at all. */
  get maxDelayedSend(): number {
    return Number(this.jmap?.capability("urn:ietf:params:jmap:submission")?.maxDelayedSend ?? 0);
  }

  box(role: Role): Mailbox | undefined {
    return this.mailboxes.find((each) => each.role === role);
  }

  /** By what stands in addresses: a role, or an id. */
  boxNamed(name: string): Mailbox | undefined {
    return this.mailboxes.find((each) => (each.role ?? each.id) === name);
  }

  // ---- lists

  /** Show the list of that key, made by `make` where it is another than now. */
  show(key: string, make: () => List): void {
    if (this.list?.key === key) return;
    this.selected.clear();
    const list = make();
    this.list = list;
    if (list.fixed) void this.#loadFixed(list.fixed);
    else void this.#restore(list).then(() => list.ensure(0, 30));
  }

  newList(key: string, filter: Record<string, unknown> | null, collapse: boolean, fixed?: string[]): List {
    return new List(key, filter, collapse, () => this.jmap, (calls) => this.#learn(calls), fixed);
  }

  async #loadFixed(ids: string[]): Promise<void> {
    const batch = this.batch();
    const got = batch.add("Email/get", { ids, properties: LIST_PROPERTIES });
    await batch.send();
    this.learnEmails(got.result.list);
  }

  /** Begin with what was seen last: it is there before the server answers, and without it. */
  async #restore(list: List): Promise<void> {
    const before = await kept<{ ids: string[]; total: number }>("lists", list.key);
    if (!before || list.known) return;
    const emails = await keptMany<Email>("emails", before.ids);
    if (list.known) return;
    for (const email of emails) if (email && !this.emails.has(email.id)) this.#put(email);
    list.restore(before.ids, before.total);
  }

  #learn(calls: PageCalls): void {
    this.learnEmails(emailsOf(calls));
    if (!calls.threads.error) {
      for (const { id, emailIds } of calls.threads.result.list) this.threads.set(id, emailIds);
    }
    const list = this.list;
    if (list) queueMicrotask(() => void keep("lists", [[list.key, { ids: list.first(100), total: list.total }]]));
  }

  learnEmails(found: Email[]): void {
    for (const email of found) this.#put(email);
    void keep(
      "emails",
      found.map((email) => [email.id, $state.snapshot(this.emails.get(email.id))] as const),
    );
  }

  #put(email: Email): void {
    const before = this.emails.get(email.id);
    this.emails.set(email.id, { ...before, ...email, detail: email.detail ?? before?.detail });
    const thread = this.threads.get(email.threadId);
    if (!thread) this.threads.set(email.threadId, [email.id]);
  }

  /** The messages of a conversation that are known, oldest first; what is in Trash or Junk only where the
   * list is of these.
   */
  membersOf(threadId: string): Email[] {
    const found = (this.threads.get(threadId) ?? [])
      .map((id) => this.emails.get(id))
      .filter((email) => email !== undefined);
    const hidden = [this.box("trash")?.id, this.box("junk")?.id].filter((id) => id !== undefined);
    const shown = found.filter((email) => !hidden.some((id) => email.mailboxIds[id]));
    const here = this.list?.filter?.inMailbox as string | undefined;
    return shown.length && !(here && hidden.includes(here)) ? shown : found;
  }

  /** What a row stands for: its whole conversation, or one message. */
  emailsOfRow(id: string): Email[] {
    const email = this.emails.get(id);
    if (!email) return [];
    return this.list?.collapse ? this.membersOf(email.threadId) : [email];
  }

  isUnread(emails: Email[]): boolean {
    return emails.some((email) => !email.keywords[SEEN]);
  }

  isStarred(emails: Email[]): boolean {
    return emails.some((email) => email.keywords[FLAGGED]);
  }

  // ---- one conversation

  async loadThread(threadId: string): Promise<void> {
    const known = await keptMany<Email>("emails", this.threads.get(threadId) ?? []);
    for (const email of known) if (email?.detail && !this.emails.get(email.id)?.detail) this.#put(email);
    try {
      const batch = this.batch();
      const [thread, emails] = this.#askThread(batch, threadId);
      await batch.send();
      this.#takeThread(threadId, thread, emails);
    } catch (error) {
      if (!this.membersOf(threadId).some((email) => email.detail)) toasts.fail(error);
    }
  }

  #askThread(batch: Batch, threadId: string): [Call, Call] {
    const thread = batch.add("Thread/get", { ids: [threadId] });
    const emails = batch.add("Email/get", {
      "#ids": thread.ref("/list/*/emailIds"),
      properties: [...LIST_PROPERTIES, ...DETAIL_PROPERTIES],
      bodyProperties: BODY_PROPERTIES,
      fetchTextBodyValues: true,
      maxBodyValueBytes: 256_000,
    });
    return [thread, emails];
  }

  #takeThread(threadId: string, thread: Call, emails: Call): void {
    const ids = thread.result.list[0]?.emailIds as string[] | undefined;
    if (ids) this.threads.set(threadId, ids);
    else this.threads.delete(threadId);
    this.learnEmails(
      (emails.result.list as (Email & Email["detail"])[]).map((told) => {
        const { cc, bcc, replyTo, sentAt, messageId, references, ...rest } = told as never as Record<string, never>;
        const { attachments, textBody, htmlBody, bodyValues, ...email } = rest as Record<string, never>;
        const detail = { cc, bcc, replyTo, sentAt, messageId, references, attachments, textBody, htmlBody, bodyValues };
        return { ...(email as unknown as Email), detail: detail as unknown as NonNullable<Email["detail"]> };
      }),
    );
  }

  // ---- news

  #changed(states: Record<string, string>): void {
    if (states.Identity) void this.loadIdentities();
    if (states.EmailSubmission) void this.loadPending();
    if (states.Mailbox || (states.Email && states.Email !== this.#state)) void this.refresh();
  }

  /** Ask for what changed: emails, the rows in sight, the open conversation, the mailboxes. */
  async refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true;
      return;
    }
    this.#refreshing = true;
    try {
      do {
        this.#again = false;
        await this.#refreshOnce();
      } while (this.#again);
    } catch (error) {
      if (!(error instanceof Offline)) toasts.fail(error, "News could not be read");
    } finally {
      this.#refreshing = false;
    }
  }

  async #refreshOnce(): Promise<void> {
    const batch = this.batch();
    const list = this.list;
    const changes = batch.add("Email/changes", { sinceState: this.#state, maxChanges: 200 });
    const updated = batch.add("Email/get", { "#ids": changes.ref("/updated"), properties: LIST_PROPERTIES });
    const boxes = batch.add("Mailbox/get", {});
    list?.stale();
    const page =
      list && !list.fixed
        ? addPage(batch, list.filter, Math.floor(this.window[0] / 50) * 50, list.collapse)
        : undefined;
    const threadId = this.openThread;
    const open = threadId ? this.#askThread(batch, threadId) : undefined;
    await batch.send();
    if (changes.error) this.#state = updated.response?.state ?? this.#state;
    else {
      this.#state = changes.result.newState;
      if (changes.result.hasMoreChanges) this.#again = true;
      this.learnEmails(updated.result.list);
      for (const id of changes.result.destroyed as string[]) this.emails.delete(id);
    }
    if (changes.error) await this.#readState();
    this.#takeBoxes(boxes);
    if (page && list === this.list) {
      list?.take(page);
      void list?.ensure(this.window[0], this.window[1]);
    }
    if (open) this.#takeThread(threadId, ...open);
  }

  async #readState(): Promise<void> {
    const batch = this.batch();
    const state = batch.add("Email/get", { ids: [] });
    await batch.send();
    this.#state = state.result.state;
  }

  #takeBoxes(boxes: Call): void {
    const list = boxes.result.list as Mailbox[];
    const place = (box: Mailbox) => (box.role ? ROLES.indexOf(box.role) : ROLES.length);
    this.mailboxes = list.toSorted((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
    void keep("things", [["mailboxes", this.mailboxes]]);
  }

  async loadIdentities(): Promise<void> {
    this.identities = (await this.jmap?.call("Identity/get", {}))?.list ?? this.identities;
  }

  #askPending(batch: Batch): Call {
    const query = batch.add("EmailSubmission/query", { filter: { undoStatus: "pending" } });
    return batch.add("EmailSubmission/get", {
      "#ids": query.ref("/ids"),
      properties: ["id", "emailId", "sendAt", "undoStatus"],
    });
  }

  #takePending(call: Call): void {
    this.pending.clear();
    if (call.error) return;
    for (const each of call.result.list as Pending[]) this.pending.set(each.emailId, each);
  }

  async loadPending(): Promise<void> {
    const batch = this.batch();
    const pending = this.#askPending(batch);
    await batch.send();
    this.#takePending(pending);
  }

  /** What Email/set of ours answered: the events that follow tell nothing new. */
  wentOn(answer: { oldState?: string; newState?: string }): void {
    if (answer.oldState === this.#state && answer.newState) this.#state = answer.newState;
  }
}

export const mail = new Mail();
