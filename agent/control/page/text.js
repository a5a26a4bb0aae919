// Every word that the page shows. For another language, translate this file.

const number = (v, digits = 0) => v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// micro writes microseconds so that a person can compare them.
export const micro = (us) => {
  const v = Math.abs(us);
  if (v < 10) return `${number(v, 1)} µs`;
  if (v < 1000) return `${number(v)} µs`;
  if (v < 1e6) return `${number(v / 1000, v < 1e4 ? 1 : 0)} ms`;
  return `${number(v / 1e6, 1)} s`;
};

// way is how far sound travels meanwhile.
const way = (us) => {
  const mm = Math.abs(us) * 0.343;
  if (mm < 1) return "one millimetre";
  if (mm < 10) return `${number(mm, mm < 3 ? 1 : 0)} mm`;
  if (mm < 1000) return `${number(mm / 10)} cm`;
  return `${number(mm / 1000, 1)} m`;
};

export const text = {
  rename: "Rename this speaker",
  renameWhy: "As it is to appear in the house.",
  keyTitle: "Household key",
  keyWhy: "This house asks for a key before it lets anybody listen in or change something.",
  keyWrong: "That was not it. Try again.",
  ok: "OK",
  cancel: "Cancel",
  nowPlaying: "Now playing",
  volume: "Volume",
  mute: "Mute",
  unmute: "Unmute",
  inTime: "In time",
  health: "How it is",
  channel: "Channel",
  anyChannel: "Whatever plays first",
  fit: "Fit to the room",
  plays: "This speaker plays",
  maps: { stereo: "both sides", left: "the left side", right: "the right side", mono: "both sides mixed" },
  trim: "Play later by",
  earlier: "Earlier by 0.1 ms",
  later: "Later by 0.1 ms",
  trimHint: "For a delay behind this speaker, such as a television's: if it sounds 40 ms late, set −40.",
  rooms: "Other rooms",
  noRooms: "No other speaker is on this network.",
  api: "API",
  metrics: "Metrics",
  version: (v, since) => `Tutti ${v}, on since ${new Date(since).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })}`,
  offline: "This speaker does not answer. Trying again…",
  states: { searching: "Searching", joining: "Joining", playing: "Playing", waiting: "Waiting", "no-output": "No output", muted: "Muted" },
  silence: "Nothing is playing",
  silenceWhy: "Start it anywhere in the house: tutti send music.flac",
  untitled: "Untitled",
  from: (s) => `${s.channel} · from ${s.source} · ${s.codec.toUpperCase()} · ${number(s.latency_ms)} ms`,
  percent: (v) => `${v}`,

  alone: "One room is playing.",
  together: (n, us) => `${n} rooms within ${micro(us)}`,
  meaning: (p, most) => `${p.a} and ${p.b} are furthest apart: ${micro(p.difference_us)}, give or take ${micro(p.bound_us)}. That is as if one of them stood at most ${way(most)} further away.`,
  onlyMe: (us, bound) => `It is ${micro(us)} ${us < 0 ? "early" : "late"}, give or take ${micro(bound)}.`,
  nobody: "No room reports yet.",
  here: "this room",
  strip: (name, us, bound) => `${name}: ${micro(us)} ${us < 0 ? "early" : "late"}, give or take ${micro(bound)}`,
  scale: (us) => micro(us),
  early: "early",
  late: "late",
  span: (s) => `The last ${s < 90 ? `${number(s)} seconds` : `${number(s / 60)} minutes`}; the bands are what each room may be wrong by.`,
  historyLabel: (rooms) => `Offset of each room over the last minutes: ${rooms}`,

  checks: {
    network: "Network",
    loss: "Reception",
    reserve: "Reserve",
    clock: "Clocks",
    output: "Output",
    power: "Board",
    thread: "Priority",
  },
  noStream: "No stream to judge.",
  multicast: (g) => `Multicast arrives (${g}).`,
  ways: { p2p: "Straight from the source, over the internet, encrypted", relay: "By a relay", websocket: "By a relay, through WebSocket because no UDP gets through" },
  away: (p) => `${text.ways[p.mode]}: ${number(p.round_trip_ms)} ms there and back, ${number(p.loss_percent, 1)} % lost on the way (${number(p.repaired + p.recovered)} packets repaired so far), ${number(p.buffer_ms)} ms held in reserve; ${number(p.kbit_per_s)} kbit/s.${p.nat ? ` Between here and the relay: ${p.nat}.` : ""}`,
  parts: {
    gateway: (p) => ` This speaker fetches it for the ${number(p.listeners)} speakers of the house${p.stand_by ? `; ${p.stand_by} takes over should it fail` : ""}.`,
    "stand-by": () => " It comes from outside by another speaker, and this one takes over should that fail.",
    listener: () => " It comes from outside, fetched once by another speaker for the whole house.",
  },
  clockAway: "The source's clock is told from its packets.",
  copy: "Multicast does not get through, so the source sends this speaker its own copy. Turn IGMP snooping or “multicast filtering” off in the router, or use a cable.",
  noLoss: (n) => `Nothing lost of ${number(n)} packets.`,
  lost: (n, share) => `${number(n)} packets (${share}) did not come in time and were made up. Use a cable, move the access point, or send with --latency wifi.`,
  lossGone: (n) => `Clean now; ${number(n)} packets were lost earlier and made up.`,
  foreign: (n) => `${number(n)} damaged or foreign packets were thrown away.`,
  reserve: (ms) => `Packets come ${number(ms, 1)} ms before they are needed.`,
  tight: (ms) => `Packets come only ${number(ms, 1)} ms before they are needed: send with a longer --latency.`,
  clockGood: (us, rt) => `House time known to ± ${micro(us)}, ${micro(rt)} to the source and back.`,
  clockOld: (s) => `No answer about the time for ${number(s)} s; the last rate is kept. Is the source still on?`,
  crystal: (card) => `The card runs ${number(Math.abs(card), 1)} ppm ${card < 0 ? "slow" : "fast"}, which is made up for.`,
  outputGood: (o) => `${o.name}, ${number(o.rate / 1000, 1)} kHz.`,
  outputRan: (o) => `${o.name} has just run dry. Is this host too busy, or is another program using the output?`,
  outputDry: (o) => `${o.name}, ${number(o.rate / 1000, 1)} kHz; it ran dry ${o.xruns === 1 ? "once" : `${number(o.xruns)} times`} so far.`,
  outputGone: (why) => `The output is not there: ${why}. It is opened again as soon as it is back.`,
  powerGood: (board, t) => `${board ? `${board}, ` : ""}${number(t)} °C.`,
  powerWeak: "The power supply is too weak: use the board's own supply and a short, thick cable.",
  powerWasWeak: "The power supply was too weak for a moment since the board was switched on: use its own supply and a short, thick cable.",
  powerHot: (t) => `The processor is slowed down${t ? ` at ${number(t)} °C` : ""}: give the board air or a heat sink.`,
  powerWasHot: (t) => `The processor was slowed down since the board was switched on${t ? `, and has ${number(t)} °C now` : ""}: give the board air or a heat sink.`,
  threadGood: "The audio goes before everything else on this host.",
  threadBad: "The audio has no priority on this host: run it as the systemd service, or see tutti doctor.",
};
