/** Live readings of one collar: from the agent that has its port open, or from the port itself where no agent runs. */
import { connect } from 'node:net';
import { createDecoder, type DecoderOptions } from '../agent/decoder/decoder.ts';
import type { Reading } from '../agent/decoder/reading.ts';
import { createReceivers } from '../agent/decoder/receivers.ts';
import { type LiveHead, type LiveLine, liveSocketPath } from '../agent/live/feed.ts';
import { openSerialSource } from '../agent/source/serial.ts';
import { CommandError, EXIT } from './exit.ts';
import { safe, tell } from './output.ts';

/** Of one collar, until the signal aborts. Rejects with CommandError where nothing can be heard. */
export type TuneSource = (signal: AbortSignal) => AsyncGenerator<Reading>;

/** A line of the agent is never longer. */
const MAX_LINE = 64 * 1024;

export function fromAgent(logPath: string, collar: string): TuneSource {
  const path = liveSocketPath(logPath);
  return async function* (signal) {
    const socket = connect(path);
    const stop = () => socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    socket.setEncoding('utf8');
    socket.write(`${JSON.stringify({ collar })}\n`);
    let rest = '';
    let greeted = false;
    try {
      for await (const chunk of socket) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > MAX_LINE) throw new CommandError(EXIT.data, `what speaks at ${safe(path)} is no agent`);
        for (const line of lines) {
          const told = JSON.parse(line) as LiveHead | LiveLine;
          if ('live' in told) greeted = true;
          else if ('leftOut' in told) tell(`${told.leftOut} readings were left out: this is too slow`);
          else yield told;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof CommandError ? error : unreachable(path, error);
    } finally {
      signal.removeEventListener('abort', stop);
      socket.destroy();
    }
    if (signal.aborted) return;
    throw greeted
      ? new CommandError(EXIT.unavailable, 'the agent has ended')
      : new CommandError(EXIT.unavailable, 'the agent lets nobody more look on', 'end another collard tune');
  };
}

function unreachable(path: string, cause: unknown): CommandError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM')
    return new CommandError(
      EXIT.unavailable,
      `this user may not look on at ${safe(path)}`,
      'run as the user of the agent, such as sudo -u collard',
      { cause },
    );
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new CommandError(
      EXIT.unavailable,
      `no agent runs there: ${safe(path)}`,
      'start it, or listen without one: --port /dev/… --format json',
      { cause },
    );
  return new CommandError(EXIT.io, `cannot look on at ${safe(path)}: ${message}`, null, { cause });
}

export interface PortOptions {
  readonly port: string;
  readonly baud: number;
  readonly format: DecoderOptions['format'];
  readonly unit?: DecoderOptions['unit'];
}

export function fromPort({ port, baud, format, unit }: PortOptions, collar: string): TuneSource {
  return async function* (signal) {
    const monoNow = () => performance.now();
    const source = openSerialSource({ serial: port, baud, silentAfterMs: 30_000 }, { monoNow, random: Math.random });
    const decoder = createDecoder({ format, unit, collar });
    const receivers = createReceivers();
    const others = new Set<string>();
    for await (const input of source.inputs(signal)) {
      if (input.type === 'failed')
        throw new CommandError(EXIT.unavailable, safe(input.reason), 'collard ports lists what is there');
      if (input.type !== 'bytes') continue;
      for (const one of decoder.push(input.bytes, input.atMs).readings) {
        const reading = receivers.take(one, port);
        if (reading?.collar === collar) yield reading;
        else if (reading !== null && others.size < 32 && !others.has(reading.collar)) {
          others.add(reading.collar);
          tell(`also heard there: ${safe(reading.collar)}`);
        }
      }
    }
  };
}
