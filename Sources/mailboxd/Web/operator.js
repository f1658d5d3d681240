import { BarChart, LineChart } from "/operator/charts.js";
import { fallen, parse, quantile, rate, total } from "/operator/metrics.js";

const element = (id) => document.getElementById(id);

const make = (tag, className, ...content) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...content);
  return node;
};

// MARK: Numbers for people

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const number = (value) => (value >= 100 ? whole : fine).format(value);

const perSecond = (value) => [number(value), "/s"];
const count = (value) => [whole.format(value), ""];

const bytes = (value) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  while (value >= 1_024 && place < units.length - 1) {
    value /= 1_024;
    place += 1;
  }
  return [number(value), units[place]];
};

const time = (seconds) => {
  if (seconds >= 1) return [number(seconds), "s"];
  return seconds >= .001 ? [number(seconds * 1_000), "ms"] : [number(seconds * 1e6), "µs"];
};

const said = ([value, unit]) => (unit.startsWith("/") || !unit ? value + unit : `${value} ${unit}`);

const moment = (milliseconds) =>
  milliseconds ? new Date(milliseconds).toLocaleString() : "–";

const lasting = (seconds) => {
  const parts = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const place = Math.max(0, parts.findIndex(([length]) => seconds >= length));
  return parts.slice(place, place + 2)
    .map(([length, unit], index) => {
      const rest = index ? seconds % parts[place][0] : seconds;
      return `${Math.floor(rest / length)} ${unit}`;
    }).join(" ");
};

// MARK: Figures

const windowSeconds = 10;

// A card with a chart: `read` gives its values, undefined where there are none.
class Figure {
  #value = make("p", "value", "–");
  #detail = make("p", "detail");
  #chart; #form; #last = [];

  constructor(name, title, form, read, detail) {
    this.read = read;
    this.detailOf = detail;
    this.#form = form;
    this.count = form === time ? 2 : 1;
    this.#chart = new LineChart(this.count, (values, ago) => {
      if (values) this.#show(values, `${ago} s ago`);
      else this.#show(...this.#last);
    });
    const card = make(
      "article", "figure", make("h3", "", title), this.#value, this.#detail, this.#chart.node);
    card.dataset.figure = name;
    element("figures").append(card);
  }

  push(now, before, seconds, old) {
    const values = this.read(now, before, seconds, old);
    this.#chart.push(values);
    this.#last = [values, this.detailOf?.(now, old) ?? ""];
    this.#show(...this.#last);
  }

  #show(values, detail) {
    const [first, second] = values;
    this.#detail.textContent = detail;
    if (first === undefined) return this.#value.replaceChildren("–");
    const [text, unit] = this.#form(first);
    this.#value.replaceChildren(text, " ", make("small", "", unit));
    if (second === undefined) return;
    this.#value.append(" ", make("small", "p99", `p99 ${said(this.#form(second))}`));
  }
}

// Messages a sync, over the last minute.
class GroupSizes {
  static bars = 17;
  #value = make("p", "value", "–");
  #detail = make("p", "detail");
  #chart = new BarChart(GroupSizes.bars);

  constructor() {
    const scale = make("p", "scale", "1", make("span", "", "256"), make("span", "", "65 536"));
    const card = make(
      "article", "figure", make("h3", "", "Messages a group"), this.#value,
      this.#detail, this.#chart.node, scale);
    card.dataset.figure = "groups";
    element("figures").append(card);
  }

  push(now, before, seconds, old, oldest) {
    const parts = fallen(now, oldest, "mailbox_store_group_messages");
    const counts = parts.map(([, here]) => here);
    this.#chart.show(counts.slice(0, GroupSizes.bars));
    const groups = counts.reduce((sum, here) => sum + here, 0);
    const sum = (total(now, "mailbox_store_group_messages_sum") ?? 0)
      - (total(oldest, "mailbox_store_group_messages_sum") ?? 0);
    this.#value.replaceChildren(
      groups ? number(sum / groups) : "–", " ", make("small", "", "on average"));
    this.#detail.textContent = `${whole.format(groups)} groups in a minute`;
  }
}

const rateOf = (name) => (now, before, seconds) => [rate(now, before, name, seconds)];
const valueOf = (name) => (now) => [total(now, name)];
const timesOf = (name) => (now, before, seconds, old) => {
  const parts = fallen(now, old, name);
  return [quantile(.5, parts), quantile(.99, parts)];
};
const inAll = (name, words, form = count) => (now) => {
  const value = total(now, name);
  return value === undefined ? "" : `${said(form(value))} ${words}`;
};
const overTheLast = () => `median, last ${windowSeconds} s`;

