// What is shown: the address of the page says it, `/mail/{mailbox}/{thread}?q={search}`.

import { route } from "../../shared/router.svelte";
import { mail } from "./mail.svelte";
import { ROLE_NAMES } from "./model";
import { filterOf, readSearch } from "./search";

class View {
  /** The drawer with the mailboxes, where there is no room for it. */
  drawer = $state(false);
  dialog = $state<"" | "help" | "settings">("");
  /** The row that keys are for. */
  cursor = $state(0);

  /** A role, the id of a mailbox, `starred`, `scheduled`, or `search`. */
  get box(): string {
    return route.rest[0] ?? "inbox";
  }

  get thread(): string {
    return route.rest[1] ?? "";
  }

  get query(): string {
    return this.box === "search" ? (route.query.get("q") ?? "") : "";
  }

  get title(): string {
    if (this.box === "search") return "Search";
    if (this.box === "starred") return "Starred";
    if (this.box === "scheduled") return "Scheduled";
    const box = mail.boxNamed(this.box);
    return box?.role ? ROLE_NAMES[box.role] : (box?.name ?? "Mail");
  }

  /** Have the list made that the address names. */
  follow(): void {
    const { box, query } = this;
    const starred = { hasKeyword: "$flagged" };
    if (box === "search") {
      const filter = filterOf(readSearch(query), mail.mailboxes);
      mail.show(`search ${query}`, () => mail.newList(`search ${query}`, filter, false));
    } else if (box === "starred") {
      mail.show("starred", () => mail.newList("starred", starred, false));
    } else if (box === "scheduled") {
      const ids = [...mail.pending.keys()];
      const key = `scheduled ${ids.join(" ")}`;
      mail.show(key, () => mail.newList(key, null, false, ids));
    } else {
      const found = mail.boxNamed(box);
      const key = found?.id ?? "";
      const collapse = found?.role !== "drafts" && found?.role !== "sent";
      if (found) mail.show(key, () => mail.newList(key, { inMailbox: key }, collapse));
    }
  }

  go(box: string, thread = "", query = this.query): void {
    const rest = thread ? `/${encodeURIComponent(thread)}` : "";
    const search = box === "search" ? `?q=${encodeURIComponent(query)}` : "";
    // From message to message, Back leads to the list.
    const replace = this.thread !== "" && thread !== "";
    if (box !== this.box || query !== this.query) this.cursor = 0;
    route.go(`/mail/${encodeURIComponent(box)}${rest}${search}`, { replace });
    this.drawer = false;
  }

  open(thread: string): void {
    this.go(this.box, thread);
  }

  close(): void {
    this.go(this.box);
  }

  search(query: string): void {
    if (query.trim()) this.go("search", "", query.trim());
    else this.go("inbox");
  }
}

export const view = new View();
