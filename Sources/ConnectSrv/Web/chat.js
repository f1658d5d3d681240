import { Client } from "/client.js";
import { isDemo } from "/demo.js";
import { Store } from "/store.js";

const element = (id) => document.getElementById(id);
const conversations = new Map();
let current = null;
let client = null;

const make = (tag, text, className) => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
};

const conversation = (peer) => {
  let entry = conversations.get(peer);
  if (!entry) {
    entry = { messages: new Map(), cursor: 0, acked: 0, unread: 0 };
    conversations.set(peer, entry);
    showPeers();
  }
  return entry;
};

const showPeers = () => {
  element("peers").replaceChildren(...[...conversations].map(([peer, { unread }]) => {
    const button = make("button", peer);
    button.type = "button";
    button.setAttribute("aria-current", String(peer === current));
    if (unread) {
      const count = make("span", String(unread), "unread");
      count.setAttribute("aria-label", `${unread} unread`);
      button.append(count);
    }
    button.onclick = () => select(peer);
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
};

const showNumbers = () => {
  const { cursor, acked } = conversations.get(current) ?? {};
  element("numbers").textContent =
    current === null ? "" : `cursor ${cursor ?? 0} · newest ACK ${acked ?? 0}`;
};

const note = (message) => {
  const time = new Date(message.at).toLocaleTimeString();
  if (!message.isMine) return `sequence ${message.sequence} · ${time}`;
  if (!message.isStored) return `number ${message.clientSequence} · waiting · ${time}`;
  const sequence = message.sequence ? `sequence ${message.sequence}` : "stored";
  return `number ${message.clientSequence} · ACK: ${sequence} · ${time}`;
};

const showMessage = (message) => {
  const list = element("messages");
  const isAtEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 40;
  const id = `message-${message.id}`;
  const item = make("li", message.text, message.isMine ? "mine" : "theirs");
  item.id = id;
  item.append(make("small", note(message)));
  const before = document.getElementById(id);
  if (before) before.replaceWith(item);
  else list.append(item);
  if (isAtEnd) list.scrollTop = list.scrollHeight;
};

const select = (peer) => {
  current = peer;
  const entry = conversation(peer);
  entry.unread = 0;
  element("peer-name").textContent = peer;
  element("messages").replaceChildren();
  for (const message of entry.messages.values()) showMessage(message);
  for (const control of element("compose").elements) control.disabled = false;
  showPeers();
  showNumbers();
  element("text").focus();
};

const event = (className, text) => {
  const events = element("events");
  events.prepend(make("li", text, className));
  while (events.children.length > 200) events.lastChild.remove();
};

const summary = (kind, content) => {
  switch (kind) {
    case "hello": return `as ${content.device}`;
    case "send": return `to ${content.receiver}, number ${content.clientSequence}`;
    case "accepted":
      return `sequence ${content.sequence ?? "?"}${content.isDuplicate ? ", duplicate" : ""}`;
    case "pushed": return `from ${content.sender}, sequence ${content.message.sequence}`;
    case "acknowledge": return `${content.sender} through ${content.cursor.sequence}`;
    case "acknowledged":
      return `${content.sender} through ${content.head?.acknowledgedSequence ?? 0}`;
    case "sync": return `${content.cursors.length} cursors`;
    case "inbox":
      return `${(content.mailboxes ?? []).reduce((n, m) => n + (m.messages ?? []).length, 0)} messages`;
    case "refused": return `${content.code}: ${content.message}`;
    case "goodbye": return content.reason ?? "";
    default: return "";
  }
};

const listener = {
  state(state, reason) {
    const words = { on: "connected", connecting: "connecting …", off: "not connected" };
    const status = element("state");
    status.dataset.state = state;
    status.textContent = words[state];
    if (reason) event("bad", reason);
  },
  frame(direction, kind, content) {
    const isBad = kind === "refused" || kind === "goodbye";
    const arrow = direction === "in" ? "←" : "→";
    event(isBad ? "bad" : direction, `${arrow} ${kind} ${summary(kind, content)}`);
  },
  message(message) {
    const entry = conversation(message.peer);
    const isNew = !entry.messages.has(message.id);
    entry.messages.set(message.id, message);
    if (message.isMine) entry.acked = Math.max(entry.acked, message.sequence);
    if (message.peer === current) showMessage(message);
    else if (isNew && !message.isMine) entry.unread += 1;
    if (current === null) select(message.peer);
    showPeers();
    showNumbers();
  },
  cursor(sender, cursor) {
    conversation(sender).cursor = cursor.sequence;
    showNumbers();
  },
  outbox(count) { element("fact-outbox").textContent = String(count); },
  epoch(epoch) { element("fact-epoch").textContent = BigInt(epoch).toString(16).padStart(16, "0"); },
  problem(text) { event("bad", text); },
};

const demoToken = async (name) => {
  const answer = await fetch("/demo/token", {
    method: "POST", headers: { "X-Mailbox-Demo": "1" }, body: name,
  });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  return answer.text();
};

// One tab for each account: two would be one device twice.
const holdAccount = (name) =>
  new Promise((resolve, reject) => {
    if (!navigator.locks) return resolve();
    navigator.locks.request(`mailbox-${name}`, { ifAvailable: true }, (lock) => {
      if (!lock) return reject(new Error(`${name} is open in another tab`));
      resolve();
      return new Promise(() => {});
    }).catch(reject);
  });

const enter = async (name, token) => {
  await holdAccount(name);
  const store = await Store.open(name);
  element("entry").hidden = true;
  element("chat").hidden = false;
  element("who").hidden = false;
  element("who").textContent = name;
  document.title = `${name} – Mailbox`;
  element("fact-device").textContent = store.device;
  for (const message of await store.messages()) {
    const entry = conversation(message.peer);
    entry.messages.set(message.id, message);
    if (message.isMine) entry.acked = Math.max(entry.acked, message.sequence);
  }
  for (const [sender, cursor] of await store.cursors()) listener.cursor(sender, cursor);
  listener.outbox((await store.outbox()).length);
  const first = conversations.keys().next().value;
  if (first !== undefined) select(first);
  else element("peer").focus();
  const source = isDemo ? () => demoToken(name) : async () => token;
  client = new Client(store, source, listener);
  client.start();
};

element("token-row").hidden = isDemo;

element("sign-in").onsubmit = async (submission) => {
  submission.preventDefault();
  const name = element("name").value;
  sessionStorage.setItem("name", name);
  const token = element("token").value;
  if (!isDemo) sessionStorage.setItem("token", token);
  try {
    await enter(name, token);
  } catch (error) {
    element("sign-in-error").textContent = error.message;
  }
};

element("new-peer").onsubmit = (submission) => {
  submission.preventDefault();
  select(element("peer").value);
  element("peer").value = "";
};

const submit = () => {
  const text = element("text").value;
  if (!text.trim() || current === null) return;
  element("text").value = "";
  client.send(current, text);
};

element("compose").onsubmit = (submission) => {
  submission.preventDefault();
  submit();
};

element("text").onkeydown = (key) => {
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  submit();
};

if (innerWidth < 960) element("wire").open = false;

// After a reload, on as before.
const name = sessionStorage.getItem("name");
if (name) {
  element("name").value = name;
  enter(name, sessionStorage.getItem("token") ?? "").catch((error) => {
    element("sign-in-error").textContent = error.message;
  });
}
