// Speaks mailbox.v1.json: keeps a connection, sends the outbox, receives by cursor. What it holds
// is in the store; what it does is told to `listener`, in plain values without tokens.

const encodeText = (text) => {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
};

const decodeText = (base64) => {
  const binary = atob(base64 ?? "");
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
};

const plain = (message, way) => ({
  sequence: message.sequence,
  device: message.device ?? "",
  clientSequence: message.clientSequence ?? 0,
  at: Number(message.timestampMilliseconds ?? Date.now()),
  text: decodeText(message.body),
  way,
});

// What a goodbye means, for people; `isFinal` when connecting again would not help.
const goodbyes = {
  SHUTDOWN: { text: "the server restarts" },
  REPLACED: { text: "this device is connected elsewhere", isFinal: true },
  UNAUTHENTICATED: { text: "the server does not accept the token" },
  PROTOCOL: { text: "the server did not understand this page", isFinal: true },
  OVERLOADED: { text: "the server has too much to do" },
  SLOW: { text: "this page was too slow" },
  IDLE: { text: "the connection was silent" },
  INTERNAL: { text: "the server failed" },
};

class Refusal extends Error {
  constructor(refused) {
    super(refused.message);
    this.code = (refused.code ?? "").replace("REFUSAL_CODE_", "");
    this.refused = refused;
  }
}

export class Client {
  #store; #token; #account; #listener;
  #socket = null;
  #request = 0;
  #pending = new Map();
  #session = "0";
  #epoch = "";
  #device = "";
  #isWelcome = false;
  #canSend = false;
  #window = 64;
  #failures = 0;
  #timer = null;
  #isStopped = false;
  #isConnecting = false;
  // Why the connection ends, when the server said so, and when to come back.
  #goodbye = null;
  #heard = 0;
  #beat = null;
  // The client sequences that are under way on this connection, by receiver.
  #sent = new Map();
  // Changes of the store run one after the other.
  #turn = Promise.resolve();
  #flushing = Promise.resolve();
  #isSyncing = false;
  #needsSync = false;

