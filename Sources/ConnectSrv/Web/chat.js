import { Client } from "/client.js";
import { isDemo } from "/demo.js";
import { Store } from "/store.js";
import { Tabs } from "/tabs.js";
import {
  MessageList, about, element, showEvent, showFrame, showNumber, showPeers,
} from "/view.js";

const conversations = new Map();
const list = new MessageList();
let current = null;
let account = null;
let store = null;
let tabs = null;
let token = "";
// In the one tab that speaks to the server.
let client = null;

const conversation = (peer) => {
  let entry = conversations.get(peer);
  if (!entry) {
    entry = {
      messages: new Map(), cursor: 0, acknowledged: 0, sequence: 0, sent: 0, number: 0, accepted: 0,
      unread: 0, last: null,
    };
    conversations.set(peer, entry);
  }
  return entry;
};

const refreshPeers = () => showPeers(conversations, current, select);

const refreshNumbers = () => {
  element("numbers").hidden = current === null;
  if (current === null) return;
  const entry = conversation(current);
  let waiting = 0;
  for (const message of entry.messages.values()) {
    if (message.isMine && !message.isStored && !message.refused) waiting += 1;
  }
  showNumber("sent-number", entry.number);
  showNumber("sent-waiting", waiting);
  showNumber("sent-ack", entry.accepted);
  showNumber("got-sequence", entry.sequence);
  showNumber("got-cursor", entry.cursor);
  showNumber("got-acknowledged", entry.acknowledged);
};

const keep = (message) => {
  const entry = conversation(message.peer);
  const isNew = !entry.messages.has(message.id);
  entry.messages.set(message.id, message);
  if (isNew || entry.last?.id === message.id) entry.last = message;
  if (message.isMine) {
    entry.accepted = Math.max(entry.accepted, message.sequence);
    entry.number = Math.max(entry.number, message.clientSequence);
  } else {
    entry.sequence = Math.max(entry.sequence, message.sequence);
  }
  return { entry, isNew };
};

const select = (peer) => {
  current = peer;
  const entry = conversation(peer);
  entry.unread = 0;
  element("peer-name").textContent = peer;
  const empty = `Nothing between you and ${peer} yet. Your first message gets sequence 1.`;
  list.show([...entry.messages.values()], entry, empty);
  for (const control of element("compose").elements) control.disabled = false;
  refreshPeers();
  refreshNumbers();
  element("text").focus();
};

// MARK: What happens, in this tab or in the one that speaks to the server

const stateWords = {
  on: "connected", connecting: "connecting …", waiting: "connecting again …",
  off: "disconnected", ended: "not connected",
};

const heard = {
  state(state, reason, code) {
    element("state").dataset.state = state;
    element("state-text").textContent =
      reason ? `${stateWords[state]} (${reason})` : stateWords[state];
    element("state").title = element("state-text").textContent;
    const isOff = state === "off" || state === "ended";
    element("switch").textContent = isOff ? "Connect" : "Disconnect";
    if (reason) showEvent("bad", "!", "state", reason);
    if (state === "on" && element("renewal").open) element("renewal").close();
    const needsToken = code === "ACCOUNT" || (code === "UNAUTHENTICATED" && !isDemo);
    if (!needsToken) return;
    // The same again would not help.
    if (state !== "off") client?.stop(reason);
    element("renewal-reason").textContent =
      `${reason[0].toUpperCase()}${reason.slice(1)}.`;
    if (!element("renewal").open) element("renewal").showModal();
  },
  frame: showFrame,
  welcome({ epoch, device }) {
    element("fact-device").textContent = device;
    element("fact-epoch").textContent = BigInt(epoch).toString(16).padStart(16, "0");
  },
  message(message) {
    const { entry, isNew } = keep(message);
    if (message.peer === current) list.put(message, entry);
    else if (isNew && !message.isMine) entry.unread += 1;
    if (current === null) select(message.peer);
    refreshPeers();
    refreshNumbers();
  },
  sent(receiver, clientSequence) {
    const entry = conversation(receiver);
    entry.sent = Math.max(entry.sent, clientSequence);
    if (receiver === current) list.refresh(entry);
  },
  unsent() {
    for (const entry of conversations.values()) entry.sent = 0;
    if (current !== null) list.refresh(conversation(current));
  },
  cursor(sender, { sequence, acknowledged = 0 }) {
    const entry = conversation(sender);
    Object.assign(entry, { cursor: sequence, acknowledged });
    if (sender === current) list.refresh(entry);
    refreshNumbers();
  },
  outbox(count) { element("fact-outbox").textContent = String(count); },
  problem(text) { showEvent("bad", "!", "problem", text); },

  // From other tabs to the one that speaks.
  flush() { client?.flush(); },
  connect(newToken) {
    if (newToken) token = newToken;
    client?.start();
  },
  disconnect() { client?.stop(); },
  who() {
    if (!client) return;
    for (const [kind, values] of said) tabs.ask(kind, ...values);
  },
};

// What a tab that comes later has to know.
const said = new Map();

const listener = new Proxy({}, {
  get: (_, kind) => (...values) => {
    if (["state", "welcome", "outbox"].includes(kind)) said.set(kind, values);
    if (kind === "frame") values[2] = about(values[1], values[2] ?? {});
    tabs.tell(kind, ...values);
  },
});

// MARK: Signing in

const demoToken = async () => {
  let answer;
  try {
    answer = await fetch("/demo/token", {
      method: "POST", headers: { "X-Mailbox-Demo": "1" }, body: account,
    });
  } catch {
    throw new Error("the server does not answer");
  }
  if (!answer.ok) throw new Error(`the server gives no token: ${answer.status}`);
  return answer.text();
};

