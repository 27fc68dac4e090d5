// What was seen, kept in the browser's own database so that it can be read without a network. One name per
// account; logging out forgets all of it.

const STORES = ["emails", "lists", "things"] as const;
type Store = (typeof STORES)[number];
const NAME = "postroad-mail";
/** Of the emails that were read last. */
const MOST_EMAILS = 5000;

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const ask = indexedDB.open(NAME, 1);
    ask.onupgradeneeded = () => {
      for (const store of STORES) ask.result.createObjectStore(store);
    };
    ask.onsuccess = () => resolve(ask.result);
    ask.onerror = () => reject(ask.error);
  });
  return opened;
}

/** Keep values by their keys. Where the browser keeps nothing (private windows), nothing is kept. */
export async function keep(store: Store, values: Iterable<readonly [string, unknown]>): Promise<void> {
  try {
    const place = (await database()).transaction(store, "readwrite").objectStore(store);
    for (const [key, value] of values) place.put(value, key);
    if (store === "emails") trim(place);
  } catch {
    // reading goes on without it
  }
}

function trim(place: IDBObjectStore): void {
  const count = place.count();
  count.onsuccess = () => {
    let left = count.result - MOST_EMAILS;
    if (left <= 0) return;
    const walk = place.openCursor();
    walk.onsuccess = () => {
      if (!walk.result || left-- <= 0) return;
      walk.result.delete();
      walk.result.continue();
    };
  };
}

export async function kept<T>(store: Store, key: string): Promise<T | undefined> {
  return (await keptMany<T>(store, [key]))[0];
}

export async function keptMany<T>(store: Store, keys: readonly string[]): Promise<(T | undefined)[]> {
  try {
    const place = (await database()).transaction(store).objectStore(store);
    return await Promise.all(
      keys.map(
        (key) =>
          new Promise<T | undefined>((resolve) => {
            const ask = place.get(key);
            ask.onsuccess = () => resolve(ask.result as T | undefined);
            ask.onerror = () => resolve(undefined);
          }),
      ),
    );
  } catch {
    return keys.map(() => undefined);
  }
}

/** Forget everything that was kept: after a logout, or for another account. */
export async function forget(): Promise<void> {
  const db = await opened?.catch(() => undefined);
  db?.close();
  opened = undefined;
  await new Promise<void>((resolve) => {
    const ask = indexedDB.deleteDatabase(NAME);
    ask.onsuccess = ask.onerror = ask.onblocked = () => resolve();
  });
  for (const name of await caches.keys()) await caches.delete(name);
}
