// Which part of the app is shown. A part is a folder beside this one with a `Part.svelte`; its name is the
// first segment of the path, and its code is loaded when somebody first goes there. Links to a part that
// is not built in are not made: ask `hasPart`.

import type { Component } from "svelte";

type Loader = () => Promise<{ default: Component }>;

const found = import.meta.glob<{ default: Component }>("../*/Part.svelte");
const parts = new Map<string, Loader>(
  Object.entries(found).map(([path, load]) => [path.split("/")[1] ?? "", load]),
);

export function hasPart(name: string): boolean {
  return parts.has(name);
}

export function loadPart(name: string): Promise<{ default: Component }> | undefined {
  return parts.get(name)?.();
}

class Route {
  path = $state(location.pathname);
  search = $state(location.search);

  /** The first segment: which part. */
  get part(): string {
    return this.path.split("/")[1] ?? "";
  }

  /** What follows the part, without slashes at the ends, decoded: `/mail/inbox/e1` → `["inbox", "e1"]`. */
  get rest(): string[] {
    return this.path.split("/").slice(2).filter(Boolean).map(decodeURIComponent);
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.search);
  }

  go(to: string, { replace = false }: { replace?: boolean } = {}): void {
    const url = new URL(to, location.href);
    if (url.pathname === this.path && url.search === this.search) return;
    history[replace ? "replaceState" : "pushState"](null, "", url);
    this.read();
  }

  read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }
}

export const route = new Route();

window.addEventListener("popstate", () => route.read());

// Plain links between parts stay in the page.
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element | null)?.closest?.("a[href]");
  if (!(link instanceof HTMLAnchorElement) || link.target || link.download) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !hasPart(url.pathname.split("/")[1] ?? "")) return;
  event.preventDefault();
  route.go(url.pathname + url.search);
});
