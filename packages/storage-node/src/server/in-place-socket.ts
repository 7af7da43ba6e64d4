import { Socket } from 'node:net';

/** Lets the kernel write into the buffer that `buffer` returns, as `onread` of `net.connect` does. */
export interface InPlaceReader {
  readonly buffer: () => Uint8Array;
  readonly callback: (count: number, bytes: Uint8Array) => boolean;
}

/** A connection, and whether its bytes come through the reader or as `data` events. */
export interface OpenedSocket {
  readonly socket: Socket;
  readonly isInPlace: boolean;
}

interface HandleOwner {
  _handle: object | null;
}

/**
 * Gives a socket that a server has just accepted (`pauseOnConnect`) an `onread`, which `net` offers
 * to clients only: its handle moves into a new socket. The constructor's `handle` is what `net` and
 * `child_process` use among themselves, in every Node from 0.10 on. Should one ever be without it,
 * bytes come as `data` events of the accepted socket, at a higher price.
 */
export function readInPlace(accepted: Socket, reader: InPlaceReader): OpenedSocket {
  const owner = accepted as unknown as HandleOwner;
  const handle = owner._handle;
  if (handle == null) return { socket: accepted, isInPlace: false };
  owner._handle = null;
  const options = { handle, onread: reader };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  // Without its handle this only settles the server's count of connections.
  accepted.destroy();
  return { socket, isInPlace: true };
}
