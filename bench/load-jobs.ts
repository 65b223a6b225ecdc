// What the bench asks of the load generator, and what it gets back.

interface Aim {
  readonly port: number;
  /** Process whose tree is accounted over the measured window; 0 for none. */
  readonly pid: number;
  /** The whole request, base64 (head and body). */
  readonly request: string;
}

/** `connections` clients, each sending its next request when the last is answered. */
export interface ClosedJob extends Aim {
  readonly kind: "closed";
  readonly connections: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  readonly stream: boolean;
}

/** Evenly spaced sends, whatever the answers do. Latency counts from the planned instant. */
export interface OpenJob extends Aim {
  readonly kind: "open";
  readonly requestsPerSecond: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}

/** Opens streams and keeps them until the next job. */
export interface HoldJob extends Aim {
  readonly kind: "hold";
  readonly connections: number;
}

export interface ReleaseJob {
  readonly kind: "release";
}

export type Job = ClosedJob | OpenJob | HoldJob | ReleaseJob;

export interface JobResult {
  readonly completed: number;
  readonly failed: number;
  /** The first failure, in words. */
  readonly problem: string | undefined;
  readonly seconds: number;
  /** CPU of the target's process tree per completed request. */
  readonly cpuMicrosPerRequest: number;
  /** The same for each thread of the target's own process. */
  readonly threads: readonly { readonly name: string; readonly cpuMicrosPerRequest: number }[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late the generator itself sent, at the 99th percentile (open loop only). */
  readonly sendLagP99Ms: number;
  /** The measured window on the system's monotonic clock, in microseconds; the clock that CPU profiles use. */
  readonly windowMicros: readonly [number, number];
}
