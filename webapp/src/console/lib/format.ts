// Numbers, times and sizes as operators read them.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", year: "numeric" });

export function count(value: number): string {
  return value >= 100_000 ? short.format(value) : whole.format(value);
}

export function rate(value: number): string {
  return value >= 100 ? whole.format(Math.round(value)) : value.toFixed(1);
}

export function percent(part: number, of: number): string {
  if (!of) return "–";
  const share = (100 * part) / of;
  return share > 0 && share < 0.1 ? "<0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}

/** A duration: 3 ms, 1.2 s, 4 min, 3 h, 2 d. */
export function span(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function size(octets: number): string {
  if (octets < 1000) return `${octets} B`;
  const units = ["kB", "MB", "GB"];
  let value = octets / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Times are seconds since 1970, or as in RFC 3339. */
export type Time = number | string;

function milliseconds(at: Time): number {
  return typeof at === "number" ? at * 1000 : Date.parse(at);
}

/** A moment: the time of today, else the day as well. */
export function moment(at: Time): string {
  const date = new Date(milliseconds(at));
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : dayAndClock.format(date);
}

export function date(at: Time): string {
  return day.format(new Date(milliseconds(at)));
}

/** A moment to the second, for tooltips. */
export function exact(at: Time): string {
  return new Date(milliseconds(at)).toISOString().replace("T", " ").slice(0, 19) + " UTC";
}

/** How long from now, or ago: "in 3 min", "20 s ago". */
export function distance(at: number, now: number): string {
  const seconds = at - now;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `in ${span(Math.max(1, seconds))}` : `${span(Math.max(1, -seconds))} ago`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
