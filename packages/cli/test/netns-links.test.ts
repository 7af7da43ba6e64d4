import { StoreError, seededRandom } from '@azimuth/common';

import { devNodes } from '../src/dev/dev-layout';
import { HEALTHY_LINK } from '../src/dev/link-rule';
import { NetnsLinks, removeAbandonedNetns, tryNetns } from '../src/dev/netns-links';
import { chooseLinks } from '../src/dev/open-links';
import type { RunTool } from '../src/dev/system-tool';

const SHAPE = { zones: 2, storagePerZone: 1, indexGroups: 1 };

/** A machine that refuses the commands that match, and remembers the others. */
function makeMachine(refuses: (command: string) => boolean = () => false): {
  readonly ran: { readonly command: string; readonly input: string }[];
  readonly runTool: RunTool;
} {
  const ran: { command: string; input: string }[] = [];
  const runTool: RunTool = (command, input = '') => {
    const text = command.join(' ');
    if (refuses(text)) return Promise.reject(new StoreError('UNAVAILABLE', { reason: 'refused' }));
    ran.push({ command: text, input });
    return Promise.resolve('');
  };
  return { ran, runTool };
}

function openOn(runTool: RunTool, canDelay = true): Promise<NetnsLinks> {
  return NetnsLinks.open({
    ...{ nodes: devNodes(SHAPE), region: 'r', launcherPid: 7, canDelay, runTool },
    random: seededRandom(1),
  });
}

describe('links between namespaces', () => {
  it('start each process in the namespace whose address it has', async () => {
    const { ran, runTool } = makeMachine();
    const links = await openOn(runTool);
    expect(links.commandPrefixOf('a-storage-1')).toEqual([
      'nsenter',
      '--net=/var/run/netns/azimuth-7-r-a-storage-1',
      '--',
    ]);
    const inNode = ran.find(({ command }) => command.includes('azimuth-7-r-a-storage-1 -batch'));
    expect(inNode?.input).toContain(`addr add ${links.hostOf('a-storage-1')}/24 `);
    // The command line itself stays where it is.
    expect(links.hostOf('admin')).toBe('127.0.0.1');
    expect(links.commandPrefixOf('admin')).toEqual([]);
  });

  it('leave nothing behind when the kernel refuses half-way', async () => {
    const { ran, runTool } = makeMachine((command) => command.includes('b-curator-1'));
    await expect(openOn(runTool)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(ran.at(-1)?.command).toBe('ip -force -batch -');
    expect(ran.at(-1)?.input).toContain('netns del azimuth-7-r-switch\n');
  });

  it('refuse a delay without netem, and an unknown place, and change nothing then', async () => {
    const { ran, runTool } = makeMachine();
    const links = await openOn(runTool, false);
    const before = ran.length;
    const slow = { from: 'a', to: 'b', rule: { ...HEALTHY_LINK, delayMs: 5 } };
    await expect(links.set([slow])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const cut = { ...HEALTHY_LINK, isCut: true };
    const known = { from: 'a', to: 'b', rule: cut };
    await expect(links.set([known, { ...known, to: 'z' }])).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(ran.length).toBe(before);
    await links.heal();
    expect(ran.at(-1)?.input).not.toContain('drop');
  });

  it('undo a shape before they make the next, even one that the kernel took only in part', async () => {
    let refuses = true;
    const { ran, runTool } = makeMachine(
      (command) => refuses && command.startsWith('tc') && command.includes('a-gateway-1'),
    );
    const links = await openOn(runTool);
    const slow = { from: 'a-gateway-1', to: 'b', rule: { ...HEALTHY_LINK, delayMs: 5 } };
    await expect(links.set([slow])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    refuses = false;
    await links.set([{ ...slow, rule: { ...HEALTHY_LINK, delayMs: 9 } }]);
    const told = ran.filter(({ command }) => command.startsWith('tc')).map(({ input }) => input);
    expect(told.length).toBe(2);
    expect(told[0]).toContain('qdisc del');
    expect(told[1]).toContain('delay 9ms');
  });
});

describe('which links a machine gets', () => {
  const choose = (wanted: 'auto' | 'proxy' | 'netns' | null, runTool: RunTool): Promise<unknown> =>
    chooseLinks(wanted, { runTool, launcherPid: 7 });
  const noNetem = (command: string): boolean => command.includes('netem');

  it('are namespaces where they can do as much as proxies, and proxies elsewhere', async () => {
    expect(await choose('auto', makeMachine().runTool)).toEqual({ kind: 'netns', canDelay: true });
    expect(await choose('auto', makeMachine(noNetem).runTool)).toMatchObject({ kind: 'proxy' });
    const unprivileged = makeMachine((command) => command.startsWith('ip netns add'));
    expect(await choose('auto', unprivileged.runTool)).toMatchObject({ kind: 'proxy' });
  });

  it('are those that were asked for, or none', async () => {
    const { runTool } = makeMachine(noNetem);
    expect(await choose('netns', runTool)).toEqual({ kind: 'netns', canDelay: false });
    const noFilter = makeMachine((command) => command.includes('nft'));
    await expect(choose('netns', noFilter.runTool)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const nothing = makeMachine(() => true);
    expect(await choose('proxy', nothing.runTool)).toMatchObject({ kind: 'proxy' });
    expect(await choose(null, nothing.runTool)).toEqual({ kind: 'none' });
  });

  it('are found out by a trial that leaves nothing behind', async () => {
    const { ran, runTool } = makeMachine(noNetem);
    await tryNetns(runTool, 7);
    expect(ran.at(-1)?.command).toBe('ip netns del azimuth-7-trial');
  });

  it('are cleared of what launchers left that were killed', async () => {
    const { ran, runTool } = makeMachine();
    const listing: RunTool = (command, input) =>
      command.join(' ') === 'ip netns list'
        ? Promise.resolve('azimuth-5-r-switch\nazimuth-6-r-switch\n')
        : runTool(command, input);
    await removeAbandonedNetns(listing, (pid) => pid === 6);
    expect(ran.map(({ input }) => input)).toEqual(['netns del azimuth-5-r-switch\n']);
  });
});
