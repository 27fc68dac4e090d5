// The service worker: what the app is made of is there without a network. `/assets/` never change; the page
// itself, and messages that were read, come from the server where that is reached, else as they were last.

/// <reference lib="webworker" />
export {};
declare const self: ServiceWorkerGlobalScope;

const SHELL = "postroad-shell";
const SEEN = "postroad-seen";
const PAGE = "/mail/";
const MOST_SEEN = 1000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(SHELL)
      .then((cache) => cache.add(PAGE))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(keptOrFetched(event.request));
  else if (event.request.mode === "navigate" && url.pathname.startsWith(PAGE)) {
    event.respondWith(freshOrKept(SHELL, event.request, PAGE));
  } else if (url.pathname.startsWith("/mail-view/") && !url.pathname.startsWith("/mail-view/picture/")) {
    event.respondWith(freshOrKept(SEEN, event.request, url.pathname + url.search));
  }
});

async function keptOrFetched(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

async function freshOrKept(name: string, request: Request, key: string): Promise<Response> {
  const cache = await caches.open(name);
  try {
    const answer = await fetch(request);
    if (answer.ok) {
      await cache.put(key, answer.clone());
      if (name === SEEN) await trim(cache);
    }
    return answer;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    throw error;
  }
}

async function trim(cache: Cache): Promise<void> {
  const keys = await cache.keys();
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST_SEEN))) await cache.delete(key);
}
