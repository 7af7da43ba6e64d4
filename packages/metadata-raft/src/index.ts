export type {
  CommittedEntry,
  RaftGroup,
  RaftGroupStatus,
  StateMachine,
} from './driver/state-machine';
export { runMetadata } from './main';
export { checkCommand } from './state-machine/command-schema';
export { encodeEntry } from './state-machine/entry-codec';
export { GroupStateMachine } from './state-machine/group-state-machine';
export type { CommandSetFactory } from './state-machine/group-state-machine';
export { HybridClock } from './state-machine/hybrid-clock';
export { IndexCommandSet } from './state-machine/index-commands';
export { queryIndex } from './state-machine/index-queries';
export type { KeyValueStore } from './state-machine/key-value-store';
export { MemoryKeyValueStore } from './state-machine/memory-key-value-store';
export { RootCommandSet } from './state-machine/root-commands';
export { queryRoot, watchResult } from './state-machine/root-queries';
