// JMAP (RFC 8620): sessions, several calls in one request with results that refer to each other, uploads with
// progress, and push by server-sent events.

import { HEADERS, Offline, Problem, request } from "./api";

export const CORE = "urn:ietf:params:jmap:core";
export const MAIL = "urn:ietf:params:jmap:mail";
export const SUBMISSION = "urn:ietf:params:jmap:submission";
export const VACATION = "urn:ietf:params:jmap:vacationresponse";
export const QUOTA = "urn:ietf:params:jmap:quota";

export interface Session {
  capabilities: Record<string, Record<string, unknown>>;
  accounts: Record<string, { name: string; accountCapabilities: Record<string, Record<string, unknown>> }>;
  primaryAccounts: Record<string, string>;
  username: string;
  apiUrl: string;
  downloadUrl: string;
  uploadUrl: string;
  eventSourceUrl: string;
  state: string;
}

/** A method that was refused (RFC 8620 §3.6.2). */
export class MethodError extends Error {
  constructor(
    readonly method: string,
    readonly type: string,
    description?: string,
  ) {
    super(description || `${method}: ${type}`);
    this.name = "MethodError";
  }
}

export interface SetErrorObject {
  type: string;
  description?: string;
  properties?: string[];
}

/** Why one object was not created, updated or destroyed (RFC 8620 §5.3). */
export class SetError extends Error {
  constructor(readonly told: SetErrorObject) {
    super(told.description || told.type);
    this.name = "SetError";
  }

  get type(): string {
    return this.told.type;
  }
}

/** What methods answer is told by RFC 8621, not by a type of ours. */
export type Response = Record<string, any>;

/** One call of a batch, which later calls may refer to. */
export class Call {
  response: Response | undefined;
  error: MethodError | undefined;

  constructor(
    readonly id: string,
    readonly method: string,
    readonly given: Response,
  ) {}

  /** A reference to this call's result, for a property whose name begins with `#` (RFC 8620 §3.7). */
  ref(path: string): { resultOf: string; name: string; path: string } {
    return { resultOf: this.id, name: this.method, path };
  }

  /** What was answered; raises `MethodError`. */
  get result(): Response {
    if (this.error) throw this.error;
    if (!this.response) throw new Error(`${this.method} was not answered`);
    return this.response;
  }
}

/** Several calls that are sent as one request. */
export class Batch {
  readonly calls: Call[] = [];

  constructor(private readonly jmap: Jmap) {}

  add(method: string, given: Response): Call {
    const call = new Call(`c${this.calls.length}`, method, { accountId: this.jmap.account, ...given });
    this.calls.push(call);
    return call;
  }

