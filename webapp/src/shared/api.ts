// The one way to ask the server: with the session's cookie, the header that keeps other sites from asking in
// our name, and errors as what they are (problem details, RFC 9457).

import { hasPart, route } from "./router.svelte";

/** What the server said when it refused. `type` is the last segment of the problem's type. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = "Problem";
  }
}

/** The server was not reached at all. */
export class Offline extends Error {
  constructor() {
    super("The server cannot be reached.");
    this.name = "Offline";
  }
}

export const HEADERS: Readonly<Record<string, string>> = { "X-Postroad": "1" };

/** `fetch`, with our header; raises `Problem` and `Offline`. Where a login is needed, the page for it opens. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      ...init,
      credentials: "same-origin",
      headers: { ...HEADERS, ...(init.headers as Record<string, string> | undefined) },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Offline();
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (answer.status === 401) askForLogin();
  throw problem;
}

/** Ask `path` and return its JSON; `body` is sent as JSON. */
export async function api<T = unknown>(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  init: RequestInit = {},
): Promise<T> {
  const answer = await request(path, {
    ...init,
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

async function problemOf(answer: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = await answer.json();
  } catch {
    // no JSON: something in front of the server answered
  }
  const type = String(body.type ?? "").split(/[/:]/).pop() ?? "";
  const text = body.detail ?? body.title ?? `The server answered ${answer.status}.`;
  return new Problem(answer.status, type, String(text), body);
}

function askForLogin(): void {
  if (route.part === "login" || !hasPart("login")) return;
  route.go(`/login?next=${encodeURIComponent(route.path + route.search)}`);
}
