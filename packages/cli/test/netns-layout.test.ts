import { devNodes } from '../src/dev/dev-layout';
import { HEALTHY_LINK, LinkRules } from '../src/dev/link-rule';
import {
  abandonedNamespaces,
  buildScripts,
  filterScript,
  freeNetwork,
  layOutNetns,
  removalScript,
  shapingScript,
} from '../src/dev/netns-layout';

const nodes = devNodes({ zones: 2, storagePerZone: 1, indexGroups: 1 });
const layout = layOutNetns(nodes, { pid: 4711, region: 'us-east-1', network: 300 });
const addressOf = (nodeId: string): string =>
  layout.nodes.find((node) => node.nodeId === nodeId)?.address ?? 'none';
const addressesOf = (zone: string): string[] =>
  layout.nodes.filter((node) => node.zone === zone).map(({ address }) => address);

function rulesOf(...placed: Parameters<LinkRules['set']>[0][]): LinkRules {
  const rules = new LinkRules();
  for (const each of placed) rules.set(each);
  return rules;
}

/** The pairs that a line of the filter names. */
function pairsOf(line: string): string[] {
  const inside = /\{ (.*) \}/.exec(line)?.[1] ?? '';
  return inside.split(', ').sort();
}

describe('the network of namespaces', () => {
  it('gives every node a namespace and an address of the networks for tests (RFC 2544)', () => {
    expect(new Set(layout.nodes.map(({ namespace }) => namespace)).size).toBe(nodes.length);
    expect(new Set(layout.nodes.map(({ address }) => address)).size).toBe(nodes.length);
    for (const { address } of layout.nodes) expect(address).toMatch(/^198\.19\.44\.\d+$/);
    expect(layout.nodes.map(({ address }) => address)).not.toContain(layout.hostAddress);
  });

  it('removes all that it makes, and names no device longer than the kernel allows', () => {
    const made = buildScripts(layout)
      .map(({ script }) => script)
      .join('');
    const removed = removalScript(layout);
    for (const [, name = ''] of made.matchAll(/^netns add (\S+)$/gm)) {
      expect(removed).toContain(`netns del ${name}\n`);
    }
    expect(removed).toContain(`link del ${layout.uplink}\n`);
    for (const [, device = ''] of made.matchAll(/(?:link add|name) (\S+)/g)) {
      expect(device.length).toBeLessThanOrEqual(15);
    }
  });

  it('knows what launchers left that are gone, and leaves alone those of others', () => {
    const listed = [
      'azimuth-12-us-east-1-switch (id: 3)',
      'azimuth-12-us-east-1-a-storage-1',
      'azimuth-99-trial',
      'somebody-else (id: 1)',
      'azimuth-proxy',
      '',
    ].join('\n');
    expect(abandonedNamespaces(listed, (pid) => pid === 99)).toEqual([
      'azimuth-12-us-east-1-switch',
      'azimuth-12-us-east-1-a-storage-1',
    ]);
  });

  it('takes a network that no other cluster has', () => {
    const listed = '7: azimuth511@if2: <UP>\n8: azimuth0@if2: <UP>\n9: azimuthal1: <UP>\n';
    expect(freeNetwork(listed, 511)).toBe(1);
    const all = Array.from({ length: 512 }, (_, i) => `9: azimuth${i}@if2: <UP>`).join('\n');
    expect(freeNetwork(all, 5)).toBeNull();
  });
});

describe('the packet filter', () => {
  it('drops one way only what goes one way between two zones', () => {
    const script = filterScript(
      layout,
      rulesOf({ from: 'a', to: 'b', rule: { ...HEALTHY_LINK, isCut: true } }),
    );
    const drops = script.split('\n').filter((line) => line.endsWith('drop'));
    const wanted = addressesOf('a').flatMap((from) =>
      addressesOf('b').map((to) => `${from} . ${to}`),
    );
    expect(drops.map(pairsOf)).toEqual([wanted.sort()]);
    expect(drops[0]).not.toContain('numgen');
  });

  it('lets a later rule for a node stand above one for its zone', () => {
    const script = filterScript(
      layout,
      rulesOf(
        { from: 'a', to: 'b', rule: { ...HEALTHY_LINK, isCut: true } },
        { from: 'a-gateway-1', to: 'b', rule: { ...HEALTHY_LINK, lossRate: 0.25 } },
      ),
    );
    const [cut = '', lossy = ''] = script.split('\n').filter((line) => line.endsWith('drop'));
    expect(cut).not.toContain(`${addressOf('a-gateway-1')} . `);
    expect(pairsOf(lossy)).toEqual(
      addressesOf('b')
        .map((to) => `${addressOf('a-gateway-1')} . ${to}`)
        .sort(),
    );
    expect(lossy).toContain('numgen random mod 10000 < 2500 drop');
  });

  it('replaces what was there before in one step, and is empty when all is healed', () => {
    const script = filterScript(layout, rulesOf());
    expect(script.split('\n').slice(0, 3)).toEqual([
      'table bridge azimuth',
      'delete table bridge azimuth',
      'table bridge azimuth {',
    ]);
    expect(script).not.toContain('drop');
  });
});

describe('what holds packets back', () => {
  const slow = { ...HEALTHY_LINK, delayMs: 50, bytesPerSecond: 1_000 };
  const rules = rulesOf({ from: 'a-gateway-1', to: 'b-storage-1', rule: slow });

  it('is asked of the sender, for the one receiver', () => {
    const script = shapingScript(layout, 'a-gateway-1', rules);
    expect(script).toContain('htb rate 1000bps ');
    expect(script).toContain('netem delay 50ms ');
    expect(script.match(/ip dst \S+/g)).toEqual([`ip dst ${addressOf('b-storage-1')}/32`]);
    expect(shapingScript(layout, 'b-storage-1', rules)).toBe('');
  });

  it('needs no netem for a link that is only narrow', () => {
    const narrow = { ...HEALTHY_LINK, bytesPerSecond: 1_000 };
    const only = rulesOf({ from: 'a', to: 'b', rule: narrow });
    expect(shapingScript(layout, 'a-gateway-1', only)).not.toContain('netem');
  });
});