  // token: () => Promise<string>; account: whose it must be.
  constructor(store, account, token, listener) {
    this.#store = store;
    this.#account = account;
    this.#token = token;
    this.#listener = listener;
    addEventListener("online", () => this.#lookAround());
    addEventListener("offline", () => this.#lookAround());
    addEventListener("pagehide", () => this.#socket?.close(1000));
    addEventListener("pageshow", (event) => { if (event.persisted) this.#lookAround(); });
  }

  // Connects, and stays connected. Again: at once, whatever it waits for.
  start() {
    this.#isStopped = false;
    this.#failures = 0;
    this.#soon(0);
  }

  // Ends the connection, and makes no other until `start`.
  stop(reason = "") {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#drop();
    this.#listener.state("off", reason);
  }

  // Sends what waits in the store, as soon as there is a connection. One flush after the other:
  // sends leave in the order of their numbers.
  flush() {
    this.#flushing = this.#flushing.then(() => this.#flushNow()).catch((error) => {
      this.#listener.problem(error.message);
    });
    return this.#flushing;
  }

  // MARK: The connection

  async #connect() {
    this.#timer = null;
    if (this.#socket || this.#isStopped || this.#isConnecting) return;
    this.#listener.state("connecting");
    this.#isConnecting = true;
    let token;
    try {
      token = await this.#token();
      this.#device = await this.#store.device();
    } catch (error) {
      this.#isConnecting = false;
      return this.#failed(error.message);
    }
    this.#isConnecting = false;
    if (this.#isStopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/connect`, "mailbox.v1.json");
    this.#socket = socket;
    this.#goodbye = null;
    this.#watch(10_000);
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#ask("hello", {
        token, device: this.#device, resumeSession: this.#session, program: "web page",
      }).then((frame) => this.#welcomed(frame.welcome), () => {});
    };
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#received(JSON.parse(event.data));
    };
    socket.onclose = () => { if (this.#socket === socket) this.#closed(); };
  }

  // Ends a connection without waiting for the other side, which may be gone.
  #drop(reason) {
    const socket = this.#socket;
    if (!socket) return;
    this.#closed(reason);
    socket.close(1000);
  }

  #closed(reason) {
    clearInterval(this.#beat);
    const wasWelcome = this.#isWelcome;
    this.#socket = null;
    this.#isWelcome = false;
    this.#canSend = false;
    this.#sent.clear();
    for (const { reject } of this.#pending.values()) reject(new Error("the connection ended"));
    this.#pending.clear();
    this.#listener.unsent();
    const goodbye = this.#goodbye;
    this.#goodbye = null;
    if (this.#isStopped) return;
    if (goodbye?.isFinal) {
      this.#isStopped = true;
      return this.#listener.state("ended", goodbye.text, goodbye.reason);
    }
    const words = goodbye?.text ?? reason
      ?? (wasWelcome ? "the connection was lost" : "the server does not answer");
    this.#failed(words, goodbye?.reconnectAfterMilliseconds ?? 0, goodbye?.reason);
  }

  #failed(words, after = 0, reason = "") {
    this.#failures += 1;
    const bound = Math.min(5_000, 150 * 2 ** Math.min(this.#failures, 8));
    const wait = Math.max(after, Math.random() * bound);
    this.#listener.state("waiting", words, reason);
    if (!this.#isStopped) this.#soon(wait);
  }

  #soon(milliseconds) {
    if (this.#socket || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), milliseconds);
  }

  // The network changed, or the page was asleep: asks for a sign of life, or connects at once.
  #lookAround() {
    if (this.#isStopped) return;
    const socket = this.#socket;
    if (!socket) return this.#soon(0);
    if (!this.#isWelcome) return;
    const asked = performance.now();
    this.#ping();
    setTimeout(() => {
      if (this.#socket === socket && this.#heard < asked) this.#drop("the server does not answer");
    }, 3_000);
  }

  // A connection that says nothing for so long is asked for a sign of life, and given up after as
  // long again.
  #watch(milliseconds) {
    clearInterval(this.#beat);
    this.#heard = performance.now();
    let asked = 0;
    this.#beat = setInterval(() => {
      const now = performance.now();
      if (now - Math.max(this.#heard, asked) < milliseconds) return;
      if (!this.#isWelcome || asked > this.#heard) return this.#drop("the server does not answer");
      asked = now;
      this.#ping();
    }, milliseconds / 4);
  }

  #heartbeat = 15_000;

  #ping() { this.#ask("ping", { nonce: String(this.#request + 1) }).catch(() => {}); }

  #ask(kind, content) {
    const request = ++this.#request;
    const { token, body, ...told } = content;
    this.#listener.frame("out", kind, told);
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        return reject(new Error("the connection ended"));
      }
      this.#pending.set(request, { resolve, reject });
      this.#socket.send(JSON.stringify({ request, [kind]: content }));
    });
  }

  #received(frame) {
    this.#heard = performance.now();
    const kind = Object.keys(frame).find((key) => key !== "request") ?? "";
    this.#listener.frame("in", kind, frame[kind]);
    if (frame.request) {
      const waiting = this.#pending.get(frame.request);
      this.#pending.delete(frame.request);
      if (frame.refused) waiting?.reject(new Refusal(frame.refused));
      else waiting?.resolve(frame);
      return;
    }
    if (frame.pushed) this.#pushed(frame.pushed);
    else if ("notice" in frame) this.#sync();
    else if (frame.goodbye) this.#isEnding(frame.goodbye);
  }

  #isEnding(goodbye) {
    this.#canSend = false;
    const reason = (goodbye.reason ?? "").replace("GOODBYE_REASON_", "");
    const { text, isFinal } = goodbyes[reason] ?? { text: "the server ended the connection" };
    const details = reason === "UNAUTHENTICATED" && goodbye.message ? `: ${goodbye.message}` : "";
    this.#goodbye = { ...goodbye, reason, text: text + details, isFinal };
  }

  async #welcomed(welcome) {
    if (welcome.account !== this.#account) {
      this.#isStopped = true;
      this.#drop();
      return this.#listener.state(
        "ended", `the token is ${welcome.account}'s, not ${this.#account}'s`, "ACCOUNT");
    }
    const socket = this.#socket;
    this.#failures = 0;
    this.#session = welcome.session;
    this.#epoch = welcome.epoch;
    this.#isWelcome = true;
    this.#window = Math.max(1, Math.min(64, (welcome.requestsInFlightMaximum ?? 64) >> 1));
    this.#heartbeat = Math.min(15_000, welcome.heartbeatMilliseconds || 15_000);
    this.#watch(this.#heartbeat);
    this.#listener.state("on");
    this.#listener.welcome({ epoch: welcome.epoch, device: this.#device });
    this.#refreshBefore(Number(welcome.tokenExpiresMilliseconds ?? 0), socket);
    this.#sync();
    this.#resume(socket);
  }

  // Another token at four fifths of this one's time.
  #refreshBefore(expires, socket) {
    if (!expires) return;
    const wait = Math.min(Math.max(1_000, (expires - Date.now()) * 0.8), 2_000_000_000);
    setTimeout(async () => {
      if (this.#socket !== socket || !this.#isWelcome) return;
      try {
        const frame = await this.#ask("refreshToken", { token: await this.#token() });
        const next = Number(frame.welcome.tokenExpiresMilliseconds ?? 0);
        // The same token again has no later expiry: the server will say goodbye.
        if (next > expires) this.#refreshBefore(next, socket);
      } catch { /* The server says goodbye at the expiry; then we connect with a new one. */ }
    }, wait);
  }

  // MARK: Sending

  // Drops from the outbox what the server has, and sends the rest.
  async #resume(socket) {
    try {
      const outbox = await this.#store.outbox();
      const receivers = [...new Set(outbox.map((entry) => entry.receiver))].slice(0, 1_000);
      if (receivers.length) {
        const { sendStates } = await this.#ask("getSendStates", { receivers });
        for (const { receiver, lastClientSequence = 0 } of sendStates.states ?? []) {
          for (const entry of outbox) {
            if (entry.receiver === receiver && entry.clientSequence <= lastClientSequence) {
              await this.#settle(receiver, entry.clientSequence, 0);
            }
          }
        }
      }
      if (this.#socket !== socket) return;
      this.#canSend = true;
      await this.flush();
    } catch {
      // Refused, or ended: again while this connection lasts; the next one begins anew.
      setTimeout(() => { if (this.#socket === socket) this.#resume(socket); }, 1_000);
    }
  }

  async #flushNow() {
    const outbox = await this.#store.outbox();
    this.#listener.outbox(outbox.length);
    for (const { receiver, clientSequence, text } of outbox) {
      if (!this.#isWelcome || !this.#canSend || this.#pending.size >= this.#window) return;
      if (clientSequence <= (this.#sent.get(receiver) ?? 0)) continue;
      this.#sent.set(receiver, clientSequence);
      this.#ask("send", { receiver, clientSequence, body: encodeText(text) }).then(
        async ({ accepted }) => {
          await this.#settle(receiver, clientSequence, accepted.sequence ?? 0);
          this.flush();
        },
        (error) => this.#refused(error, receiver, clientSequence)
      ).catch((error) => this.#listener.problem(error.message));
      this.#listener.sent(receiver, clientSequence);
    }
  }

  async #refused(error, receiver, clientSequence) {
    if (!(error instanceof Refusal)) return;
    switch (error.code) {
      case "PRODUCER_GAP": {
        const waiting = await this.#store.outbox();
        const first = waiting.find((entry) => entry.receiver === receiver)?.clientSequence;
        if (first !== undefined && first > error.refused.expectedClientSequence) {
          return this.#renew();
        }
        break;
      }
      case "PRODUCER_CONFLICT": return this.#renew();
      case "OVERLOADED": case "STORAGE_FULL": case "UNAVAILABLE": case "INTERNAL": break;
      default: {
        // Never: without it, those behind it can go on.
        for (const message of await this.#store.refuse(receiver, clientSequence, error.message)) {
          this.#listener.message(message);
        }
        break;
      }
    }
    // Again from the first that was refused, when the server can.
    const socket = this.#socket;
    setTimeout(() => {
      if (this.#socket !== socket) return;
      this.#sent.delete(receiver);
      this.flush();
    }, error.refused.retryAfterMilliseconds ?? 200);
  }

  async #renew() {
    for (const message of await this.#store.renew()) this.#listener.message(message);
    this.#drop("this device got a new name");
  }

  async #settle(receiver, clientSequence, sequence) {
    const message = await this.#store.settle(receiver, clientSequence, sequence);
    if (message) this.#listener.message(message);
  }

  // MARK: Receiving

  #inTurn(body) {
    this.#turn = this.#turn.then(body, body);
    return this.#turn;
  }

  #pushed({ sender, epoch, message }) {
    this.#inTurn(async () => {
      const result = await this.#store.receive(sender, epoch, [plain(message, "pushed")]);
      this.#applied(sender, result);
      // Not waited for: a sync takes its own turn, behind this one.
      if (result.isGap) this.#sync();
      else await this.#acknowledge(sender, result.cursor);
    }).catch((error) => {
      // Ended: the next connection syncs. Refused: that one tells why, and mends it.
      if (error instanceof Refusal) this.#sync();
    });
  }

  #applied(sender, { applied, cursor }) {
    for (const message of applied) this.#listener.message(message);
    this.#listener.cursor(sender, cursor);
  }