  /** Send all. Errors of single methods are kept in their calls. */
  async send(init: RequestInit = {}): Promise<void> {
    const body = {
      using: this.jmap.using,
      methodCalls: this.calls.map((call) => [call.method, call.given, call.id]),
    };
    const answer = await request(pathOf(this.jmap.session.apiUrl), {
      ...init,
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    const told = (await answer.json()) as { methodResponses: [string, Response, string][] };
    for (const [name, response, id] of told.methodResponses) {
      const call = this.calls.find((each) => each.id === id);
      if (!call) continue;
      if (name === "error") call.error = new MethodError(call.method, response.type, response.description);
      // What follows by itself (onSuccessUpdateEmail) is answered under the same id.
      else if (name === call.method) call.response = response;
      else if (response.notUpdated) {
        const [first] = Object.values(response.notUpdated as Record<string, SetErrorObject>);
        if (first) call.error = new MethodError(name, first.type, first.description);
      }
    }
  }
}

export interface Uploaded {
  blobId: string;
  type: string;
  size: number;
}

export class Jmap {
  constructor(
    readonly session: Session,
    readonly account: string,
  ) {}

  static async open(): Promise<Jmap> {
    const answer = await request("/jmap/session");
    const session = (await answer.json()) as Session;
    return new Jmap(session, session.primaryAccounts[MAIL] ?? "");
  }

  get using(): string[] {
    return Object.keys(this.session.capabilities).filter((name) =>
      [CORE, MAIL, SUBMISSION, VACATION, QUOTA].includes(name),
    );
  }

  /** What the account may do of a capability, undefined without it. */
  capability(name: string): Record<string, unknown> | undefined {
    return this.session.accounts[this.account]?.accountCapabilities[name];
  }

  get maxUploadOctets(): number {
    return Number(this.session.capabilities[CORE]?.maxSizeUpload ?? 0);
  }

  batch(): Batch {
    return new Batch(this);
  }

  /** One call alone; raises `MethodError`. */
  async call(method: string, given: Response): Promise<Response> {
    const batch = this.batch();
    const call = batch.add(method, given);
    await batch.send();
    return call.result;
  }

  /** One `/set`; raises `SetError` for the first object that was refused. */
  async set(method: string, given: Response): Promise<Response> {
    return checked(await this.call(method, given));
  }

  upload(file: Blob, progress?: (share: number) => void, signal?: AbortSignal): Promise<Uploaded> {
    // fetch tells nothing of how far an upload is.
    return new Promise((resolve, reject) => {
      const ask = new XMLHttpRequest();
      ask.open("POST", pathOf(this.session.uploadUrl).replace("{accountId}", this.account));
      for (const [name, value] of Object.entries(HEADERS)) ask.setRequestHeader(name, value);
      ask.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      ask.responseType = "json";
      ask.upload.onprogress = (event) => progress?.(event.total ? event.loaded / event.total : 0);
      ask.onload = () => {
        if (ask.status < 300) resolve(ask.response as Uploaded);
        else reject(new Problem(ask.status, "", ask.response?.detail ?? `The server answered ${ask.status}.`));
      };
      ask.onerror = () => reject(new Offline());
      ask.onabort = () => reject(new DOMException("stopped", "AbortError"));
      signal?.addEventListener("abort", () => ask.abort());
      ask.send(file);
    });
  }

  /** The path of a blob. */
  download(blobId: string, name: string, type: string): string {
    return pathOf(this.session.downloadUrl)
      .replace("{accountId}", encodeURIComponent(this.account))
      .replace("{blobId}", encodeURIComponent(blobId))
      .replace("{name}", encodeURIComponent(name || "unnamed"))
      .replace("{type}", encodeURIComponent(type));
  }

  /** Hear of changes: `changed` gets the new states by type (RFC 8620 §7.3). Returns what stops it. */
  watch(changed: (states: Record<string, string>) => void, connected?: (is: boolean) => void): () => void {
    const path = pathOf(this.session.eventSourceUrl)
      .replace("{types}", "*")
      .replace("{closeafter}", "no")
      .replace("{ping}", "60");
    let source: EventSource | undefined;
    let again = 0;
    const open = () => {
      source = new EventSource(path, { withCredentials: true });
      source.onopen = () => connected?.(true);
      source.addEventListener("state", (event) => {
        const told = JSON.parse(event.data) as { changed?: Record<string, Record<string, string>> };
        const mine = told.changed?.[this.account];
        if (mine) changed(mine);
      });
      source.onerror = () => {
        connected?.(false);
        // The browser itself connects again, except where it was refused.
        if (source?.readyState === EventSource.CLOSED) again = window.setTimeout(open, 15_000);
      };
    };
    open();
    return () => {
      clearTimeout(again);
      source?.close();
    };
  }
}

/** Raise `SetError` for the first object of a `/set` that was refused. */
export function checked(response: Response): Response {
  for (const kind of ["notCreated", "notUpdated", "notDestroyed"]) {
    const [first] = Object.values((response[kind] ?? {}) as Record<string, SetErrorObject>);
    if (first) throw new SetError(first);
  }
  return response;
}

/** Where the session says the server is, as seen from this page: its own origin, whatever name it has there.
 * Braces of templates stay as they are.
 */
function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/]*/i, "");
}
