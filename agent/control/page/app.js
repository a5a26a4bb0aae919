// The page of one speaker.

import { asksForKey, call, fetchJSON, follow, key, Refused } from "./api.js";
import { judge } from "./health.js";
import { cover, History, scaleFor, Strips } from "./plot.js";
import { text } from "./text.js";

const at = (id) => document.getElementById(id);
const colors = ["#ffb454", "#5ad1c4", "#b79bff", "#ff8a8a", "#7fc4ff", "#b8d96b", "#f29be0", "#d9b38c"];

const strips = new Strips(at("strips"));
const history = new History(at("history"));
let status;
let shownArt;
let nearby = { sources: [], speakers: [] };
let touched = 0; // until when the person, not the speaker, moves the slider

// words fills in the text of the page.
function words() {
  for (const e of document.querySelectorAll("[data-text]")) e.textContent = text[e.dataset.text];
  for (const e of document.querySelectorAll("[data-label]")) {
    e.setAttribute("aria-label", text[e.dataset.label]);
    if (e.tagName === "BUTTON") e.title = text[e.dataset.label];
  }
  for (const [value, words] of Object.entries(text.maps)) at("map").append(new Option(words, value));
}

const say = (id, words) => {
  if (at(id).textContent !== words) at(id).textContent = words;
};

const banner = (id, words) => {
  at(id).hidden = !words;
  say(id, words ?? "");
};

// change asks the speaker for something and shows what became of it.
async function change(method, path, body) {
  try {
    show(await (await call(method, path, body)).json());
  } catch (e) {
    if (e instanceof Refused) return unlock();
    banner("problem", e.message);
  }
}

// ask opens the dialog and returns what was typed, or undefined.
function ask(title, why, value, secret) {
  const dialog = at("ask");
  say("asking", title);
  say("why", why);
  at("answer").type = secret ? "password" : "text";
  at("answer").value = value;
  at("answer").setAttribute("aria-label", title);
  dialog.returnValue = "";
  dialog.showModal();
  at("answer").select();
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue === "ok" ? at("answer").value.trim() : undefined), { once: true });
  });
}

let unlocking;
// unlock asks for the key until one fits.
function unlock() {
  unlocking ??= (async () => {
    for (let why = text.keyWhy; ; why = text.keyWrong) {
      const given = await ask(text.keyTitle, why, "", true);
      if (given === undefined) continue;
      key.set(given);
      const ok = await fetchJSON("status").then(() => true, () => false);
      if (ok) break;
    }
    unlocking = undefined;
    reconnect();
    around();
  })();
  return unlocking;
}

let room; // of the title
function show(s) {
  const moved = s.channel !== status?.channel || s.id !== status?.id;
  status = s;
  if (moved) showNearby();
  if (room !== s.name) document.title = `${s.name} · Tutti`;
  room = s.name;
  say("room", s.name);
  say("state", text.states[s.state === "playing" && s.muted ? "muted" : s.state] ?? s.state);
  at("state").dataset.state = s.state;
  banner("problem", s.problem && `${s.reason ? `${s.reason}: ` : ""}${s.problem}`);
  document.body.classList.toggle("idle", !s.stream);
  showMusic(s);
  showKnobs(s);
  showChecks(judge(s, performance.now() / 1000));
  say("version", text.version(s.version, s.since));
  if (s.stream === undefined) strips.draw([], 1);
}

function showMusic(s) {
  const d = s.stream;
  say("title", d ? d.title || text.untitled : text.silence);
  say("artist", d ? [d.artist, d.album].filter(Boolean).join(" — ") : s.reason ?? "");
  say("source", d ? text.from(d) : text.silenceWhy);
  const art = JSON.stringify(d ? [d.title, d.artist, d.channel, d.artwork] : []);
  if (art === shownArt) return;
  shownArt = art;
  cover(at("cover"), d ? `${d.artist}${d.title}${d.channel}` : s.name);
  showPicture(d?.artwork);
}

async function showPicture(there) {
  const [picture, backdrop] = [at("picture"), at("backdrop")];
  const wanted = shownArt;
  let url = "";
  if (there) url = await call("GET", "artwork").then((r) => r.blob()).then((b) => URL.createObjectURL(b), () => "");
  if (wanted !== shownArt) return URL.revokeObjectURL(url);
  if (picture.src) URL.revokeObjectURL(picture.src);
  for (const e of [picture, backdrop]) {
    e.hidden = !url;
    if (url) e.src = url;
    else e.removeAttribute("src");
  }
}

function showKnobs(s) {
  if (Date.now() > touched) {
    at("volume").value = s.volume;
    showVolume(s.volume);
  }
  at("mute").setAttribute("aria-pressed", s.muted);
  at("mute").setAttribute("aria-label", s.muted ? text.unmute : text.mute);
  document.body.classList.toggle("muted", s.muted);
  if (document.activeElement !== at("trim")) at("trim").value = s.trim_ms;
  const map = at("map");
  if (![...map.options].some((o) => o.value === s.channel_map)) map.append(new Option(s.channel_map, s.channel_map));
  if (document.activeElement !== map) map.value = s.channel_map;
}

function showVolume(v) {
  say("percent", text.percent(v));
  at("volume").style.setProperty("--part", `${v}%`);
}

