// Several tabs of one account are one device: one of them speaks to the server, and tells the
// others what happens. When it is closed, another takes over.

export class Tabs {
  #channel = null;
  #hear;

  // hear: (kind, ...values) => void, for what this tab or another one tells.
  constructor(account, hear) {
    this.#hear = hear;
    if (!("BroadcastChannel" in globalThis)) return;
    this.#channel = new BroadcastChannel(`mailbox-${account}`);
    this.#channel.onmessage = ({ data: [kind, ...values] }) => hear(kind, ...values);
  }

  // Tells every tab, this one too.
  tell(kind, ...values) {
    this.#hear(kind, ...values);
    this.#channel?.postMessage([kind, ...values]);
  }

  // Tells the other tabs.
  ask(kind, ...values) { this.#channel?.postMessage([kind, ...values]); }

  // Calls `lead` when it is this tab that speaks: now, or when the one that does is closed.
  // Returns whether it is another one now.
  async lead(account, lead) {
    // Locks are for secure contexts. Without them the server ends all but the newest connection.
    if (!navigator.locks) {
      lead();
      return false;
    }
    const name = `mailbox-${account}`;
    const forever = () => {
      lead();
      return new Promise(() => {});
    };
    const isHeld = await new Promise((resolve) => {
      navigator.locks.request(name, { ifAvailable: true }, (lock) => {
        resolve(!lock);
        return lock ? forever() : undefined;
      });
    });
    if (isHeld) navigator.locks.request(name, forever);
    return isHeld;
  }
}