// Whose token it is. The server alone says whether it is valid.
const subject = (text) => {
  try {
    const part = text.trim().split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof sub === "string" && sub) return sub;
  } catch { /* Said below. */ }
  throw new Error("This is no token: a token has three parts, with full stops between.");
};

const checkAddress = (text) => {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes < 1 || bytes > 64) throw new Error("A name has 1 to 64 bytes.");
  if (/\p{Cc}/u.test(text)) throw new Error("A name has no control characters.");
};

const speak = () => {
  element("fact-tab").textContent = "this one speaks to the server";
  client = new Client(
    store, account, isDemo ? demoToken : async () => token, listener);
  client.start();
};

const showChat = () => {
  element("entry").hidden = true;
  element("chat").hidden = false;
  for (const id of ["who", "state", "switch", "leave"]) element(id).hidden = false;
  element("who").textContent = account;
  document.title = `${account} – Mailbox`;
};

const enter = async (name, givenToken) => {
  checkAddress(name);
  account = name;
  token = givenToken;
  store = await Store.open(account);
  showChat();
  element("fact-device").textContent = await store.device();
  for (const message of await store.messages()) keep(message);
  for (const [sender, cursor] of await store.cursors()) heard.cursor(sender, cursor);
  heard.outbox((await store.outbox()).length);
  tabs = new Tabs(account, (kind, ...values) => heard[kind]?.(...values));
  const first = sessionStorage.getItem("peer") ?? conversations.keys().next().value;
  if (first !== undefined) select(first);
  else element("peer").focus();
  refreshPeers();
  if (await tabs.lead(account, speak)) {
    element("fact-tab").textContent = "another one speaks to the server";
    tabs.ask("who");
  }
};

const showSignInError = (error) => {
  element("sign-in-error").textContent = error.message;
  account = null;
};

const signIn = (name, givenToken) => {
  sessionStorage.setItem("name", name);
  sessionStorage.setItem("token", givenToken);
  enter(name, givenToken).catch(showSignInError);
};

element("sign-in").onsubmit = (submission) => {
  submission.preventDefault();
  element("sign-in-error").textContent = "";
  try {
    const givenToken = isDemo ? "" : element("token").value.trim();
    const name = isDemo ? element("name").value.trim() : subject(givenToken);
    checkAddress(name);
    signIn(name, givenToken);
  } catch (error) {
    showSignInError(error);
  }
};

for (const choice of document.querySelectorAll(".choice")) {
  choice.onclick = () => {
    element("name").value = choice.textContent;
    element("sign-in").requestSubmit();
  };
}

element("renew").onsubmit = (submission) => {
  submission.preventDefault();
  try {
    const newToken = element("new-token").value.trim();
    const owner = subject(newToken);
    if (owner !== account) throw new Error(`This token is ${owner}'s, not ${account}'s.`);
    token = newToken;
    sessionStorage.setItem("token", token);
    element("new-token").value = "";
    element("renewal").close();
    tabs.tell("connect", token);
  } catch (error) {
    element("renewal-reason").textContent = error.message;
  }
};

// MARK: Writing

element("switch").onclick = () => {
  const isOff = ["off", "ended"].includes(element("state").dataset.state);
  tabs.tell(isOff ? "connect" : "disconnect");
};

// Another account in this tab. What this one holds stays in the browser.
element("leave").onclick = () => {
  sessionStorage.clear();
  location.reload();
};

element("new-peer").onsubmit = (submission) => {
  submission.preventDefault();
  const peer = element("peer").value.trim();
  try {
    checkAddress(peer);
    element("peer").value = "";
    element("peer-error").textContent = "";
    sessionStorage.setItem("peer", peer);
    select(peer);
  } catch (error) {
    element("peer-error").textContent = error.message;
  }
};

const submit = async () => {
  const text = element("text").value;
  if (!text.trim() || current === null) return;
  element("text").value = "";
  try {
    tabs.tell("message", await store.enqueue(current, text));
    tabs.tell("flush");
  } catch (error) {
    // Not saved: not sent. It stays where it was written.
    element("text").value = text;
    heard.problem(`The message is not saved: ${error.message}`);
  }
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

// MARK: The beginning

element("token-row").hidden = isDemo;
element("name-row").hidden = !isDemo;
element("entry-hint").textContent = isDemo
  ? "This server gives a token to every name. Open the page in a second window with another name, "
    + "and write to each other."
  : "Your account is the one that your token names.";
if (innerWidth < 1056) element("wire").open = false;
navigator.serviceWorker?.register("/worker.js").catch(() => {});

// A link may name who signs in (#name=anna, or #token=…), and to whom (&to=bert). What it says is
// kept for this tab, and taken out of the address.
const link = new URLSearchParams(location.hash.slice(1));
if (link.size) {
  history.replaceState(null, "", location.pathname);
  if (link.has("to")) sessionStorage.setItem("peer", link.get("to"));
  if (link.has("token")) {
    sessionStorage.setItem("token", link.get("token"));
    try {
      sessionStorage.setItem("name", subject(link.get("token")));
    } catch (error) {
      sessionStorage.removeItem("token");
      showSignInError(error);
    }
  } else if (link.has("name")) {
    sessionStorage.setItem("name", link.get("name"));
  }
}

// After a reload, on as before.
const name = sessionStorage.getItem("name");
if (name && (isDemo || sessionStorage.getItem("token"))) {
  element("name").value = name;
  signIn(name, sessionStorage.getItem("token") ?? "");
}
