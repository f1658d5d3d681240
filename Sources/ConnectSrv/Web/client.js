// Speaks mailbox.v1.json: keeps a connection, sends the outbox, receives by cursor. What it holds
// is in the store; what it does is told to `listener`.

const encodeText = (text) => {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
};

const decodeText = (base64) => {
  const binary = atob(base64 ?? "");
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
};

const plain = (message) => ({
  sequence: message.sequence,
  device: message.device ?? "",
  clientSequence: message.clientSequence ?? 0,
  at: Number(message.timestampMilliseconds ?? Date.now()),
  text: decodeText(message.body),
});

class Refusal extends Error {
  constructor(refused) {
    super(refused.message);
    this.code = (refused.code ?? "").replace("REFUSAL_CODE_", "");
    this.refused = refused;
  }
}

export class Client {
  #store; #token; #listener;
  #socket = null;
  #request = 0;
  #pending = new Map();
  #session = "0";
  #epoch = "";
  #isWelcome = false;
  #failures = 0;
  #timer = null;
  #isStopped = false;
  // The client sequences that are under way on this connection, by receiver.
  #sent = new Map();
  // Changes of the store run one after the other.
  #turn = Promise.resolve();
  #isSyncing = false;
  #needsSync = false;

  // token: () => Promise<string>.
  constructor(store, token, listener) {
    this.#store = store;
    this.#token = token;
    this.#listener = listener;
    addEventListener("online", () => this.#soon(0));
    addEventListener("pagehide", () => this.#socket?.close(1000));
  }

  start() { this.#connect(); }

  // Saves a message, then sends it as soon as there is a connection.
  async send(receiver, text) {
    const message = await this.#store.enqueue(receiver, text);
    this.#listener.message(message);
    this.#flush();
  }

  async #connect() {
    this.#timer = null;
    if (this.#socket || this.#isStopped) return;
    this.#listener.state("connecting");
    let token;
    try {
      token = await this.#token();
    } catch (error) {
      return this.#failed(error.message);
    }
    if (this.#socket || this.#isStopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/connect`, "mailbox.v1.json");
    this.#socket = socket;
    socket.onopen = () => this.#ask("hello", {
      token, device: this.#store.device, resumeSession: this.#session, program: "web page",
    }).then((frame) => this.#welcomed(frame.welcome), () => {});
    socket.onmessage = (event) => this.#received(JSON.parse(event.data));
    socket.onclose = (event) => { if (this.#socket === socket) this.#closed(event.code); };
  }

  #closed(code) {
    this.#socket = null;
    this.#isWelcome = false;
    this.#canSend = false;
    this.#sent.clear();
    for (const { reject } of this.#pending.values()) reject(new Error("the connection ended"));
    this.#pending.clear();
    if (!this.#isStopped) this.#failed(`closed (${code})`);
  }

  #failed(reason) {
    this.#failures += 1;
    const bound = Math.min(10_000, 200 * 2 ** Math.min(this.#failures, 8));
    this.#listener.state("off", reason);
    this.#soon(Math.max(this.#after ?? 0, Math.random() * bound));
    this.#after = 0;
  }

  #after = 0;

  #soon(milliseconds) {
    if (this.#socket || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), milliseconds);
  }

  #ask(kind, content) {
    const request = ++this.#request;
    const frame = { request, [kind]: content };
    this.#listener.frame("out", kind, content);
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { resolve, reject });
      this.#socket.send(JSON.stringify(frame));
    });
  }

  #received(frame) {
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
    else if (frame.goodbye) this.#goodbye(frame.goodbye);
  }

  #goodbye(goodbye) {
    this.#isWelcome = false;
    this.#after = goodbye.reconnectAfterMilliseconds ?? 0;
    if (goodbye.reason === "GOODBYE_REASON_REPLACED") {
      this.#isStopped = true;
      this.#listener.state("off", "this device is connected elsewhere");
    }
  }

  async #welcomed(welcome) {
    this.#failures = 0;
    this.#session = welcome.session;
    this.#epoch = welcome.epoch;
    this.#isWelcome = true;
    this.#listener.state("on");
    this.#listener.epoch(welcome.epoch);
    this.#refreshBefore(Number(welcome.tokenExpiresMilliseconds ?? 0), this.#socket);
    this.#sync();
    try {
      await this.#resume();
    } catch { /* The connection ended, or will be asked again with the next. */ }
  }

