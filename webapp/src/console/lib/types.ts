// What `/api/v1/console` answers, as far as the pages read it. Times are seconds since 1970, in what is
// shared with the API texts (RFC 3339).

export type Window = "hour" | "day" | "week" | "month" | "year";

export interface Part {
  name: string;
  accepted: number;
  delivered: number;
  deferred: number;
  bounced: number;
  unknown: number;
}

export interface Chart {
  window: Window;
  since: number;
  until: number;
  step_seconds: number;
  at: number[];
  accepted: number[];
  delivered: number[];
  deferred: number[];
  bounced: number[];
  unknown: number[];
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
  total: Part;
  latency: { p50: number | null; p95: number | null; p99: number | null };
  streams: Part[];
  destinations: Part[];
}

export interface Overview {
  at: number;
  processes: number;
  rates: Record<string, number>;
  deliveries: Record<string, number>;
  in_memory: number;
  destinations: {
    provider: string;
    pool: string;
    waiting: number;
    active: number;
    limit: number;
    trouble: string;
  }[];
  slowest: { id: string; seconds: number; where: string }[];
  failures: { at: number; id: string; what: string; where: string; reply: string }[];
  blocked: string[];
}

export interface Stream {
  name: string;
  kind: string;
  keeps_list: boolean;
  settings: Record<string, unknown>;
}

export interface QueueRow {
  key: string;
  id: string;
  state: string;
  due_at: number;
  accepted_at: number;
  attempts: number;
  stream: string;
  sender: string;
  recipient: string;
  destination: string;
  size: number;
  last: string;
  category: string | null;
  held: string;
}

export interface QueuePage {
  counts: Record<string, number>;
  fitting: number;
  deliveries: QueueRow[];
  next: string | null;
}

export interface WhyLine {
  ordinal: number;
  recipient: string;
  state: string;
  why: string;
}

export interface MessageRow {
  id: string;
  message_id: string;
  sender: string;
  recipients: string[];
  stream: string;
  server: string;
  size: number;
  accepted_at: number;
}

export interface Journey {
  id: string;
  message_id: string;
  sender: string;
  accepted_at: number;
  size: number;
  stream: string;
  origin: { server: string; client?: string; account?: string; protocol?: string; tls?: string | null };
  deliveries: {
    ordinal: number;
    recipient: string;
    destination: string;
    state: string;
    attempts: number;
    due_at?: number;
    category?: string | null;
  }[];
  journey: { at: number; seconds: number; what: string; text: string }[];
}

export interface DnsRecord {
  name: string;
  type: string;
  data: string;
  line: string;
}

export interface Finding {
  topic: string;
  level: "ok" | "warning" | "problem";
  text: string;
  why: string;
  records: DnsRecord[];
}

export interface DomainRow {
  name: string;
  catch_all: string;
  subaddress: string;
  accounts: number;
  aliases: number;
  keys: number;
}

export interface SigningKey {
  selector: string;
  algorithm: string;
  state: string;
  made_at: number;
}

export interface ApiKey {
  name: string;
  scopes: string[];
  domains: string[];
  created_at: number;
}

export interface Webhook {
  name: string;
  url: string;
  events: string[];
  streams: string[];
  domains: string[];
  created_at: string;
  old_secret_until: string | null;
  waiting: number;
  dead: number;
}

export interface DeadLetter {
  event: string;
  type: string;
  dead_at: string;
  tries: number;
  failure: string;
  body: string;
}

export interface Suppression {
  address: string;
  stream: string;
  reason: string;
  evidence: string;
  since: string;
}

export interface TemplateRow {
  name: string;
  version: number;
  live: boolean;
  saved_at: string;
  by: string;
}

export interface Template extends TemplateRow {
  subject: string;
  html: string;
  mjml: string;
  text: string;
  layout: string;
  sample: Record<string, unknown> | null;
}

export interface Day {
  day: string;
  good: number;
  bad: number;
}

export interface Reports {
  account: string;
  dmarc: Day[];
  tls: Day[];
  sources: {
    address: string;
    domain: string;
    messages: number;
    passed: number;
    spf: number;
    dkim: number;
    done: Record<string, number>;
  }[];
  failures: { domain: string; result: string; host: string; sessions: number }[];
  reports: {
    key: string;
    kind: string;
    sender: string;
    domain: string;
    begin: number | null;
    good: number;
    bad: number;
    problem: string;
  }[];
}
