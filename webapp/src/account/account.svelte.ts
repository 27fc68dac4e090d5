// What the page of an account shows, and asking once more who somebody is before he changes it.

import { api, Problem } from "../shared/api";

export interface Me {
  address: string;
  operator: boolean;
  second_factor: boolean;
}

export interface Session {
  id: string;
  opened_at: number;
  used_at: number;
  client: string;
  agent: string;
  current: boolean;
}

export interface Passkey {
  id: string;
  name: string;
  made_at: number;
  used_at: number | null;
}

export interface AppPassword {
  name: string;
  scopes: string[];
  made_at: number | null;
  used_at: number | null;
  password: string;
}

export interface Program {
  id: string;
  name: string;
  scopes: string[];
  granted_at: number;
  used_at: number;
}

export function day(seconds: number | null): string {
  if (seconds === null) return "never";
  return new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** What is done needs a proof of who it is that is not old: `waiting` is done when it was given. */
class Confirming {
  waiting = $state<(() => Promise<void>) | null>(null);

  /** Do it; where the server wants to know again who it is, open the dialogue first. */
  async before(doing: () => Promise<void>): Promise<void> {
    try {
      await doing();
    } catch (error) {
      if (!(error instanceof Problem && error.type === "confirm")) throw error;
      this.waiting = doing;
    }
  }

  async confirm(password: string, code: string): Promise<void> {
    await api("POST", "/api/v1/me/confirm", { password, code });
    const doing = this.waiting;
    this.waiting = null;
    await doing?.();
  }
}

export const confirming = new Confirming();
