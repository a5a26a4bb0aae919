// The pictures of time: a strip for each room on one scale, and the last minutes
// on a canvas. Values are microseconds; above 0 is late.

import { text } from "./text.js";

const steps = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 200000, 1000000];

// scaleFor is the least of a few round scales that all rooms fit on.
export function scaleFor(rooms) {
  const most = Math.max(0, ...rooms.map((r) => Math.abs(r.us) + r.bound)) * 1.15;
  return steps.find((s) => s >= most) ?? steps.at(-1);
}

const element = (kind, name, words) => {
  const e = document.createElement(kind);
  if (name) e.className = name;
  if (words) e.textContent = words;
  return e;
};

// Strips shows each room as a dot with its error bar.
export class Strips {
  constructor(into) {
    this.into = into;
    this.rows = new Map();
    this.axis = element("div", "axis");
    this.ticks = [-1, -0.5, 0, 0.5, 1].map((at) => {
      const e = element("span");
      e.style.left = `${50 + at * 50}%`;
      this.axis.append(e);
      return { at, e };
    });
  }

  row(id) {
    let r = this.rows.get(id);
    if (!r) {
      r = { row: element("div", "strip"), name: element("span", "name"), track: element("span", "track"), bar: element("span", "bar"), dot: element("span", "dot"), value: element("span", "value") };
      r.track.append(r.bar, r.dot);
      r.row.append(r.name, r.track, r.value);
      r.row.setAttribute("role", "img");
      this.rows.set(id, r);
    }
    return r;
  }

  draw(rooms, scale) {
    const seen = new Set();
    for (const room of rooms) {
      const r = this.row(room.id);
      seen.add(room.id);
      const at = (us) => Math.min(Math.max(50 + (us / scale) * 50, 0), 100);
      r.name.textContent = room.name;
      r.row.classList.toggle("me", room.me);
      r.row.style.setProperty("--hue", room.color);
      r.dot.style.left = `${at(room.us)}%`;
      r.bar.style.left = `${at(room.us - room.bound)}%`;
      r.bar.style.right = `${100 - at(room.us + room.bound)}%`;
      r.value.textContent = `${room.us < -0.05 ? "−" : "+"}${text.scale(room.us)}`;
      r.row.setAttribute("aria-label", text.strip(room.name, room.us, room.bound));
      this.into.append(r.row);
    }
    for (const [id, r] of this.rows) {
      if (seen.has(id)) continue;
      r.row.remove();
      this.rows.delete(id);
    }
    for (const { at, e } of this.ticks) e.textContent = at === 0 ? "0" : `${at < 0 ? "−" : "+"}${text.scale(at * scale)}`;
    if (rooms.length) this.into.append(this.axis);
    else this.axis.remove();
  }
}

const longest = 300; // seconds kept
const shortest = 30; // seconds shown at least

// History draws what each room was off by over the last minutes.
export class History {
  constructor(canvas) {
    this.canvas = canvas;
    this.lines = new Map();
    this.began = undefined;
  }

  // add takes the rooms of one moment in, t in seconds.
  add(rooms, t) {
    this.began ??= t;
    this.now = t;
    for (const r of rooms) {
      const line = this.lines.get(r.id) ?? { points: [] };
      Object.assign(line, { color: r.color, me: r.me });
      line.points.push({ t, us: r.us, bound: r.bound });
      while (line.points[0].t < t - longest) line.points.shift();
      this.lines.set(r.id, line);
    }
    for (const [id, line] of this.lines) {
      if (line.points.at(-1).t < t - longest) this.lines.delete(id);
    }
  }

  span() {
    return Math.min(Math.max(this.now - this.began, shortest), longest);
  }

  // scale fits what is to be seen, not only the present.
  scale() {
    return scaleFor([...this.lines.values()].flatMap((l) => l.points));
  }

  draw() {
    const { canvas } = this;
    const dense = devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (!w || this.now === undefined) return;
    if (canvas.width !== w * dense || canvas.height !== h * dense) [canvas.width, canvas.height] = [w * dense, h * dense];
    const c = canvas.getContext("2d");
    c.setTransform(dense, 0, 0, dense, 0, 0);
    c.clearRect(0, 0, w, h);
    const scale = this.scale();
    const span = this.span();
    const x = (t) => w - ((this.now - t) / span) * w;
    const y = (us) => h / 2 - (us / scale) * (h / 2 - 6);
    this.grid(c, w, h, y, scale);
    const lines = [...this.lines.values()].sort((a, b) => a.me - b.me);
    for (const l of lines) this.band(c, l, x, y);
    for (const l of lines) this.line(c, l, x, y);
  }

  grid(c, w, h, y, scale) {
    const style = getComputedStyle(this.canvas);
    c.font = `11px ${style.fontFamily}`;
    c.textBaseline = "middle";
    for (const part of [-1, -0.5, 0, 0.5, 1]) {
      const at = Math.round(y(part * scale)) + 0.5;
      c.strokeStyle = style.getPropertyValue("--line");
      c.lineWidth = part === 0 ? 1.5 : 1;
      c.setLineDash(part === 0 ? [] : [2, 4]);
      c.beginPath();
      c.moveTo(0, at);
      c.lineTo(w, at);
      c.stroke();
      c.fillStyle = style.getPropertyValue("--faint");
      const word = { "-1": text.early, 1: text.late }[part] ?? "";
      c.fillText(part === 0 ? "0" : `${part < 0 ? "−" : "+"}${text.scale(part * scale)} ${word}`, 4, Math.min(Math.max(at - 8, 7), h - 7));
    }
    c.setLineDash([]);
  }

  band(c, line, x, y) {
    c.fillStyle = line.color;
    c.globalAlpha = 0.1;
    c.beginPath();
    for (const p of line.points) c.lineTo(x(p.t), y(p.us + p.bound));
    for (const p of line.points.toReversed()) c.lineTo(x(p.t), y(p.us - p.bound));
    c.fill();
    c.globalAlpha = 1;
  }

  line(c, line, x, y) {
    c.strokeStyle = line.color;
    c.lineWidth = line.me ? 2.5 : 1.5;
    c.lineJoin = "round";
    c.beginPath();
    line.points.forEach((p, i) => {
      const gap = i > 0 && p.t - line.points[i - 1].t > 5;
      c[i === 0 || gap ? "moveTo" : "lineTo"](x(p.t), y(p.us));
    });
    c.stroke();
  }
}

// cover paints a picture for music that has none, always the same for one name.
export function cover(canvas, name) {
  let seed = 2166136261;
  for (const ch of name) seed = Math.imul(seed ^ ch.codePointAt(0), 16777619) >>> 0;
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const c = canvas.getContext("2d");
  const { width: w, height: h } = canvas;
  const hue = next() * 360;
  const ground = c.createLinearGradient(0, 0, w, h);
  ground.addColorStop(0, `hsl(${hue} 45% 26%)`);
  ground.addColorStop(1, `hsl(${hue + 70} 50% 14%)`);
  c.fillStyle = ground;
  c.fillRect(0, 0, w, h);
  for (let i = 0; i < 5; i++) { // rooms in which the same wave arrives
    const [x, y] = [next() * w, next() * h];
    for (let r = 1; r < 9; r++) {
      c.strokeStyle = `hsl(${hue + i * 28} 80% 72% / ${0.3 - r * 0.03})`;
      c.lineWidth = 2;
      c.beginPath();
      c.arc(x, y, r * w * 0.055, 0, 2 * Math.PI);
      c.stroke();
    }
  }
}
