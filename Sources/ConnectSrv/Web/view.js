// What the page shows. Texts of messages and names go into text nodes alone, never into markup.

export const element = (id) => document.getElementById(id);

const make = (tag, className, ...content) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...content);
  return node;
};

const hue = (name) => {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 360;
  return sum;
};

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const instant = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1, hour12: false,
});

// A number that lights up when it moves.
export const showNumber = (id, value) => {
  const node = element(id);
  const text = String(value);
  if (node.textContent === text) return;
  node.textContent = text;
  node.classList.remove("moved");
  void node.offsetWidth;
  node.classList.add("moved");
};

export const showPeers = (conversations, current, select) => {
  element("peers").replaceChildren(...[...conversations].map(([peer, { unread, last }]) => {
    const avatar = make("span", "avatar", [...peer][0] ?? "?");
    avatar.style.setProperty("--hue", hue(peer));
    avatar.ariaHidden = "true";
    const text = last ? `${last.isMine ? "You: " : ""}${last.text.slice(0, 60)}` : "no messages";
    const button = make(
      "button", "", avatar, make("span", "peer", peer), make("span", "last", text));
    button.type = "button";
    button.dataset.peer = peer;
    button.setAttribute("aria-current", String(peer === current));
    if (unread) {
      const count = make("span", "unread", String(unread));
      count.setAttribute("aria-label", `${unread} unread`);
      button.append(count);
    }
    button.onclick = () => select(peer);
    return make("li", "", button);
  }));
};

// The state of a message, its mark, and what stands beside it.
const stateOf = (message, { acknowledged, sent }) => {
  if (message.refused) return ["refused", "✕", `refused: ${message.refused}`];
  if (!message.isMine) {
    const way = message.way ?? "fetched";
    return message.sequence <= acknowledged
      ? ["acknowledged", "✓", `sequence ${message.sequence} · ${way} · acknowledged`]
      : ["held", "•", `sequence ${message.sequence} · ${way}`];
  }
  if (message.isStored) {
    return ["accepted", "✓", message.sequence ? `ACK · sequence ${message.sequence}` : "ACK"];
  }
  return message.clientSequence <= sent
    ? ["sent", "↗", `number ${message.clientSequence} · sending`]
    : ["waiting", "◌", `number ${message.clientSequence} · waiting`];
};

const fill = (item, message, progress) => {
  const [state, mark, words] = stateOf(message, progress);
  if (item.dataset.state === state && item.dataset.words === words) return;
  item.dataset.state = state;
  item.dataset.words = words;
  item.dataset.sequence = message.sequence;
  const time = make("time", "", clock.format(message.at));
  time.title = new Date(message.at).toLocaleString();
  item.replaceChildren(
    make("p", "text", message.text),
    make("p", "note", make("span", "mark", mark), make("span", "word", words), time));
};

const isNewDay = (message, before) =>
  new Date(message.at).toDateString() !== (before && new Date(before.at).toDateString());

// The messages of one conversation, the newest `pageSize` of them first.
export class MessageList {
  static pageSize = 200;
  #scroll = element("scroll");
  #list = element("messages");
  #items = new Map();
  #newest = null;
  #isAtEnd = true;

  constructor() {
    this.#scroll.onscroll = () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
      this.#isAtEnd = scrollTop + clientHeight > scrollHeight - 60;
    };
    // A keyboard that comes up, a window that changes: who reads the newest goes on reading it.
    new ResizeObserver(() => this.#stay()).observe(this.#scroll);
  }

  #stay() { if (this.#isAtEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight; }

  clear(empty) {
    this.#list.replaceChildren();
    this.#items.clear();
    this.#newest = null;
    element("earlier").hidden = true;
    element("no-messages").textContent = empty;
    element("no-messages").hidden = false;
  }

