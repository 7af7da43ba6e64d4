import type { ServerHttp2Session } from 'node:http2';

/**
 * What a peer may send ahead of being read, a stream and a connection. With the 64 KiB of HTTP/2
 * (RFC 9113, section 6.9.2) a connection comes to 65 MB/s at 1 ms, a message of a few small objects
 * waits for a round trip, and every 32 KiB cost an answer.
 */
export const RECEIVE_WINDOW_BYTES = 4 * 1024 * 1024;

const widened = new WeakSet<object>();

/**
 * Widens the window of the connection that a call came on. A server of grpc-js 1.14 has no option
 * for it, Node only that of the streams, so the session is taken from where grpc-js keeps it.
 */
export function widenReceiveWindow(call: object): void {
  const { call: inner } = call as {
    readonly call?: { readonly stream?: { readonly session?: ServerHttp2Session } };
  };
  const session = inner?.stream?.session;
  if (session === undefined || session.destroyed || widened.has(session)) return;
  widened.add(session);
  session.setLocalWindowSize(RECEIVE_WINDOW_BYTES);
}
