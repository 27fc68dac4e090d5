// A list of conversations of any length: only pages that somebody looked at are here. Positions are the
// server's; a change on the server makes all pages stale, and those in sight are asked for again.

import type { Batch, Call, Jmap, Response } from "../../shared/jmap";
import { type Email, LIST_PROPERTIES } from "./model";

export const PAGE = 50;

/** The calls of a batch that list one page, and the conversations on it. */
export interface PageCalls {
  query: Call;
  emails: Call;
  threads: Call;
  members: Call;
}

export function addPage(batch: Batch, filter: Response | null, position: number, collapse: boolean): PageCalls {
  const query = batch.add("Email/query", {
    filter,
    sort: [{ property: "receivedAt", isAscending: false }],
    collapseThreads: collapse,
    position,
    limit: PAGE,
    calculateTotal: true,
  });
  const emails = batch.add("Email/get", { "#ids": query.ref("/ids"), properties: LIST_PROPERTIES });
  const threads = batch.add("Thread/get", { "#ids": emails.ref("/list/*/threadId") });
  const members = batch.add("Email/get", {
    "#ids": threads.ref("/list/*/emailIds"),
    properties: LIST_PROPERTIES,
  });
  return { query, emails, threads, members };
}

export class List {
  total = $state(0);
  /** Something was answered; before, nobody knows whether it is empty. */
  known = $state(false);
  error = $state("");
  #ids: (string | undefined)[] = [];
  #version = $state(0);
  #asked = new Set<number>();
  /** What was asked for before this became stale is not believed. */
  #epoch = 0;

  constructor(
    readonly key: string,
    readonly filter: Response | null,
    /** One row for each conversation, or for each message. */
    readonly collapse: boolean,
    private readonly jmap: () => Jmap | undefined,
    private readonly learn: (calls: PageCalls) => void,
    /** Messages that are told one by one, where no query finds them. */
    readonly fixed?: string[],
  ) {
    if (fixed) {
      this.#ids = fixed;
      this.total = fixed.length;
      this.known = true;
    }
  }

  at(index: number): string | undefined {
    this.#version;
    return this.#ids[index];
  }

  indexOf(id: string): number {
    this.#version;
    return this.#ids.indexOf(id);
  }

  /** What is known of the first ids, to be kept. */
  first(count: number): string[] {
    return this.#ids.slice(0, count).filter((id) => id !== undefined);
  }

  /** Begin with what was kept. */
  restore(ids: string[], total: number): void {
    this.#ids = ids;
    this.total = total;
    this.known = true;
    this.#version++;
  }

  /** See to it that rows `from` to `to` are here. */
  async ensure(from: number, to: number): Promise<void> {
    if (this.fixed) return;
    const last = this.known ? Math.max(0, Math.min(to, this.total - 1)) : to;
    const wanted: number[] = [];
    for (let page = Math.floor(from / PAGE); page <= Math.floor(last / PAGE); page++) {
      if (!this.#asked.has(page)) wanted.push(page);
    }
    await Promise.all(wanted.map((page) => this.#fetch(page)));
  }

  async #fetch(page: number): Promise<void> {
    const jmap = this.jmap();
    if (!jmap) return;
    this.#asked.add(page);
    const epoch = this.#epoch;
    try {
      const batch = jmap.batch();
      const calls = addPage(batch, this.filter, page * PAGE, this.collapse);
      await batch.send();
      if (epoch === this.#epoch) this.take(calls);
    } catch (error) {
      this.#asked.delete(page);
      if (!this.known) this.error = error instanceof Error ? error.message : String(error);
    }
  }

  /** Take what a page answered. */
  take(calls: PageCalls): void {
    const { ids, position, total } = calls.query.result as { ids: string[]; position: number; total: number };
    this.learn(calls);
    if (total !== this.#ids.length) this.#ids.length = total;
    ids.forEach((id, offset) => {
      this.#ids[position + offset] = id;
    });
    this.#asked.add(Math.floor(position / PAGE));
    this.total = total;
    this.known = true;
    this.error = "";
    this.#version++;
  }

  /** Everything may have moved. */
  stale(): void {
    this.#asked.clear();
    this.#epoch++;
  }

  /** Take rows out at once; what follows moves up. */
  remove(gone: ReadonlySet<string>): void {
    const kept: (string | undefined)[] = [];
    // Not `filter`, which would drop the places of rows that are not here yet.
    for (let index = 0; index < this.#ids.length; index++) {
      const id = this.#ids[index];
      if (id === undefined || !gone.has(id)) kept.push(id);
    }
    const count = this.#ids.length - kept.length;
    if (!count) return;
    this.#ids = kept;
    this.total = Math.max(0, this.total - count);
    this.stale();
    this.#version++;
  }
}

/** The emails of a page, those of its conversations too. */
export function emailsOf({ emails, members }: PageCalls): Email[] {
  const others = members.error ? [] : (members.result.list as Email[]);
  return [...(emails.result.list as Email[]), ...others];
}
