import type { Socket } from 'node:net';

/** Counts open connections by the address they come from, so that nobody alone takes them all. */
export class AddressLimit {
  readonly #connectionsMax: number;
  /** Only addresses with a connection. */
  readonly #open = new Map<string, number>();

  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
  }

  /** Takes the connection on until it closes; false when its address has as many as it may. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const count = this.#open.get(address) ?? 0;
    if (count >= this.#connectionsMax) return false;
    this.#open.set(address, count + 1);
    socket.once('close', () => this.#release(address));
    return true;
  }

  #release(address: string): void {
    const count = this.#open.get(address) ?? 0;
    if (count > 1) this.#open.set(address, count - 1);
    else this.#open.delete(address);
  }
}
