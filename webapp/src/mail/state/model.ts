// What mail is made of, as JMAP tells it (RFC 8621), and how people are shown it.

export interface Address {
  name: string | null;
  email: string;
}

export interface BodyPart {
  partId: string | null;
  blobId: string | null;
  type: string;
  name: string | null;
  size: number;
  disposition: string | null;
  cid: string | null;
}

export type Flags = Record<string, true>;

/** What lists need. */
export interface Email {
  id: string;
  threadId: string;
  mailboxIds: Flags;
  keywords: Flags;
  from: Address[] | null;
  to: Address[] | null;
  subject: string | null;
  preview: string;
  receivedAt: string;
  hasAttachment: boolean;
  size: number;
  detail?: Detail;
}

/** What only an open message needs. */
export interface Detail {
  cc: Address[] | null;
  bcc: Address[] | null;
  replyTo: Address[] | null;
  sentAt: string | null;
  messageId: string[] | null;
  references: string[] | null;
  attachments: BodyPart[];
  textBody: BodyPart[];
  htmlBody: BodyPart[];
  bodyValues: Record<string, { value: string; isTruncated: boolean }>;
}

export const LIST_PROPERTIES = [
  "id",
  "threadId",
  "mailboxIds",
  "keywords",
  "from",
  "to",
  "subject",
  "preview",
  "receivedAt",
  "hasAttachment",
  "size",
] as const;

export const DETAIL_PROPERTIES = [
  "cc",
  "bcc",
  "replyTo",
  "sentAt",
  "messageId",
  "references",
  "attachments",
  "textBody",
  "htmlBody",
  "bodyValues",
] as const;

export const BODY_PROPERTIES = ["partId", "blobId", "type", "name", "size", "disposition", "cid"];

export type Role = "inbox" | "archive" | "drafts" | "junk" | "sent" | "trash";

export interface Mailbox {
  id: string;
  name: string;
  parentId: string | null;
  role: Role | null;
  sortOrder: number;
  totalEmails: number;
  unreadEmails: number;
  totalThreads: number;
  unreadThreads: number;
}

export interface Identity {
  id: string;
  name: string;
  email: string;
  replyTo: Address[] | null;
  bcc: Address[] | null;
  textSignature: string;
  htmlSignature: string;
}

export const SEEN = "$seen";
export const FLAGGED = "$flagged";
export const DRAFT = "$draft";
export const ANSWERED = "$answered";
export const FORWARDED = "$forwarded";

export function nameOf(address: Address | undefined): string {
  if (!address) return "(nobody)";
  return address.name?.trim() || address.email;
}

/** A short name for a crowded line. */
export function shortName(address: Address): string {
  const name = address.name?.trim();
  if (!name) return address.email.split("@")[0] ?? address.email;
  return name.includes(",") ? name : (name.split(/\s+/)[0] ?? name);
}

/** `Ann <ann@example.org>`, as people type it. */
export function written({ name, email }: Address): string {
  if (!name) return email;
  return /[",<>@;:\\()[\]]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}" <${email}>` : `${name} <${email}>`;
}

/** Read what was typed or pasted: addresses, with or without names, between commas, semicolons or lines. */
export function readAddresses(text: string): { found: Address[]; rest: string } {
  const found: Address[] = [];
  const rest: string[] = [];
  for (const piece of text.match(/(?:"(?:\\.|[^"\\])*"|[^,;\n"])+/g) ?? []) {
    const match = /^\s*(?:(.*?)\s*<\s*([^<>\s]+@[^<>\s]+)\s*>|([^<>\s]+@[^<>\s]+))\s*$/.exec(piece);
    if (match) {
      const name = match[1]?.replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1").trim();
      found.push({ name: name || null, email: match[2] ?? match[3] ?? "" });
    } else if (piece.trim()) rest.push(piece.trim());
  }
  return { found, rest: rest.join(", ") };
}

const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const thisYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const earlier = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const medium = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function shortDate(iso: string, now = new Date()): string {
  const date = new Date(iso);
  if (date.toDateString() === now.toDateString()) return today.format(date);
  return date.getFullYear() === now.getFullYear() ? thisYear.format(date) : earlier.format(date);
}

export function wholeDate(iso: string): string {
  return whole.format(new Date(iso));
}

export function mediumDate(iso: string | Date): string {
  return medium.format(new Date(iso));
}

export function sizeText(octets: number): string {
  if (octets < 1000) return `${octets} B`;
  if (octets < 1_000_000) return `${Math.round(octets / 1000)} KB`;
  return `${(octets / 1_000_000).toFixed(1)} MB`;
}

/** A subject without what replies put before it. */
export function bareSubject(subject: string | null): string {
  return (subject ?? "").replace(/^(?:\s*(?:re|aw|sv|fwd?|wg)\s*(?:\[\d+\])?\s*:)+\s*/i, "").trim();
}

export const ROLE_NAMES: Record<Role, string> = {
  inbox: "Inbox",
  archive: "Archive",
  drafts: "Drafts",
  junk: "Junk",
  sent: "Sent",
  trash: "Trash",
};
