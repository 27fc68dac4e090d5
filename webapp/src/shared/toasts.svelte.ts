// Short news at the foot of the page, with at most one thing to do about it.

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
  /** When it goes by itself, in seconds; 0: when somebody closes it. */
  seconds: number;
}

let next = 1;

class Toasts {
  list = $state<Toast[]>([]);

  show(text: string, given: Partial<Omit<Toast, "id" | "text">> = {}): number {
    const toast: Toast = { id: next++, text, bad: false, seconds: 6, ...given };
    this.list = [...this.list.slice(-2), toast];
    if (toast.seconds) setTimeout(() => this.close(toast.id), toast.seconds * 1000);
    return toast.id;
  }

  /** Tell of an error in words. */
  fail(error: unknown, what = ""): void {
    const text = error instanceof Error ? error.message : String(error);
    this.show(what ? `${what}: ${text}` : text, { bad: true, seconds: 10 });
  }

  close(id: number): void {
    this.list = this.list.filter((each) => each.id !== id);
  }
}

export const toasts = new Toasts();