  async #acknowledge(sender, { sequence, epoch, acknowledged = 0 }) {
    if (!sequence || sequence <= acknowledged) return;
    const frame = await this.#ask("acknowledge", { sender, cursor: { sequence, epoch } });
    const known = frame.acknowledged.head?.acknowledgedSequence ?? 0;
    const cursor = await this.#store.acknowledged(sender, known);
    if (cursor) this.#listener.cursor(sender, cursor);
  }

  // Syncs until nothing waits. What is asked for while one runs is done by one more.
  async #sync() {
    this.#needsSync = true;
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    try {
      while (this.#needsSync && this.#isWelcome) {
        this.#needsSync = false;
        await this.#inTurn(() => this.#syncOnce());
      }
    } catch (error) {
      const socket = this.#socket;
      if (error instanceof Refusal) await this.#recover(error);
      else if (socket && this.#isWelcome) this.#listener.problem(error.message);
      setTimeout(() => { if (this.#socket === socket) this.#sync(); }, 1_000);
    } finally {
      this.#isSyncing = false;
    }
  }

  // The server was restored, or lost data: that conversation begins anew.
  async #recover({ code, refused }) {
    if (!refused.peer) return;
    if (["CURSOR_AHEAD", "EPOCH_CHANGED", "TRIMMED"].includes(code)) {
      await this.#store.forget(refused.peer);
    }
  }

  async #syncOnce() {
    const held = await this.#store.cursors();
    const cursors = [...held]
      .filter(([, { sequence, epoch }]) => sequence > 0 && epoch === this.#epoch)
      .slice(0, 1_000)
      .map(([sender, { sequence, epoch }]) => ({ sender, cursor: { sequence, epoch } }));
    const { inbox } = await this.#ask("sync", { cursors });
    for (const mailbox of inbox.mailboxes ?? []) {
      const incoming = (mailbox.messages ?? []).map((message) => plain(message, "fetched"));
      // An answer has no holes: its first message is the next, wherever the cursor stood.
      if (incoming.length) incoming[0].isAfterAcknowledged = true;
      const result = await this.#store.receive(mailbox.sender, mailbox.epoch, incoming);
      this.#applied(mailbox.sender, result);
      await this.#acknowledge(mailbox.sender, result.cursor);
    }
    // The cursors were confirmed by the question.
    for (const { sender, cursor } of cursors) {
      const known = await this.#store.acknowledged(sender, cursor.sequence);
      if (known) this.#listener.cursor(sender, known);
    }
    if (inbox.hasMore) this.#needsSync = true;
  }
}
