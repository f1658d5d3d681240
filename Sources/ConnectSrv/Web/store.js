// What this browser holds for one account: its outbox, its cursors, its messages. Every change is
// one IndexedDB transaction with strict durability: a message and its number, messages and their
// cursor, are there together or not at all.

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

const newDevice = () => `web-${crypto.randomUUID()}`;

export class Store {
  static async open(account) {
    const opening = indexedDB.open(`mailbox-${account}`, 1);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      database.createObjectStore("meta");
      database.createObjectStore("counters");
      database.createObjectStore("cursors");
      database.createObjectStore("outbox", { keyPath: ["receiver", "clientSequence"] });
      const messages = database.createObjectStore("messages", {
        keyPath: "id", autoIncrement: true,
      });
      messages.createIndex("identity", ["peer", "isMine", "device", "clientSequence"]);
    };
    const store = new Store();
    store.database = await asked(opening);
    await store.#change(["meta"], async (meta) => {
      store.device = (await asked(meta.get("device"))) ?? newDevice();
      meta.put(store.device, "device");
    });
    return store;
  }

  async #change(names, body) {
    const transaction = this.database.transaction(names, "readwrite", { durability: "strict" });
    const done = finished(transaction);
    const result = await body(...names.map((name) => transaction.objectStore(name)));
    await done;
    return result;
  }

  #all(name) {
    return asked(this.database.transaction(name).objectStore(name).getAll());
  }

  outbox() { return this.#all("outbox"); }
  messages() { return this.#all("messages"); }

  async cursors() {
    const cursors = this.database.transaction("cursors").objectStore("cursors");
    const [senders, values] = await Promise.all([
      asked(cursors.getAllKeys()), asked(cursors.getAll()),
    ]);
    return new Map(senders.map((sender, index) => [sender, values[index]]));
  }

  // Gives a message its client sequence, in the transaction that saves it.
  enqueue(receiver, text) {
    return this.#change(["counters", "outbox", "messages"], async (counters, outbox, messages) => {
      const clientSequence = ((await asked(counters.get(receiver))) ?? 0) + 1;
      counters.put(clientSequence, receiver);
      outbox.put({ receiver, clientSequence, text });
      const message = {
        peer: receiver, isMine: true, device: this.device, clientSequence, text,
        sequence: 0, at: Date.now(), isStored: false,
      };
      message.id = await asked(messages.add(message));
      return message;
    });
  }

  // The server has a message: it leaves the outbox.
  settle(receiver, clientSequence, sequence) {
    return this.#change(["outbox", "messages"], async (outbox, messages) => {
      outbox.delete([receiver, clientSequence]);
      const key = [receiver, true, this.device, clientSequence];
      const message = await asked(messages.index("identity").get(key));
      if (!message) return null;
      message.isStored = true;
      message.sequence = sequence || message.sequence;
      messages.put(message);
      return message;
    });
  }

  // Stores what comes next after the cursor, and the cursor. Returns what was new and where the
  // cursor stands; `isGap` when something is missing before it.
  receive(sender, epoch, incoming) {
    return this.#change(["cursors", "messages"], async (cursors, messages) => {
      let cursor = (await asked(cursors.get(sender))) ?? { sequence: 0, epoch: "" };
      if (cursor.epoch !== epoch) cursor = { sequence: 0, epoch };
      const applied = [];
      let isGap = false;
      for (const message of incoming) {
        if (message.sequence <= cursor.sequence) continue;
        const isNext = message.sequence === cursor.sequence + 1 || message.isAfterAcknowledged;
        if (!isNext) { isGap = true; break; }
        cursor.sequence = message.sequence;
        const identity = [sender, false, message.device, message.clientSequence];
        const isKnown = message.clientSequence > 0
          && (await asked(messages.index("identity").get(identity)));
        if (isKnown) continue;
        const saved = {
          peer: sender, isMine: false, device: message.device,
          clientSequence: message.clientSequence, text: message.text,
          sequence: message.sequence, at: message.at, isStored: true,
        };
        saved.id = await asked(messages.add(saved));
        applied.push(saved);
      }
      cursors.put(cursor, sender);
      return { applied, cursor, isGap };
    });
  }

  // The server does not know this device's numbering any more (it was restored): what waits is
  // numbered anew, under a new name.
  renew() {
    return this.#change(
      ["meta", "counters", "outbox", "messages"],
      async (meta, counters, outbox, messages) => {
        const waiting = await asked(outbox.getAll());
        const before = this.device;
        const device = newDevice();
        meta.put(device, "device");
        counters.clear();
        outbox.clear();
        const numbers = new Map();
        for (const { receiver, clientSequence, text } of waiting) {
          const number = (numbers.get(receiver) ?? 0) + 1;
          numbers.set(receiver, number);
          counters.put(number, receiver);
          outbox.put({ receiver, clientSequence: number, text });
          const key = [receiver, true, before, clientSequence];
          const message = await asked(messages.index("identity").get(key));
          if (message) messages.put({ ...message, device, clientSequence: number });
        }
        this.device = device;
      });
  }
}
