// What a page shows of the server: asked for at once, again every few seconds while somebody looks, and
// when something changed. What was there stays while it is asked for anew.

import { api } from "../../shared/api";

export const BASE = "/api/v1/console";

export class Loaded<T> {
  value = $state.raw<T | undefined>();
  error = $state.raw<Error | undefined>();
  loading = $state(false);
  #asked = 0;
  #closed = false;

  constructor(readonly path: () => string | null) {}

  /** Nobody looks any more: nothing is asked, and no answer is taken. */
  close(): void {
    this.#closed = true;
  }

  /** Ask now. A later answer to an earlier question is passed over. */
  async refresh(): Promise<void> {
    if (this.#closed) return;
    const path = this.path();
    const asked = ++this.#asked;
    if (path === null) {
      this.value = undefined;
      return;
    }
    this.loading = true;
    try {
      const value = await api<T>("GET", BASE + path);
      if (asked !== this.#asked || this.#closed) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (this.#closed) return;
      if (asked === this.#asked) this.error = error as Error;
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }
}

/** Load what a path names, whenever the path changes and, where `seconds` are given, again and again. Called
 * while a component is made. */
export function load<T>(path: () => string | null, seconds = 0): Loaded<T> {
  const loaded = new Loaded<T>(path);
  $effect(() => () => loaded.close());
  $effect(() => {
    path();
    void loaded.refresh();
    if (!seconds) return;
    const timer = setInterval(() => {
      if (!document.hidden) void loaded.refresh();
    }, seconds * 1000);
    return () => clearInterval(timer);
  });
  return loaded;
}

/** Build a query: what is empty is left out, lists are repeated. */
export function query(fields: Record<string, string | number | string[] | null | undefined>): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value)) for (const each of value) found.append(name, each);
    else if (value !== null && value !== undefined && value !== "") found.set(name, String(value));
  }
  const text = found.toString();
  return text ? `?${text}` : "";
}

class Now {
  seconds = $state(Date.now() / 1000);
  constructor() {
    setInterval(() => {
      if (!document.hidden) this.seconds = Date.now() / 1000;
    }, 1000);
  }
}

export const now = new Now();
