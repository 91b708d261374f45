/** How far a long command has come, on stderr: one line that changes on a terminal, else a plain line now and then. */
import type { ReplayProgress } from '../central/replay.ts';
import { widthOf } from './meter.ts';
import { tell } from './output.ts';

const TERMINAL_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;

export interface Progress {
  show(progress: ReplayProgress): void;
  /** Before anything else is written. */
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream = process.stderr, nowMs = () => performance.now()): Progress {
  let shownAt = Number.NEGATIVE_INFINITY;
  let phase = '';
  let isOpen = false;
  return {
    show(progress) {
      const isNew = progress.phase !== phase;
      if (!isNew && nowMs() - shownAt < (stream.isTTY ? TERMINAL_EVERY_MS : LINE_EVERY_MS)) return;
      shownAt = nowMs();
      phase = progress.phase;
      const line = progressLine(progress);
      if (!stream.isTTY) return tell(line);
      stream.write(`\r\u001b[K${line.slice(0, widthOf(stream) - 1)}`);
      isOpen = true;
    },
    end() {
      if (isOpen) stream.write('\r\u001b[K');
      isOpen = false;
    },
  };
}

export function progressLine(progress: ReplayProgress): string {
  const { phase, version, resumed, segmentsLeft, done, total, eventsPerSecond, secondsLeft } = progress;
  if (segmentsLeft > 0) return `version ${version}: ${phase}, ${segmentsLeft} left`;
  if (phase !== 'folding') return `version ${version}: ${phase}`;
  const percent = total === 0 ? 100 : Math.min(100, Math.floor((100 * done) / total));
  const again = resumed ? ', goes on from before' : '';
  const rate = eventsPerSecond === 0 ? '' : `, ${eventsPerSecond} events/s`;
  const left = secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`;
  return `version ${version}: ${percent} %, ${done} of ${total} events${rate}${left}${again}`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 100 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