const figures = () => [
  new Figure(
    "appends", "Appends", perSecond, rateOf("mailbox_store_appended_messages_total"),
    inAll("mailbox_store_appended_messages_total", "messages in all")),
  new Figure(
    "fetches", "Fetches", perSecond, rateOf("mailbox_store_fetch_seconds_count"),
    inAll("mailbox_store_fetched_messages_total", "messages in all")),
  new Figure(
    "pushes", "Pushes", perSecond, rateOf("mailbox_connect_pushes_total"),
    inAll("mailbox_connect_pushes_total", "in all")),
  new Figure(
    "connections", "Connections", count, valueOf("mailbox_connect_connections"),
    inAll("mailbox_connect_sessions", "devices welcomed")),
  new Figure(
    "ack", "Arrival to ACK", time, timesOf("mailbox_connect_ack_seconds"), overTheLast),
  new Figure("fetch", "Fetch", time, timesOf("mailbox_store_fetch_seconds"), overTheLast),
  new Figure(
    "sync", "Journal sync", time, timesOf("mailbox_store_journal_sync_seconds"), overTheLast),
  new GroupSizes(),
  new Figure(
    "journal", "Journal", bytes, valueOf("mailbox_store_journal_used_bytes"),
    inAll("mailbox_store_journal_allotted_bytes", "on disk", bytes)),
  new Figure(
    "tail", "Tail", bytes, valueOf("mailbox_store_tail_bytes"),
    inAll("mailbox_store_checkpoints_total", "checkpoints in all")),
  new Figure(
    "data", "Data files", bytes, valueOf("mailbox_store_data_used_bytes"),
    inAll("mailbox_store_data_free_bytes", "free within", bytes)),
  new Figure(
    "memory", "Memory", bytes, valueOf("process_resident_memory_bytes"),
    inAll("process_open_fds", "open files and sockets")),
];

// Looks at the metrics, once a second.
class Watch {
  #looks = [];
  #figures = figures();
  #about;

