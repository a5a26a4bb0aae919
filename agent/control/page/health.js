// What a status means, in plain words, and what to do about it.

import { text } from "./text.js";

const good = (name, words) => ({ name, level: "good", words });
const fair = (name, words) => ({ name, level: "fair", words });
const bad = (name, words) => ({ name, level: "bad", words });

// Counters matter while they grow, and for a while after.
const recently = 30; // seconds
const seen = new Map();
function grew(what, count, now) {
  const last = seen.get(what) ?? { count, at: -Infinity };
  if (count > last.count) last.at = now;
  last.count = count;
  seen.set(what, last);
  return now - last.at < recently;
}

// judge returns the checks to show.
export function judge(s, now) {
  const of = text.checks;
  const all = [];
  if (s.stream) all.push(...stream(s, now, of));
  else all.push(fair(of.network, text.noStream));
  if (!s.output.open) all.push(bad(of.output, text.outputGone(s.problem ?? "")));
  else if (grew("xruns", s.output.xruns, now)) all.push(fair(of.output, text.outputRan(s.output)));
  else if (s.output.xruns > 0) all.push(good(of.output, text.outputDry(s.output)));
  else all.push(good(of.output, text.outputGood(s.output)));
  const board = power(s.hardware, of);
  if (board) all.push(board);
  all.push(s.realtime ? good(of.thread, text.threadGood) : fair(of.thread, text.threadBad));
  return all;
}

// power judges the board's supply and heat; nothing, when it tells nothing.
function power(h, of) {
  if (!h) return undefined;
  if (h.under_voltage) return bad(of.power, text.powerWeak);
  if (h.throttled) return fair(of.power, text.powerHot(h.temperature_c));
  if (h.has_under_voltage) return fair(of.power, text.powerWasWeak);
  if (h.has_throttled) return fair(of.power, text.powerWasHot(h.temperature_c));
  return h.temperature_c ? good(of.power, text.powerGood(h.board, h.temperature_c)) : undefined;
}

function stream(s, now, of) {
  const t = s.timing;
  const all = [network(s, of), loss(s, now, of)];
  if (!t.reported) return all;
  all.push(t.margin_ms < Math.min(2, s.stream.latency_ms / 4) ? fair(of.reserve, text.tight(t.margin_ms)) : good(of.reserve, text.reserve(t.margin_ms)));
  const crystal = text.crystal(t.card_ppm);
  all.push(t.holdover_s > 10 ? fair(of.clock, text.clockOld(t.holdover_s)) : good(of.clock, `${s.path && s.path.mode !== "lan" ? text.clockAway : text.clockGood(t.clock_sigma_us, t.round_trip_us)} ${crystal}`));
  return all;
}

function network(s, of) {
  const p = s.path;
  const part = p && p.part ? text.parts[p.part](p) : "";
  if (p && p.mode !== "lan") return (p.loss_percent > 10 || p.mode === "websocket" ? fair : good)(of.network, text.away(p) + part);
  return s.stream.unicast ? fair(of.network, text.copy + part) : good(of.network, text.multicast(s.stream.group) + part);
}

function loss(s, now, of) {
  const p = s.packets;
  const losing = grew("lost", p.lost, now);
  const strangers = p.damaged + p.foreign > 0 ? ` ${text.foreign(p.damaged + p.foreign)}` : "";
  if (p.lost === 0) return good(of.loss, text.noLoss(p.received) + strangers);
  if (!losing) return good(of.loss, text.lossGone(p.lost) + strangers);
  const share = `${((100 * p.lost) / (p.received + p.lost)).toFixed(2)} %`;
  return (p.lost > 0.02 * p.received ? bad : fair)(of.loss, text.lost(p.lost, share) + strangers);
}
