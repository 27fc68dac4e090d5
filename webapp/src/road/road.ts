// The road of a message as the server tells it, now and as it goes on; and how safe the way to recipients is.

import { api } from "../shared/api";

export type Level = "own" | "proven" | "partly" | "unproven" | "suspect" | "unknown";
export type Safety =
  | "local"
  | "dane"
  | "verified"
  | "encrypted"
  | "opportunistic"
  | "clear"
  | "unknown"
  | "unreachable";

export interface Proof {
  method: string;
  result: string;
  domain: string;
  words: string;
}

export interface Trust {
  level: Level;
  title: string;
  words: string;
  domain: string;
  proofs: Proof[];
  encrypted: boolean | null;
  link: string;
}

export interface Stage {
  key: string;
  title: string;
  text: string;
  /** Seconds since 1970. */
  at: number | null;
  /** Since the stage before. */
  seconds: number | null;
  state: "done" | "now" | "late" | "next" | "failed";
  lines: string[];
}

export interface Line {
  seconds: number;
  what: string;
  text: string;
}

export interface Attempt {
  at: number;
  seconds: number;
  host: string;
  address: string;
  encrypted: boolean | null;
  tls: string;
  rule: string;
  verified: string;
  reply: string;
  ended: string;
  dialogue?: Line[];
}

export interface Branch {
  recipient: string;
  state: string;
  words: string;
  stages: Stage[];
  attempts: Attempt[];
}

export interface Road {
  id: string;
  kind: "received" | "sent";
  done: boolean;
  trust: Trust;
  stages: Stage[];
  branches: Branch[];
}

export interface Reached {
  address: string;
  safety: Safety;
  words: string;
}

export function roadOf(emailId: string, dialogue = false): Promise<Road> {
  return api<Road>("GET", `/api/v1/me/road/${encodeURIComponent(emailId)}${dialogue ? "?dialogue=1" : ""}`);
}

/** Hear of a road as it goes on, until its end. Returns what stops it. */
export function follow(emailId: string, changed: (road: Road) => void): () => void {
  const source = new EventSource(`/api/v1/me/road/${encodeURIComponent(emailId)}/events`);
  source.addEventListener("road", (event) => {
    const road = JSON.parse(event.data) as Road;
    changed(road);
    // The server ends the stream then, and the browser would ask again.
    if (road.done) source.close();
  });
  return () => source.close();
}

const known = new Map<string, Promise<Reached>>();

/** How safe the way to an address is; asked once for each. */
export function reachOf(address: string): Promise<Reached> {
  const key = address.trim().toLowerCase();
  let found = known.get(key);
  if (!found) {
    found = api<{ recipients: Reached[] }>("POST", "/api/v1/me/reach", { recipients: [key] }).then(
      (answer) => answer.recipients[0] ?? { address: key, safety: "unknown", words: "" },
    );
    known.set(key, found);
    found.then(
      (told) => told.safety === "unknown" && known.delete(key),
      () => known.delete(key),
    );
  }
  return found;
}

/** `2.4 s`, `310 ms`, `3 min`: how long something took. */
export function span(seconds: number): string {
  if (seconds < 0.0005) return "at once";
  if (seconds < 0.995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 99.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

export function timeOf(at: number): string {
  return clock.format(at * 1000);
}

export function wholeTimeOf(at: number): string {
  return `${day.format(at * 1000)}, ${clock.format(at * 1000)}`;
}
