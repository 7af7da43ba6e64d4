import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

const SECONDS_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** What one finished request looked like. */
export interface RequestMeasure {
  readonly operation: string;
  readonly status: number;
  readonly durationMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

interface OperationSeries {
  readonly duration: Histogram.Internal<'operation'>;
  readonly received: Counter.Internal;
  readonly sent: Counter.Internal;
  readonly byStatus: Map<number, Counter.Internal>;
}

/** Rate, errors and duration of every S3 operation. Label sets are looked up once, not per request. */
export class RequestMetrics {
  readonly #requests: Counter<'operation' | 'status'>;
  readonly #duration: Histogram<'operation'>;
  readonly #received: Counter<'operation'>;
  readonly #sent: Counter<'operation'>;
  readonly #inFlight: Gauge;
  readonly #series = new Map<string, OperationSeries>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'azimuth_s3_requests_total',
      help: 'Requests answered, by operation and HTTP status (0: the client went away).',
      labelNames: ['operation', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'azimuth_s3_request_duration_seconds',
      help: 'From the last header byte of the request to the last byte of the answer.',
      labelNames: ['operation'],
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#received = new Counter({
      name: 'azimuth_s3_received_bytes_total',
      help: 'Body bytes received from clients, as on the wire.',
      labelNames: ['operation'],
      registers,
    });
    this.#sent = new Counter({
      name: 'azimuth_s3_sent_bytes_total',
      help: 'Body bytes sent to clients.',
      labelNames: ['operation'],
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'azimuth_s3_requests_in_flight',
      help: 'Requests being served.',
      registers,
    });
  }

  setInFlight(count: number): void {
    this.#inFlight.set(count);
  }

  record(measure: RequestMeasure): void {
    const series = this.#seriesOf(measure.operation);
    series.duration.observe(measure.durationMs / 1000);
    if (measure.receivedBytes > 0) series.received.inc(measure.receivedBytes);
    if (measure.sentBytes > 0) series.sent.inc(measure.sentBytes);
    let counter = series.byStatus.get(measure.status);
    if (counter === undefined) {
      counter = this.#requests.labels(measure.operation, String(measure.status));
      series.byStatus.set(measure.status, counter);
    }
    counter.inc();
  }

  #seriesOf(operation: string): OperationSeries {
    let series = this.#series.get(operation);
    if (series === undefined) {
      series = {
        duration: this.#duration.labels(operation),
        received: this.#received.labels(operation),
        sent: this.#sent.labels(operation),
        byStatus: new Map(),
      };
      this.#series.set(operation, series);
    }
    return series;
  }
}
