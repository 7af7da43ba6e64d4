import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

import { seededRandom } from '../../packages/common/src';
import { devNodes } from '../../packages/cli/src/dev/dev-layout';
import { HEALTHY_LINK } from '../../packages/cli/src/dev/link-rule';
import { NetnsLinks } from '../../packages/cli/src/dev/netns-links';
import { runTool } from '../../packages/cli/src/dev/system-tool';

const CUT = { ...HEALTHY_LINK, isCut: true };

/** The same words as the product, but at once: jest wants to know before it runs. */
function canUseNamespaces(): boolean {
  const name = `azimuth-${process.pid}-probe`;
  const run = (...command: string[]): boolean =>
    spawnSync(command[0] ?? '', command.slice(1), { stdio: 'ignore' }).status === 0;
  const isMade = run('ip', 'netns', 'add', name);
  const isJoined =
    isMade &&
    run('ip', '-n', name, 'link', 'add', 'bridge0', 'type', 'bridge') &&
    run('ip', '-n', name, 'link', 'add', 'end0', 'type', 'veth', 'peer', 'name', 'end1');
  const isFiltered =
    isJoined && run('nsenter', `--net=/var/run/netns/${name}`, 'nft', 'add table bridge probe');
  if (isMade) run('ip', 'netns', 'del', name);
  return isFiltered;
}

/** Sends the datagrams that it is told to, and says what arrives. */
const SPEAKER = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (text) => console.log(String(text)));
  socket.bind(5000, process.argv[1], () => console.log('ready'));
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [to, text] = line.split(' ');
    socket.send(text, 5000, to);
  }).on('close', () => process.exit(0));
`;

/** A process in the namespace of a node. */
class Speaker {
  readonly heard: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #listener: () => void = () => undefined;

  constructor(links: NetnsLinks, nodeId: string) {
    const [program = '', ...args] = links.commandPrefixOf(nodeId);
    const host = links.hostOf(nodeId);
    this.#child = spawn(program, [...args, process.execPath, '-e', SPEAKER, host]);
    let text = '';
    this.#child.stdout.setEncoding('utf8').on('data', (more: string) => {
      const lines = (text + more).split('\n');
      text = lines.pop() ?? '';
      this.heard.push(...lines);
      this.#listener();
    });
  }

  say(host: string, text: string): void {
    this.#child.stdin.write(`${host} ${text}\n`);
  }

  /** Resolves with what was heard before, and forgets it. */
  hears(text: string): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        const at = this.heard.indexOf(text);
        if (at >= 0) resolve(this.heard.splice(0, at + 1).slice(0, -1));
      };
      this.#listener = look;
      look();
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

const describeHere = canUseNamespaces() ? describe : describe.skip;

describeHere('links between real namespaces', () => {
  let links: NetnsLinks;
  let [a, b]: Speaker[] = [];
  const namespaces = (): string => spawnSync('ip', ['netns', 'list']).stdout.toString();

  const speakers = (): readonly [Speaker, Speaker] => [a as Speaker, b as Speaker];
  /** What arrives of `count` datagrams under the present rules, seen once all is healed. */
  async function arrivals(
    from: Speaker,
    to: Speaker,
    host: string,
    count: number,
  ): Promise<number> {
    for (let i = 0; i < count; i += 1) from.say(host, `${i}`);
    // The other way round is healthy: when the answer is here, all that was sent has gone its way.
    from.say(links.hostOf('a-curator-1'), 'sent');
    await witness.hears('sent');
    await links.heal();
    from.say(host, 'end');
    return (await to.hears('end')).length;
  }
  let witness: Speaker;

  beforeAll(async () => {
    links = await NetnsLinks.open({
      ...{ nodes: devNodes({ zones: 2, storagePerZone: 1, indexGroups: 1 }), region: 'test' },
      ...{ launcherPid: process.pid, canDelay: false, runTool, random: seededRandom(process.pid) },
    });
    [a, b] = [new Speaker(links, 'a-gateway-1'), new Speaker(links, 'b-storage-1')];
    witness = new Speaker(links, 'a-curator-1');
    await Promise.all([...speakers(), witness].map((each) => each.hears('ready')));
  });

  afterAll(async () => {
    for (const speaker of [...speakers(), witness]) speaker.end();
    await links.close();
    expect(namespaces()).not.toContain(`azimuth-${process.pid}-test`);
  });

  it('a cut one way lets through what goes the other way, and healing is at once', async () => {
    const [gateway, storage] = speakers();
    await links.set([{ from: 'a', to: 'b', rule: CUT }]);
    storage.say(links.hostOf('a-gateway-1'), 'hello');
    await gateway.hears('hello');
    expect(await arrivals(gateway, storage, links.hostOf('b-storage-1'), 3)).toBe(0);
    expect(await arrivals(gateway, storage, links.hostOf('b-storage-1'), 3)).toBe(3);
  });

  it('a cut between two nodes is not one between their zones', async () => {
    const [gateway, storage] = speakers();
    await links.set([{ from: 'a-metadata-1', to: 'b-storage-1', rule: CUT }]);
    expect(await arrivals(gateway, storage, links.hostOf('b-storage-1'), 3)).toBe(3);
  });

  it('loss takes some and not all', async () => {
    const [gateway, storage] = speakers();
    await links.set([{ from: 'a', to: 'b', rule: { ...HEALTHY_LINK, lossRate: 0.5 } }]);
    const arrived = await arrivals(gateway, storage, links.hostOf('b-storage-1'), 200);
    expect(arrived).toBeGreaterThan(50);
    expect(arrived).toBeLessThan(150);
  });
});