  show(messages, progress, empty, from = messages.length - MessageList.pageSize) {
    this.clear(empty);
    for (const message of messages.slice(Math.max(0, from))) this.put(message, progress);
    const earlier = element("earlier");
    earlier.hidden = from <= 0;
    earlier.onclick = () => {
      const below = this.#scroll.scrollHeight - this.#scroll.scrollTop;
      this.show(messages, progress, empty, from - MessageList.pageSize);
      this.#scroll.scrollTop = this.#scroll.scrollHeight - below;
    };
    this.#isAtEnd = true;
    this.#stay();
  }

  put(message, progress) {
    element("no-messages").hidden = true;
    let known = this.#items.get(message.id);
    if (!known) {
      // One that another tab saved may come late, but never between those that are here.
      if (isNewDay(message, this.#newest)) {
        this.#list.append(make("li", "day", day.format(message.at)));
      }
      known = { item: make("li", message.isMine ? "mine" : "theirs") };
      known.item.id = `message-${message.id}`;
      this.#items.set(message.id, known);
      this.#list.append(known.item);
      this.#newest = message;
    }
    known.message = message;
    fill(known.item, message, progress);
    this.#stay();
  }

  // A watermark moved: what is said of the messages may be another thing now.
  refresh(progress) {
    for (const { item, message } of this.#items.values()) fill(item, message, progress);
  }
}

// MARK: The wire

// What is said of a frame: never its text.
export const about = (kind, content) => {
  switch (kind) {
    case "hello": return `as ${content.device}`;
    case "welcome": return `${content.account}, session ${content.session}`;
    case "send": return `to ${content.receiver}, number ${content.clientSequence}`;
    case "accepted":
      return `ACK: sequence ${content.sequence ?? "?"}${content.isDuplicate ? ", duplicate" : ""}`;
    case "getSendStates": return `to ${content.receivers.join(", ")}`;
    case "sendStates":
      return (content.states ?? [])
        .map(({ receiver, lastClientSequence }) => `${receiver}: ${lastClientSequence ?? 0}`)
        .join(", ");
    case "pushed": return `from ${content.sender}, sequence ${content.message.sequence}`;
    case "notice":
      return content.sender ? `${content.sender} has ${content.maxSequence}` : "several senders";
    case "acknowledge": return `${content.sender}, cursor ${content.cursor.sequence}`;
    case "acknowledged":
      return `${content.sender} through ${content.head?.acknowledgedSequence ?? 0}`;
    case "sync":
      return content.cursors
        .map(({ sender, cursor }) => `${sender}: cursor ${cursor.sequence}`).join(", ");
    case "inbox": {
      const count = (content.mailboxes ?? [])
        .reduce((sum, mailbox) => sum + (mailbox.messages ?? []).length, 0);
      return count === 1 ? "1 message" : `${count} messages`;
    }
    case "refused":
      return `${(content.code ?? "").replace("REFUSAL_CODE_", "")}: ${content.message ?? ""}`;
    case "goodbye": return (content.reason ?? "").replace("GOODBYE_REASON_", "");
    default: return "";
  }
};

const classes = {
  pushed: "push", notice: "push", accepted: "ack", acknowledged: "ack", refused: "bad",
  goodbye: "bad",
};

export const showFrame = (direction, kind, words) => {
  showEvent(classes[kind] ?? direction, direction === "in" ? "←" : "→", kind, words);
};

export const showEvent = (className, arrow, kind, text) => {
  const events = element("events");
  const newest = events.firstChild;
  // The same again and again, as while a server is away, is one line.
  if (className === "bad" && newest?.dataset.kind === kind && newest.dataset.about === text) {
    const times = Number(newest.dataset.times ?? 1) + 1;
    newest.dataset.times = times;
    newest.querySelector(".again").textContent = `× ${times}`;
    newest.querySelector("time").textContent = instant.format(Date.now());
    return;
  }
  const item = make(
    "li", className, make("span", "arrow", arrow),
    make(
      "span", "frame", make("span", "kind", kind), make("span", "about", text),
      make("span", "again")),
    make("time", "", instant.format(Date.now())));
  item.dataset.kind = kind;
  item.dataset.about = text;
  events.prepend(item);
  while (events.children.length > 200) events.lastChild.remove();
};