  constructor(about) { this.#about = about; }

  async run() {
    for (;;) {
      const next = new Promise((resolve) => setTimeout(resolve, 1_000));
      if (!document.hidden) await this.#look();
      await next;
    }
  }

  async #look() {
    let now;
    try {
      const answer = await fetch("/metrics", { signal: AbortSignal.timeout(5_000) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      now = { at: performance.now(), values: parse(await answer.text()) };
    } catch {
      // What comes next cannot be compared with what was.
      this.#looks = [];
      return showState("off", "the daemon does not answer");
    }
    const began = total(now.values, "process_start_time_seconds");
    if (this.#looks.length && this.#looks[0].began !== began) this.#looks = [];
    this.#looks.push({ ...now, began });
    if (this.#looks.length > 61) this.#looks.shift();
    const isTaking = total(now.values, "mailbox_store_taking_appends");
    if (isTaking === 0) showState("off", "the store takes no appends");
    else showState("on", "live");
    element("about").textContent =
      `${this.#about} · up ${lasting(Date.now() / 1_000 - (began ?? 0))}`;
    if (this.#looks.length < 2) return;
    const [oldest] = this.#looks;
    const before = this.#looks.at(-2);
    const old = this.#looks.at(-1 - windowSeconds) ?? oldest;
    for (const figure of this.#figures) {
      figure.push(
        now.values, before.values, (now.at - before.at) / 1_000, old.values, oldest.values);
    }
  }
}

const showState = (state, text) => {
  element("state").dataset.state = state;
  element("state").textContent = text;
};

// MARK: Asking

const ask = async (path, query = {}) => {
  const words = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== undefined));
  const token = sessionStorage.getItem("operator-token");
  let answer;
  try {
    answer = await fetch(`/operator/${path}?${words}`.replaceAll("+", "%20"), {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
  } catch {
    throw new Error("The daemon does not answer.");
  }
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  const error = new Error(content.error ?? `The daemon answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
};

// Pages of a list: `load(after)` shows one, and answers what the next one comes after.
class Pages {
  #node; #load; #next; #number = 0;

  constructor(node, load) {
    this.#node = node;
    this.#load = load;
    node.querySelector("[data-go=first]").onclick = () => this.first();
    node.querySelector("[data-go=next]").onclick = () => this.#go(this.#next, this.#number + 1);
  }

  first() { return this.#go(undefined, 1); }

  async #go(after, number) {
    const next = await this.#load(after);
    if (next === undefined) return;
    this.#number = number;
    this.#next = next;
    this.#node.querySelector("[data-go=first]").disabled = number === 1;
    this.#node.querySelector("[data-go=next]").disabled = next === null;
    this.#node.querySelector("span").textContent = `page ${number}`;
    this.#node.hidden = number === 1 && next === null;
  }
}

const row = (...cells) => make(
  "tr", "", ...cells.map(([content, className]) => make("td", className ?? "", content)));

let receiver = "";
let sender = "";
let showsBodies = false;

const mailboxes = new Pages(element("mailboxes-pager"), async (after) => {
  element("inbox-error").textContent = "";
  try {
    const inbox = await ask("inbox", { receiver, after, limit: 20 });
    const rows = inbox.mailboxes.map((mailbox) => {
      const open = make("button", "", mailbox.sender);
      const line = row(
        [open], [whole.format(mailbox.max)], [whole.format(mailbox.acknowledged)],
        [whole.format(mailbox.waiting), mailbox.waiting ? "waiting" : "quiet"],
        [whole.format(mailbox.stored)], [said(bytes(mailbox.bodyBytes))],
        [moment(mailbox.newestMilliseconds), "quiet"]);
      line.dataset.sender = mailbox.sender;
      open.onclick = () => {
        for (const other of line.parentNode.children) other.ariaCurrent = String(other === line);
        openMailbox(mailbox.sender);
      };
      return line;
    });
    document.querySelector("#mailboxes tbody").replaceChildren(...rows);
    document.querySelector("#inbox .table").hidden = rows.length === 0;
    element("inbox-empty").hidden = rows.length > 0;
    element("inbox-empty").textContent = `Nobody wrote to ${receiver}.`;
    return inbox.next ?? null;
  } catch (error) {
    element("inbox-error").textContent = error.message;
    return undefined;
  }
});

const messages = new Pages(element("messages-pager"), async (after) => {
  element("mailbox-error").textContent = "";
  try {
    const page = await ask("messages", { sender, receiver, after, limit: 20 });
    const rows = page.messages.map((message) => row(
      [whole.format(message.sequence)], [moment(message.milliseconds), "quiet"],
      [message.device ?? "–", "quiet"], [message.clientSequence ?? "–", "quiet"],
      [whole.format(message.bytes)],
      showsBodies ? [message.text ?? "no text", message.text === undefined ? "text quiet" : "text"]
        : ["not shown", "text quiet"]));
    if (!rows.length) rows.push(row(["No message is stored here any more.", "quiet"]));
    document.querySelector("#messages tbody").replaceChildren(...rows);
    return page.next ?? null;
  } catch (error) {
    element("mailbox-error").textContent = error.message;
    return undefined;
  }
});

const openMailbox = (name) => {
  sender = name;
  element("mailbox").hidden = false;
  element("mailbox-title").textContent = `${sender} → ${receiver}`;
  messages.first();
};

element("look").onsubmit = (submission) => {
  submission.preventDefault();
  receiver = element("receiver").value.trim();
  element("mailbox").hidden = true;
  mailboxes.first();
};

// MARK: The beginning

const open = async () => {
  const about = await ask("about");
  showsBodies = about.bodies;
  element("bodies").textContent = showsBodies
    ? "Texts are shown: operator.bodies is true." : "Texts are not shown: operator.bodies is false.";
  element("entry").hidden = true;
  element("page").hidden = false;
  new Watch(`mailboxd ${about.version} · epoch ${about.epoch}`).run();
};

const begin = async () => {
  try {
    await open();
  } catch (error) {
    const isRefused = error.status === 401;
    showState(isRefused ? "waiting" : "off", isRefused ? "not signed in" : error.message);
    element("entry").hidden = !isRefused;
    const isAnswer = sessionStorage.getItem("operator-token") !== null;
    element("sign-in-error").textContent = isRefused && isAnswer ? "This is not the token." : "";
    sessionStorage.removeItem("operator-token");
    if (!isRefused) setTimeout(begin, 2_000);
  }
};

element("sign-in").onsubmit = (submission) => {
  submission.preventDefault();
  sessionStorage.setItem("operator-token", element("token").value.trim());
  element("token").value = "";
  begin();
};

begin();
