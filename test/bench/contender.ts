/** Whoever reads the port and tells a broker. All see the same bytes, the same broker and the same disk. */
export interface Place {
  /** The slave end of the pseudo-terminal. */
  readonly port: string;
  readonly brokerPort: number;
  /** Its own, empty at first; what it keeps stands here. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Contender {
  readonly name: string;
  /** An event is on the disk before the broker hears of it. */
  readonly durable: boolean;
  readonly format: 'json' | 'frame';
  /** What it lacks here, or null. */
  readonly missing: string | null;
  /** Resolves when it reads. The second time it finds what it left. */
  start(place: Place): Promise<Running>;
}

export interface Running {
  /** The processes it began, without their children. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
  kill9(): Promise<void>;
}
