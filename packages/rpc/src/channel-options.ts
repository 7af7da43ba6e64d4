import type { ChannelOptions } from '@grpc/grpc-js';

import { RECEIVE_WINDOW_BYTES } from './receive-window';

/** Bound of one message either way; what batches stays well below (see `FRAMES_BYTES_MAX`). */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** A connection attempt that is not through TLS by then is given up: the peer may be frozen. */
export const CONNECT_TIMEOUT_MS = 2_000;

/**
 * A peer whose packets are dropped, or whose process is frozen, closes nothing. Pings notice it: at
 * the latest after the interval plus the time-out. The time-out leaves room for a long pause of a
 * busy event loop, which would otherwise look like a death. A connection without a call, which only
 * those of unary calls are, is pinged when the next call begins.
 */
const KEEPALIVE_INTERVAL_MS = 700;
const KEEPALIVE_TIMEOUT_MS = 1_500;

const SHARED_CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  // grpc-js keeps a copy of everything sent for a retry it will never make on our streams; who may
  // retry what is decided above, by command id.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
};

/**
 * The client's pings notice a silent peer soon enough for both; the server's only free what belongs
 * to clients that are gone.
 */
const SERVER_KEEPALIVE_INTERVAL_MS = 10_000;

export const SERVER_CHANNEL_OPTIONS: ChannelOptions = {
  ...SHARED_CHANNEL_OPTIONS,
  'grpc.keepalive_time_ms': SERVER_KEEPALIVE_INTERVAL_MS,
};

export const CLIENT_CHANNEL_OPTIONS: ChannelOptions = {
  ...SHARED_CHANNEL_OPTIONS,
  // Servers do not know the option.
  'grpc-node.flow_control_window': RECEIVE_WINDOW_BYTES,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Peers are addresses; TLS wants a name, and the identity is checked by URI instead.
  'grpc.ssl_target_name_override': 'azimuth.internal',
};
