import { connect } from 'node:net';
import type { Socket } from 'node:net';

import { startTestGateway } from '../support/test-gateway';
import type { TestGateway } from '../support/test-gateway';

/** Resolves with the first line of an answer, or null when the connection is closed without one. */
function ask(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n')) resolve(text.slice(0, text.indexOf('\r\n')));
    });
    socket.on('close', () => resolve(null));
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  });
}

describe('connections from one address (advisory 43)', () => {
  let gateway: TestGateway;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    gateway = await startTestGateway({ connectionsPerAddressMax: 2 });
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await gateway.close();
  });

  function open(): Socket {
    const socket = connect(gateway.server.port, '127.0.0.1');
    sockets.push(socket);
    return socket;
  }

  it('are closed unheard beyond the limit, and taken again when one is gone', async () => {
    const [first, second] = [open(), open()];
    expect(await ask(first)).toContain('HTTP/1.1 403');
    expect(await ask(second)).toContain('HTTP/1.1 403');
    expect(await ask(open())).toBeNull();

    await new Promise((resolve) => first.once('close', resolve).destroy());
    // The gateway learns of the end in its own time.
    let answer: string | null = null;
    while (answer === null) answer = await ask(open());
    expect(answer).toContain('HTTP/1.1 403');
  });
});
