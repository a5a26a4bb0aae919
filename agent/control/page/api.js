// The speaker's API: requests, and the events that keep coming.

const place = "tutti-key";
export const key = {
  get: () => sessionStorage.getItem(place) ?? "",
  set: (v) => sessionStorage.setItem(place, v),
};

export class Refused extends Error {}

// call makes one request; Refused means that the key is missing or wrong.
export async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  const r = await fetch(`/api/v1/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (r.status === 401) throw new Refused();
  if (!r.ok) throw new Error((await r.json().catch(() => ({}))).error ?? r.statusText);
  return r;
}

export const fetchJSON = async (path) => (await call("GET", path)).json();

// asksForKey tells whether the house has a key.
export async function asksForKey() {
  return (await (await fetch("/healthz")).json()).asks_for_key;
}

const policyViolation = 1008;

// follow hands every event to take, for ever; lost is told when the connection
// goes, refused when the key is not taken. It returns a function that connects
// anew at once.
export function follow({ take, up, lost, refused, keyed }) {
  let socket;
  let pause = 500;
  let timer;
  const connect = () => {
    clearTimeout(timer);
    if (socket) socket.onclose = null;
    socket?.close();
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/events`);
    socket.onopen = () => {
      if (keyed) socket.send(JSON.stringify({ key: key.get() }));
    };
    socket.onmessage = (m) => {
      pause = 500;
      up();
      take(JSON.parse(m.data));
    };
    socket.onclose = (e) => {
      if (e.code === policyViolation) return refused();
      lost();
      timer = setTimeout(connect, pause);
      pause = Math.min(pause * 2, 5000);
    };
  };
  connect();
  return connect;
}
