import { collectProcessMetrics } from '@azimuth/common';
import { Gauge, Registry } from 'prom-client';

import type { MetadataNode } from './metadata-node';

const ROLES = ['follower', 'preCandidate', 'candidate', 'leader'] as const;

/** Metrics of a metadata process, read from the running node when they are scraped. */
export function createMetadataMetrics(current: () => MetadataNode | null): Registry {
  const registry = new Registry();
  collectProcessMetrics(registry);
  for (const { name, help, read } of GROUP_GAUGES) {
    addGauge(registry, { name, help, labelNames: ['group'] }, (gauge) => {
      for (const endpoint of current()?.endpoints() ?? []) {
        gauge.set({ group: endpoint.name }, read(endpoint));
      }
    });
  }
  addGauge(
    registry,
    {
      name: 'azimuth_raft_role',
      help: '1 for the role this node has in the group',
      labelNames: ['group', 'role'],
    },
    (gauge) => {
      for (const { name, group } of current()?.endpoints() ?? []) {
        const { role } = group.status();
        for (const each of ROLES) gauge.set({ group: name, role: each }, each === role ? 1 : 0);
      }
    },
  );
  addIntegrityGauges(registry, current);
  addOutboxGauges(registry, current);
  addRootGauges(registry, current);
  return registry;
}

type Endpoint = ReturnType<MetadataNode['endpoints']>[number];

const GROUP_GAUGES: readonly {
  readonly name: string;
  readonly help: string;
  readonly read: (endpoint: Endpoint) => number;
}[] = [
  {
    name: 'azimuth_raft_term',
    help: 'Current term',
    read: ({ group }) => group.status().term,
  },
  {
    name: 'azimuth_raft_has_leader',
    help: '1 while this node knows a leader',
    read: ({ group }) => (group.leader() === null ? 0 : 1),
  },
  {
    name: 'azimuth_raft_commit_index',
    help: 'Highest log index known to be committed',
    read: ({ group }) => group.status().commitIndex,
  },
  {
    name: 'azimuth_raft_applied_index',
    help: 'Highest log index in the state machine',
    read: ({ machine }) => machine.lastApplied(),
  },
  {
    name: 'azimuth_raft_is_damaged',
    help: '1 while the node abstains because its log lost acknowledged entries',
    read: ({ group }) => (group.status().isDamaged ? 1 : 0),
  },
  {
    name: 'azimuth_metadata_proposals',
    help: 'Commands this node proposed as leader since it started',
    read: ({ proposals }) => proposals,
  },
  {
    name: 'azimuth_metadata_proposal_seconds',
    help: 'Time from proposing a command to its answer, summed up',
    read: ({ proposalMs }) => proposalMs / 1_000,
  },
];

const PROBLEMS = ['log', 'votes', 'snapshot', 'state', 'replica'] as const;

function addIntegrityGauges(registry: Registry, current: () => MetadataNode | null): void {
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_findings_total',
      help: 'Damage of what this node stores, found since the process started',
      labelNames: ['problem'],
    },
    (gauge) => {
      for (const problem of PROBLEMS)
        gauge.set({ problem }, current()?.countFindings(problem) ?? 0);
    },
  );
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_replicas_differ',
      help: '1 while replicas of the group name different states for one index',
      labelNames: ['group'],
    },
    (gauge) => {
      for (const [group, { kind }] of current()?.guard.verdicts ?? []) {
        gauge.set({ group }, kind === 'agrees' ? 0 : 1);
      }
    },
  );
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_scrub_tours_completed',
      help: 'Times that log, votes and snapshots were read against their checksums',
      labelNames: [],
    },
    (gauge) => gauge.set(current()?.guard.toursCompleted ?? 0),
  );
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_scrub_tour_ended_seconds',
      help: 'When that was last done, in seconds of Unix time; 0 before the first',
      labelNames: [],
    },
    (gauge) => gauge.set((current()?.guard.tourEndedMs ?? 0) / 1_000),
  );
}

function addOutboxGauges(registry: Registry, current: () => MetadataNode | null): void {
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_outbox_entries',
      help: 'Work that is waiting in the outbox',
      labelNames: ['group', 'kind'],
    },
    (gauge) => {
      for (const { name, machine } of current()?.indexes.values() ?? []) {
        const { repairEntries, garbageEntries, restripeEntries } = machine.counters;
        gauge.set({ group: name, kind: 'repair' }, repairEntries);
        gauge.set({ group: name, kind: 'garbage' }, garbageEntries);
        gauge.set({ group: name, kind: 'restripe' }, restripeEntries);
      }
    },
  );
  addGauge(
    registry,
    {
      name: 'azimuth_metadata_missing_shards',
      help: 'Shards known to be missing and waiting for repair',
      labelNames: ['group'],
    },
    (gauge) => {
      for (const { name, machine } of current()?.indexes.values() ?? []) {
        gauge.set({ group: name }, machine.counters.missingShards);
      }
    },
  );
}

function addRootGauges(registry: Registry, current: () => MetadataNode | null): void {
  const kinds = [
    ['node', 'azimuth_metadata_nodes', 'Storage nodes by state'],
    ['disk', 'azimuth_metadata_disks', 'Disks by state'],
    ['group', 'azimuth_metadata_placement_groups', 'Placement groups by state'],
  ] as const;
  for (const [kind, name, help] of kinds) {
    addGauge(registry, { name, help, labelNames: ['state'] }, (gauge) => {
      const node = current();
      if (node === null) return;
      for (const { state } of node.root.commands.state.all(kind)) gauge.inc({ state });
    });
  }
}

function addGauge<Label extends string>(
  registry: Registry,
  options: { readonly name: string; readonly help: string; readonly labelNames: Label[] },
  collect: (gauge: Gauge<Label>) => void,
): void {
  new Gauge<Label>({
    ...options,
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}
