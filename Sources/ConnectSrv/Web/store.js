// What this browser holds for one account: its outbox, its cursors, its messages. Every change is
// one IndexedDB transaction with strict durability: a message and its number, messages and their
// cursor, are there together or not at all. Several tabs may share it.

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("the change was given up"));
  });

// crypto.randomUUID is for secure contexts alone; a page over plain HTTP has none.
const newDevice = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
};

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
      messages.createIndex("identity", ["peer", "side", "device", "clientSequence"]);
    };
    const store = new Store();
    store.database = await asked(opening);
    await store.#change(["meta"], async (meta) => {
      const device = (await asked(meta.get("device"))) ?? newDevice();
      meta.put(device, "device");
    });
    return store;
  }

  async #change(names, body) {
    const transaction = this.database.transaction(names, "readwrite", { durability: "strict" });
    const done = finished(transaction);
    done.catch(() => {});
    try {
      const result = await body(...names.map((name) => transaction.objectStore(name)));
      await done;
      return result;
    } catch (error) {
      try { transaction.abort(); } catch { /* It has ended already. */ }
      throw error;
    }
  }

  #all(name) {
    return asked(this.database.transaction(name).objectStore(name).getAll());
  }

  outbox() { return this.#all("outbox"); }
  messages() { return this.#all("messages"); }

  // How this browser numbers what it sends for the account. Another tab may have renewed it.
  device() {
    return asked(this.database.transaction("meta").objectStore("meta").get("device"));
  }

  // By sender: sequence and epoch, and through where the server knows it.
  async cursors() {
    const cursors = this.database.transaction("cursors").objectStore("cursors");
    const [senders, values] = await Promise.all([
      asked(cursors.getAllKeys()), asked(cursors.getAll()),
    ]);
    return new Map(senders.map((sender, index) => [sender, values[index]]));
  }

  // Gives a message its client sequence, in the transaction that saves it.
  enqueue(receiver, text) {
    return this.#change(
      ["meta", "counters", "outbox", "messages"],
      async (meta, counters, outbox, messages) => {
        const device = await asked(meta.get("device"));
        const clientSequence = ((await asked(counters.get(receiver))) ?? 0) + 1;
        counters.put(clientSequence, receiver);
        outbox.put({ receiver, clientSequence, text });
        const message = {
          peer: receiver, side: "mine", isMine: true, device, clientSequence, text,
          sequence: 0, at: Date.now(), isStored: false,
        };
        message.id = await asked(messages.add(message));
        return message;
      });
  }

  // The server has a message: it leaves the outbox.
  settle(receiver, clientSequence, sequence) {
    return this.#change(["meta", "outbox", "messages"], async (meta, outbox, messages) => {
      outbox.delete([receiver, clientSequence]);
      const key = [receiver, "mine", await asked(meta.get("device")), clientSequence];
      const message = await asked(messages.index("identity").get(key));
      if (!message) return null;
      message.isStored = true;
      message.sequence = sequence || message.sequence;
      messages.put(message);
      return message;
    });
  }

  // The server never takes this message: it is set aside, and those behind it move up by one, for
  // no number may be missing. Returns the messages that changed.
  refuse(receiver, clientSequence, reason) {
    return this.#change(
      ["meta", "counters", "outbox", "messages"],
      async (meta, counters, outbox, messages) => {
        const device = await asked(meta.get("device"));
        const identity = messages.index("identity");
        const find = (number) => asked(identity.get([receiver, "mine", device, number]));
        const waiting = (await asked(outbox.getAll()))
          .filter((entry) => entry.receiver === receiver && entry.clientSequence >= clientSequence);
        if (waiting[0]?.clientSequence !== clientSequence) return [];
        const changed = [];
        const save = (message, changes) => {
          if (!message) return;
          Object.assign(message, changes);
          messages.put(message);
          changed.push(message);
        };
        save(await find(clientSequence), { clientSequence: 0, refused: reason });
        outbox.delete([receiver, clientSequence]);
        for (const entry of waiting.slice(1)) {
          save(await find(entry.clientSequence), { clientSequence: entry.clientSequence - 1 });
          outbox.delete([receiver, entry.clientSequence]);
          outbox.put({ ...entry, clientSequence: entry.clientSequence - 1 });
        }
        counters.put((await asked(counters.get(receiver))) - 1, receiver);
        return changed;
      });
  }

  // Stores what comes next after the cursor, and the cursor. Returns what was new and where the
  // cursor stands; `isGap` when something is missing before it.
  receive(sender, epoch, incoming) {
    return this.#change(["cursors", "messages"], async (cursors, messages) => {
      let cursor = (await asked(cursors.get(sender))) ?? { sequence: 0, epoch: "" };
      if (cursor.epoch !== epoch) cursor = { sequence: 0, epoch, acknowledged: 0 };
      const applied = [];
      let isGap = false;
      for (const message of incoming) {
        if (message.sequence <= cursor.sequence) continue;
        const isNext = message.sequence === cursor.sequence + 1 || message.isAfterAcknowledged;
        if (!isNext) { isGap = true; break; }
        cursor.sequence = message.sequence;
        const identity = [sender, "theirs", message.device, message.clientSequence];
        const isKnown = message.clientSequence > 0
          && (await asked(messages.index("identity").get(identity)));
        if (isKnown) continue;
        const saved = {
          peer: sender, side: "theirs", isMine: false, device: message.device,
          clientSequence: message.clientSequence, text: message.text,
          sequence: message.sequence, at: message.at, isStored: true, way: message.way,
        };
        saved.id = await asked(messages.add(saved));
        applied.push(saved);
      }
      cursors.put(cursor, sender);
      return { applied, cursor, isGap };
    });
  }

  // The server knows that everything through a sequence is held.
  acknowledged(sender, sequence) {
    return this.#change(["cursors"], async (cursors) => {
      const cursor = await asked(cursors.get(sender));
      if (!cursor || (cursor.acknowledged ?? 0) >= sequence) return cursor;
      cursor.acknowledged = sequence;
      cursors.put(cursor, sender);
      return cursor;
    });
  }

  // The server has less of a sender than is held here: that conversation begins anew; what comes
  // again is known by device and number.
  forget(sender) {
    return this.#change(["cursors"], async (cursors) => { cursors.delete(sender); });
  }

  // The server does not know this device's numbering any more (it was restored): what waits is
  // numbered anew, under a new name. Returns the messages that changed.
  renew() {
    return this.#change(
      ["meta", "counters", "outbox", "messages"],
      async (meta, counters, outbox, messages) => {
        const waiting = await asked(outbox.getAll());
        const before = await asked(meta.get("device"));
        const device = newDevice();
        meta.put(device, "device");
        counters.clear();
        outbox.clear();
        const numbers = new Map();
        const changed = [];
        for (const { receiver, clientSequence, text } of waiting) {
          const number = (numbers.get(receiver) ?? 0) + 1;
          numbers.set(receiver, number);
          counters.put(number, receiver);
          outbox.put({ receiver, clientSequence: number, text });
          const key = [receiver, "mine", before, clientSequence];
          const message = await asked(messages.index("identity").get(key));
          if (!message) continue;
          Object.assign(message, { device, clientSequence: number });
          messages.put(message);
          changed.push(message);
        }
        return changed;
      });
  }
}
