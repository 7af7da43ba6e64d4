import { readFileSync } from 'node:fs';

export interface ServerProcess {
  readonly role: string;
  readonly pid: number;
  readonly admin: string;
}

/** What the servers have used since they started. */
export interface Usage {
  readonly cpuSecondsByRole: ReadonlyMap<string, number>;
  /** Shard bytes that storage nodes received and sent. */
  readonly shardBytes: number;
  readonly residentBytesByRole: ReadonlyMap<string, number>;
}

/** `USER_HZ`: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Reads the processes' own CPU times, so that neither the client nor other load counts. */
export async function readUsage(processes: readonly ServerProcess[]): Promise<Usage> {
  const cpuSecondsByRole = new Map<string, number>();
  const residentBytesByRole = new Map<string, number>();
  let shardBytes = 0;
  for (const { role, pid, admin } of processes) {
    // The name in parentheses may hold spaces; state is the first field behind it (proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    cpuSecondsByRole.set(role, (cpuSecondsByRole.get(role) ?? 0) + seconds);
    const resident = Number(fields[21]) * PAGE_BYTES;
    residentBytesByRole.set(role, Math.max(residentBytesByRole.get(role) ?? 0, resident));
    if (role === 'storage') shardBytes += await readShardBytes(admin);
  }
  return { cpuSecondsByRole, residentBytesByRole, shardBytes };
}

async function readShardBytes(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const match = /^azimuth_storage_(?:received|sent)_bytes_total(?:\{[^}]*\})? (\S+)$/.exec(line);
    if (match !== null) sum += Number(match[1]);
  }
  return sum;
}