function showChecks(checks) {
  const list = at("checks");
  while (list.children.length > checks.length) list.lastChild.remove();
  checks.forEach((c, i) => {
    let row = list.children[i];
    if (!row) {
      row = document.createElement("li");
      row.append(document.createElement("b"), document.createElement("span"));
      list.append(row);
    }
    row.className = c.level;
    if (row.firstChild.textContent !== c.name) row.firstChild.textContent = c.name;
    if (row.lastChild.textContent !== c.words) row.lastChild.textContent = c.words;
  });
}

const hues = new Map(); // a room keeps its colour
function colorOf(id) {
  if (!hues.has(id)) hues.set(id, colors[hues.size % colors.length]);
  return hues.get(id);
}

function showSync(v) {
  const rooms = v.listeners.filter((l) => l.playing && l.has_report).map((l) => (
    { id: l.id, name: l.name, us: l.deviation_us, bound: l.bound_us, me: l.id === status?.id, color: colorOf(l.id) }));
  strips.draw(rooms, scaleFor(rooms));
  history.add(rooms, performance.now() / 1000);
  history.draw();
  at("history").setAttribute("aria-label", text.historyLabel(rooms.map((r) => r.name).join(", ")));
  say("span", text.span(history.span()));
  if (v.worst) {
    const most = Math.max(...[...v.pairs, v.worst].map((p) => Math.abs(p.difference_us) + p.bound_us)); // what can be promised
    say("verdict", text.together(rooms.length, most));
    say("meaning", text.meaning(v.worst, most));
  } else {
    say("verdict", rooms.length ? text.alone : text.nobody);
    say("meaning", rooms.length ? text.onlyMe(rooms[0].us, rooms[0].bound) : "");
  }
}

function take(event) {
  if (event.type === "status") show(event.status);
  if (event.type === "sync") showSync(event.sync);
}

// around shows what else is on the network.
async function around() {
  try {
    const [sources, speakers] = await Promise.all([fetchJSON("sources"), fetchJSON("speakers")]);
    nearby = { sources, speakers };
    showNearby();
  } catch { /* the events say that the speaker is away, or ask for the key */ }
}

function showNearby() {
  showSources(nearby.sources);
  showSpeakers(nearby.speakers);
}

function showSources(sources) {
  const channels = [...new Set(sources.map((s) => s.channel))];
  if (status?.channel && !channels.includes(status.channel)) channels.push(status.channel);
  const rows = ["", ...channels].map((channel) => {
    const from = sources.filter((s) => s.channel === channel).map((s) => `${s.name} · ${s.codec.toUpperCase()} · ${s.latency_ms} ms`).join(", ");
    const b = document.createElement("button");
    b.setAttribute("role", "radio");
    b.setAttribute("aria-checked", channel === (status?.channel ?? ""));
    b.append(Object.assign(document.createElement("b"), { textContent: channel || text.anyChannel }), Object.assign(document.createElement("span"), { textContent: from }));
    b.onclick = () => change("POST", "join", { channel });
    return b;
  });
  replace(at("sources"), rows);
}

function showSpeakers(speakers) {
  const rows = speakers.filter((p) => p.id !== status?.id).map((p) => {
    const a = Object.assign(document.createElement("a"), { href: `http://${p.address.replace("%", "%25")}/`, textContent: p.name });
    const li = document.createElement("li");
    li.append(a, Object.assign(document.createElement("span"), { textContent: p.channel || text.anyChannel }));
    return li;
  });
  if (!rows.length) rows.push(Object.assign(document.createElement("li"), { textContent: text.noRooms, className: "hint" }));
  replace(at("speakers"), rows);
}

// replace puts rows in only when they differ, so that the focus stays.
function replace(into, rows) {
  const html = (list) => [...list].map((e) => e.outerHTML).join("");
  if (html(into.children) !== html(rows)) into.replaceChildren(...rows);
}

let sending;
function volumeMoved() {
  touched = Date.now() + 1500;
  showVolume(at("volume").value);
  sending ??= setTimeout(() => {
    sending = undefined;
    change("PUT", "volume", { percent: Number(at("volume").value) });
  }, 80);
}

function listen() {
  at("volume").addEventListener("input", volumeMoved);
  at("mute").onclick = () => change("PUT", "mute", { muted: !status?.muted });
  at("map").onchange = () => change("PUT", "map", { channel_map: at("map").value });
  const trim = () => change("PUT", "trim", { ms: Number(at("trim").value) });
  at("trim").onchange = trim;
  for (const [id, by] of [["earlier", -0.1], ["later", 0.1]]) {
    at(id).onclick = () => {
      at("trim").value = (Number(at("trim").value) + by).toFixed(1);
      trim();
    };
  }
  at("rename").onclick = async () => {
    const name = await ask(text.rename, text.renameWhy, status?.name ?? "", false);
    if (name) change("PUT", "name", { name });
  };
  addEventListener("resize", () => history.draw());
}

let reconnect;
async function start() {
  words();
  listen();
  const keyed = await asksForKey().catch(() => false);
  if (keyed && !key.get()) {
    reconnect = () => {};
    await unlock();
  }
  reconnect = follow({ take, keyed, up: () => banner("offline"), lost: () => banner("offline", text.offline), refused: unlock });
  around();
  setInterval(() => document.hidden || around(), 4000);
}

start();