  // Another token at four fifths of this one's time.
  #refreshBefore(expires, socket) {
    if (!expires) return;
    const wait = Math.min(Math.max(1_000, (expires - Date.now()) * 0.8), 2_000_000_000);
    setTimeout(async () => {
      if (this.#socket !== socket || !this.#isWelcome) return;
      try {
        const frame = await this.#ask("refreshToken", { token: await this.#token() });
        this.#refreshBefore(Number(frame.welcome.tokenExpiresMilliseconds ?? 0), socket);
      } catch { /* The server says goodbye at the expiry; then we connect with a new one. */ }
    }, wait);
  }

  // Drops from the outbox what the server has, and sends the rest.
  async #resume() {
    const outbox = await this.#store.outbox();
    const receivers = [...new Set(outbox.map((entry) => entry.receiver))];
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
    this.#canSend = true;
    await this.#flush();
  }

  #canSend = false;
  #flushing = Promise.resolve();

  // One flush after the other: sends leave in the order of their numbers.
  #flush() {
    this.#flushing = this.#flushing.then(() => this.#flushNow(), () => this.#flushNow());
    return this.#flushing;
  }

  async #flushNow() {
    const outbox = await this.#store.outbox();
    this.#listener.outbox(outbox.length);
    if (!this.#isWelcome || !this.#canSend) return;
    for (const { receiver, clientSequence, text } of outbox) {
      if (this.#pending.size >= 64) return;
      const sent = this.#sent.get(receiver) ?? 0;
      if (clientSequence <= sent) continue;
      this.#sent.set(receiver, clientSequence);
      this.#ask("send", { receiver, clientSequence, body: encodeText(text) }).then(
        async ({ accepted }) => {
          await this.#settle(receiver, clientSequence, accepted.sequence ?? 0);
          this.#flush();
        },
        (error) => this.#refused(error, receiver, clientSequence));
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
      case "OVERLOADED": case "STORAGE_FULL": case "UNAVAILABLE": break;
      default:
        this.#listener.problem(`${receiver} ${clientSequence}: ${error.message}`);
        return;
    }
    // Again from the first that was refused, when the server can.
    const socket = this.#socket;
    setTimeout(() => {
      if (this.#socket !== socket) return;
      this.#sent.delete(receiver);
      this.#flush();
    }, error.refused.retryAfterMilliseconds ?? 200);
  }

  async #renew() {
    await this.#store.renew();
    this.#socket?.close(1000);
  }

  async #settle(receiver, clientSequence, sequence) {
    const message = await this.#store.settle(receiver, clientSequence, sequence);
    if (message) this.#listener.message(message);
    this.#listener.outbox((await this.#store.outbox()).length);
  }

  #inTurn(body) {
    this.#turn = this.#turn.then(body, body);
    return this.#turn;
  }

  #pushed({ sender, epoch, message }) {
    this.#inTurn(async () => {
      const result = await this.#store.receive(sender, epoch, [plain(message)]);
      this.#applied(sender, result);
      if (result.isGap) return this.#sync();
      await this.#ask("acknowledge", { sender, cursor: result.cursor });
    }).catch(() => {});
  }

  #applied(sender, { applied, cursor }) {
    for (const message of applied) this.#listener.message(message);
    this.#listener.cursor(sender, cursor);
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
      if (error instanceof Refusal && this.#isWelcome) setTimeout(() => this.#sync(), 1_000);
    } finally {
      this.#isSyncing = false;
    }
  }

  async #syncOnce() {
    const held = await this.#store.cursors();
    const cursors = [...held]
      .filter(([, cursor]) => cursor.epoch === this.#epoch)
      .map(([sender, cursor]) => ({ sender, cursor }));
    const { inbox } = await this.#ask("sync", { cursors });
    for (const mailbox of inbox.mailboxes ?? []) {
      const incoming = (mailbox.messages ?? []).map(plain);
      // An answer has no holes: its first message is the next, wherever the cursor stood.
      if (incoming.length) incoming[0].isAfterAcknowledged = true;
      const result = await this.#store.receive(mailbox.sender, mailbox.epoch, incoming);
      this.#applied(mailbox.sender, result);
      if (result.cursor.sequence) {
        await this.#ask("acknowledge", { sender: mailbox.sender, cursor: result.cursor });
      }
    }
    if (inbox.hasMore) this.#needsSync = true;
  }
}
