/**
 * A loop of commands as a service: told to systemd when it is ready, what it does and that it moves; loaded anew at SIGHUP. A
 * configuration that is not sound, or that does not start, changes nothing: the one before goes on.
 */
import { delay } from '../lib/wait.ts';
import type { ServiceManager } from './systemd.ts';

/** How things stand, asked every few seconds. */
export interface Vitals {
  /** One line for people, as `systemctl status` shows it. */
  status(): string;
  /** What has stood still for longer than it may; empty where all moves. */
  overdue(): readonly string[];
}

export interface Running {
  /** To be called once, when the service can be used. */
  readonly ready: (vitals: Vitals) => void;
}

export interface ServiceParts<T> {
  readonly manager: ServiceManager;
  readonly first: T;
  /** The configuration as it stands now. Throws where it is not sound. */
  readonly load: () => T;
  readonly run: (config: T, running: Running, signal: AbortSignal) => Promise<void>;
  readonly logger: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
  /** Calls back at each SIGHUP until the signal aborts. */
  readonly onReload: (reload: () => void, signal: AbortSignal) => void;
}

const STATUS_MS = 5_000;

/** Resolves after the signal aborted and all is closed. Rejects as `run` does. */
export async function runAsService<T>(parts: ServiceParts<T>, stop: AbortSignal): Promise<void> {
  const { logger } = parts;
  const tell = createTeller(parts);
  const report = createReport(parts.manager, tell);
  let config = parts.first;
  let before: T | null = null;
  let next: T | null = null;
  let end: AbortController | null = null;
  parts.onReload(() => {
    if (end === null || end.signal.aborted) return;
    try {
      next = parts.load();
    } catch (error) {
      logger.error({ reason: textOf(error) }, 'not loaded anew: the configuration before goes on');
      return;
    }
    tell({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1_000n) });
    logger.info({}, 'loading anew: the sources are closed for a moment');
    end.abort();
  }, stop);
  const reporting = report.run(stop);
  try {
    while (!stop.aborted) {
      const own = new AbortController();
      end = own;
      let isReady = false;
      const ready = (vitals: Vitals) => {
        isReady = true;
        before = null;
        report.ready(vitals);
      };
      try {
        await parts.run(config, { ready }, AbortSignal.any([stop, own.signal]));
      } catch (error) {
        if (isReady || before === null) throw error;
        logger.error({ reason: textOf(error) }, 'the new configuration does not start: back to the one before');
        [config, before] = [before, null];
        continue;
      }
      if (next === null) break;
      [before, config, next] = [config, next, null];
    }
  } finally {
    tell({ STOPPING: '1' });
    report.end();
    await reporting;
  }
}

/** What cannot be told is no reason to end: the watchdog of systemd acts where it matters. Said once. */
function createTeller<T>({ manager, logger }: ServiceParts<T>): (state: Record<string, string>) => void {
  let isTold = false;
  return (state) => {
    try {
      manager.notify(state);
    } catch (error) {
      if (!isTold) logger.warn({ reason: textOf(error) }, 'systemd is not told how it stands');
      isTold = true;
    }
  };
}

function createReport({ watchdogMs }: ServiceManager, tell: (state: Record<string, string>) => void) {
  const over = new AbortController();
  let vitals: Vitals | null = null;
  let said = '';
  const report = () => {
    if (vitals === null) return;
    const overdue = vitals.overdue();
    const status = overdue.length === 0 ? vitals.status() : `stands still: ${overdue.join(', ')}; ${vitals.status()}`;
    const state: Record<string, string> = {};
    if (status !== said) state.STATUS = status;
    if (overdue.length === 0) state.WATCHDOG = '1';
    said = status;
    if (Object.keys(state).length > 0) tell(state);
  };
  return {
    ready(of: Vitals) {
      vitals = of;
      tell({ READY: '1' });
      report();
    },
    end: () => over.abort(),
    async run(stop: AbortSignal) {
      const everyMs = Math.min(STATUS_MS, (watchdogMs ?? Number.POSITIVE_INFINITY) / 3);
      const ended = AbortSignal.any([stop, over.signal]);
      while (!ended.aborted) {
        await delay(everyMs, ended);
        if (!ended.aborted) report();
      }
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
