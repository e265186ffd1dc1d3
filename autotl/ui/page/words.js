// Numbers and times in words, as autotl.report.words says them: tests hold the two together.

import { SHORT_NAMES } from "./names.js"; // written by the server from the table of the reports

export const NOTHING = "—";

/** A score with three decimals, fewer where it is large. */
export function score(value) {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 10) return value.toFixed(2);
  return size >= 0.0005 || value === 0 ? value.toFixed(3) : value.toExponential(1).replace(/e-(\d)$/, "e-0$1");
}

/** A difference of scores with its sign. */
export function gain(value) {
  return (value > 0 ? "+" : "") + score(value);
}

/** An interval, empty where there is none. */
export function interval(low, high) {
  return low === null || high === null ? "" : `${score(low)} to ${score(high)}`;
}

/** A duration: 0.4 s, 38 s, 2 min 58 s, 1 h 4 min. */
export function seconds(value) {
  if (value === null || value === undefined) return NOTHING;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A large count as 4.7 M, bytes as 17.4 MB. */
export function scaled(value, unit = "") {
  if (value === null || value === undefined) return NOTHING;
  const steps = ["", "k", "M", "G", "T"];
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < steps.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step === 0 || Math.abs(value) >= 99.95 ? Math.round(value) : value.toFixed(1)} ${steps[step]}${unit}`.trim();
}

/** A latency. */
export function milliseconds(value) {
  if (value === null || value === undefined) return NOTHING;
  return value < 99.95 ? `${value.toFixed(1)} ms` : `${Math.round(value).toLocaleString("en")} ms`;
}

/** A moment in the time of whoever looks: 2026-03-02 09:14. */
export function moment(text) {
  const date = new Date(text);
  if (!text || Number.isNaN(date.getTime())) return text || NOTHING;
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The hour so many seconds from now. */
export function hourIn(left) {
  return moment(new Date(Date.now() + 1000 * left).toISOString()).slice(11);
}

/** A metric's name as a person writes it. */
export function label(name) {
  return (name || "").split("_").map((part) => SHORT_NAMES[part] || part).join(" ");
}
