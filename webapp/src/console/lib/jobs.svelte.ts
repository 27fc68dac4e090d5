// Work on many deliveries: one request, whose answer is a line for each step. To close it is to stop the
// work, so a job goes on while this page is open, wherever in the console one is meanwhile.

import { HEADERS, request } from "../../shared/api";
import { toasts } from "../../shared/toasts.svelte";
import { BASE } from "./loaded.svelte";

export type Action = "retry" | "hold" | "release" | "drop";

export interface Wanted {
  action: Action;
  keys?: string[];
  filter?: { states: string[]; destination: string; sender: string; recipient: string };
}

const DONE: Record<Action, string> = {
  retry: "made due now",
  hold: "held",
  release: "released",
  drop: "dropped",
};

export class Job {
  total = $state(0);
  done = $state(0);
  changed = $state(0);
  state = $state<"running" | "finished" | "stopped" | "failed">("running");
  #abort = new AbortController();

  constructor(readonly wanted: Wanted) {}

  get words(): string {
    return `${this.changed} ${this.changed === 1 ? "delivery" : "deliveries"} ${DONE[this.wanted.action]}`;
  }

  stop(): void {
    this.#abort.abort();
  }

  async run(): Promise<void> {
    try {
      const answer = await request(`${BASE}/queue/jobs`, {
        method: "POST",
        body: JSON.stringify(this.wanted),
        headers: { ...HEADERS, "Content-Type": "application/json" },
        signal: this.#abort.signal,
      });
      if (!answer.body) throw new Error("The server said nothing.");
      await this.#read(answer.body);
      if (this.state === "running") throw new Error("The work broke off.");
    } catch (error) {
      if (this.#abort.signal.aborted) {
        this.state = "stopped";
      } else {
        this.state = "failed";
        toasts.fail(error);
      }
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream() as never).getReader() as ReadableStreamDefaultReader<string>;
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  #take(line: { total: number; done: number; changed: number; finished: boolean; error?: string }): void {
    if (line.error) throw new Error(line.error);
    this.total = line.total;
    this.done = line.done;
    this.changed = line.changed;
    if (line.finished) this.state = "finished";
  }
}

class Jobs {
  list = $state.raw<Job[]>([]);

  /** Begin; resolves when it is over, however. */
  async start(wanted: Wanted): Promise<Job> {
    const job = new Job(wanted);
    this.list = [...this.list, job];
    await job.run();
    return job;
  }

  close(job: Job): void {
    this.list = this.list.filter((each) => each !== job);
  }
}

export const jobs = new Jobs();
