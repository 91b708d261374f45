/** Asks the agent of a log on this machine how it is; where it does not run, the log is what there is to tell. */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { openLogReader } from '../agent/log/open-log-reader.ts';
import { type AgentReport, reportPath } from '../agent/report.ts';

export interface LogReport {
  readonly agent: string;
  readonly lastSeq: number;
  readonly queue: number;
  readonly lastEvent: string | null;
}

export type Report =
  | ({ readonly state: 'running' } & AgentReport)
  | ({ readonly state: 'stopped'; readonly reason: string } & LogReport);

const ANSWER_MS = 5_000;
const MAX_EVENT_BYTES = 256 * 1024;

/** Rejects as the log does, where there is neither an agent nor a log. */
export async function askReport(logPath: string): Promise<Report> {
  const answer = await askSocket(reportPath(logPath));
  return typeof answer === 'string'
    ? { state: 'stopped', reason: answer, ...(await lookIntoLog(logPath)) }
    : { state: 'running', ...answer };
}

/** A text is the reason why there is no answer. */
async function askSocket(path: string): Promise<AgentReport | string> {
  const socket = connect(path);
  socket.setTimeout(ANSWER_MS, () => socket.destroy(Object.assign(new Error('silent'), { code: 'ETIMEDOUT' })));
  try {
    return JSON.parse(await text(socket)) as AgentReport;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EACCES' || code === 'EPERM') return 'this user may not ask it: sudo collard status';
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'the agent does not run';
    return `the agent does not answer (${code || 'no report'})`;
  } finally {
    socket.destroy();
  }
}

async function lookIntoLog(path: string): Promise<LogReport> {
  const log = openLogReader(path);
  try {
    const epochs = log.epochs();
    const last = epochs.at(-1);
    const queue = epochs.reduce((sum, epoch) => sum + epoch.lastSeq - Math.max(epoch.storedSeq, epoch.firstSeq - 1), 0);
    const seq = last?.lastSeq ?? 0;
    const [event] = last === undefined || seq === 0 ? [] : await log.read(last.epoch, seq, seq, 1, MAX_EVENT_BYTES);
    return { agent: log.agent, lastSeq: seq, queue, lastEvent: event?.time ?? null };
  } finally {
    log.close();
  }
}
