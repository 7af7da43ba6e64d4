import type { MetadataClient } from '@azimuth/clients';
import { silentLogger, StoreError } from '@azimuth/common';
import { VirtualClock } from '@azimuth/testkit';

import { Lease, LEASE_TTL_MS } from '../src/lease';
import { Throttle } from '../src/throttle';

interface Answer {
  readonly holder: string;
  readonly expiresMs: number;
}

function leaseOver(clock: VirtualClock, answer: () => Promise<Answer>): Lease {
  const metadata = { root: answer } as unknown as MetadataClient;
  return new Lease({ metadata, clock, logger: silentLogger, holder: 'me' });
}

const { signal } = new AbortController();

describe('Lease', () => {
  it('is held until its time has passed since the request was sent, not since the answer', async () => {
    const clock = new VirtualClock();
    const lease = leaseOver(clock, async () => {
      await clock.runUntil(1_000);
      return { holder: 'me', expiresMs: 105_000 };
    });
    await lease.renew(signal);
    expect(lease.isHeld).toBe(true);
    await clock.runUntil(LEASE_TTL_MS);
    expect(lease.isHeld).toBe(false);
  });

  it('is not held when another curator has it', async () => {
    const lease = leaseOver(new VirtualClock(), () =>
      Promise.resolve({ holder: 'other', expiresMs: 105_000 }),
    );
    await lease.renew(signal);
    expect(lease.isHeld).toBe(false);
  });

  it('runs out when it cannot be renewed', async () => {
    const clock = new VirtualClock();
    let isUp = true;
    const lease = leaseOver(clock, () =>
      isUp
        ? Promise.resolve({ holder: 'me', expiresMs: 105_000 })
        : Promise.reject(new StoreError('UNAVAILABLE')),
    );
    await lease.renew(signal);
    isUp = false;
    await clock.runUntil(LEASE_TTL_MS - 1);
    await lease.renew(signal);
    expect(lease.isHeld).toBe(true);
    await clock.runUntil(LEASE_TTL_MS);
    expect(lease.isHeld).toBe(false);
  });

  it('is taken by a command only when its holder has been silent (and then tried for)', async () => {
    const clock = new VirtualClock();
    let held = { holder: 'other', expiresMs: 105_000 };
    let commands = 0;
    const metadata = {
      root: () => {
        commands += 1;
        return Promise.resolve(held);
      },
      queryRoot: () => Promise.resolve(held),
    } as unknown as MetadataClient;
    const lease = new Lease({ metadata, clock, logger: silentLogger, holder: 'me' });
    await lease.renew(signal);
    expect(commands).toBe(1);
    for (let round = 1; round <= 10; round += 1) {
      await clock.runUntil(round * 1_500);
      held = { holder: 'other', expiresMs: 105_000 + round };
      await lease.renew(signal);
    }
    expect(commands).toBe(1);

    await clock.runUntil(15_000 + 2_999);
    await lease.renew(signal);
    expect(commands).toBe(1);
    await clock.runUntil(15_000 + 3_000);
    await lease.renew(signal);
    expect(commands).toBe(2);
    held = { holder: 'me', expiresMs: 130_000 };
    await lease.renew(signal);
    expect(commands).toBe(3);
    expect(lease.isHeld).toBe(true);
  });

  it("knows the leader's clock, which never goes back here", async () => {
    let expiresMs = 105_000;
    const lease = leaseOver(new VirtualClock(), () => Promise.resolve({ holder: 'me', expiresMs }));
    await lease.renew(signal);
    expect(lease.leaderNowMs).toBe(100_000);
    expiresMs = 90_000;
    await lease.renew(signal);
    expect(lease.leaderNowMs).toBe(100_000);
  });
});

describe('Throttle', () => {
  it('rests in proportion to the work', async () => {
    const clock = new VirtualClock();
    const throttle = new Throttle(clock, 2);
    let isDone = false;
    const run = throttle
      .run(() => clock.runUntil(100), signal)
      .then(() => {
        isDone = true;
      });
    await Promise.resolve();
    await clock.runUntil(299);
    expect(isDone).toBe(false);
    await clock.runUntil(300);
    await run;
    expect(isDone).toBe(true);
  });
});
